"""What the submission page starts with: a run to edit, a link's values, an example, or the person's draft."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pipeline_management.choices import RunKind
from pipeline_management.models import Draft, PipelineVersion
from pipeline_management.services import drafts
from pipeline_management.services.prefill import prefilled
from pipeline_management.views import edit_again as again
from pipeline_management.views.access import PageRequest
from pipeline_management.views.form_state import version_named

_NOT_KEYS = ("pipeline", "run")


@dataclass(frozen=True)
class Start:
    """``initial`` fills the form. ``draft`` is the person's, ``restored`` says that it is what fills the form.
    ``unknown`` is a pipeline of the address that there is not; ``tab`` the one to open, "" for the usual one."""

    initial: dict[str, Any] = field(default_factory=dict)
    draft: Draft | None = None
    restored: bool = False
    unknown: str = ""
    tab: str = ""


def start(request: PageRequest) -> Start:
    """By the address: ``?run=`` (404 if unknown), ``?pipeline=`` with or without values, else the draft."""
    kept = drafts.unsent(request.user)
    run_id = request.GET.get("run")
    if run_id:
        return Start(_of_run(request, run_id), kept)
    given = [(key, str(text)) for key, text in request.GET.items() if key not in _NOT_KEYS]
    reference = request.GET.get("pipeline", "")
    if reference or given:
        return _of_link(request, reference, given, kept)
    if kept is None:
        return Start()
    return Start(restored_from(kept), kept, restored=True)


def restored_from(kept: Draft) -> dict[str, Any]:
    """The form as the draft has it."""
    initial: dict[str, Any] = {
        "pipeline": kept.pipeline,
        "configuration": kept.text,
        "origin": kept.origin,
    }
    if kept.token is not None:
        initial["token"] = kept.token
    return initial


def _of_link(
    request: PageRequest, reference: str, given: list[tuple[str, str]], kept: Draft | None
) -> Start:
    version = version_named(request, reference) if reference else None
    if version is None and not given:
        return Start(draft=kept, unknown=reference)
    if given:
        schema = version.schema if version is not None else {}
        document = prefilled(reference, schema, given)
        if not reference:
            del document["pipeline"]
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    else:
        text = example_text(version)
    initial = {"pipeline": "" if version is None else str(version), "configuration": text}
    return Start(initial, kept, unknown="" if version else reference, tab="form")


def _of_run(request: PageRequest, run_id: str) -> dict[str, Any]:
    run = again.run_of(request, run_id)
    configuration = run.configuration
    named = "pipeline" in configuration
    return {
        "origin": run.pk if run.kind == RunKind.PIPELINE else None,
        "pipeline": "" if named or run.version is None else str(run.version),
        "configuration": json.dumps(configuration, indent=2, ensure_ascii=False),
    }


def example_text(version: PipelineVersion | None) -> str:
    """The example of a version as the editor shows it; an empty object without one."""
    if version is None or not version.example:
        return "{\n}\n"
    return json.dumps(version.example, indent=2, ensure_ascii=False)
