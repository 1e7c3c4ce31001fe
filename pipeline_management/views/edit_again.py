"""A run edited and submitted again: what is other than in its origin is shown before it is sent."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404

from pipeline_management.choices import OriginKind, RunKind
from pipeline_management.models import Run
from pipeline_management.services.control.difference import MOST, differences
from pipeline_management.services.intake import Origin, PreparedRun
from pipeline_management.views.access import PageRequest


def run_of(request: PageRequest, run_id: str) -> Run:
    """The run of this id, if the viewer may see it; else 404."""
    try:
        key = uuid.UUID(run_id)
    except ValueError as error:
        raise Http404 from error
    runs = Run.objects.visible_to(request.user).select_related("version__pipeline", "lab", "system")
    run = runs.filter(pk=key).first()
    if run is None:
        raise Http404
    return run


def origin_of(request: PageRequest, document: dict[str, Any]) -> Origin | None:
    """What the form says the run comes from. An unchanged configuration is a run submitted again as it was."""
    given = request.POST.get("origin", "")
    if not given:
        return None
    run = run_of(request, given)
    if run.kind != RunKind.PIPELINE:
        return None
    same = not differences(run.configuration, document)
    return Origin(run, OriginKind.RESUBMIT if same else OriginKind.EDIT)


def comparison(prepared: PreparedRun) -> dict[str, Any]:
    """What the page shows of the origin and the differences to it; nothing without an origin. ``seen`` goes back
    with the form as the sign that exactly these differences have been shown."""
    if prepared.origin is None:
        return {}
    run = prepared.origin.run
    return {
        "origin": run,
        "differences": differences(run.configuration, prepared.configuration),
        "most_differences": MOST,
        "other_version": run.version if run.version != prepared.version else None,
        "seen": prepared.request_sha256,
    }


def is_to_be_shown(request: PageRequest, prepared: PreparedRun) -> bool:
    """Whether the differences to the origin have not been on the page yet."""
    return prepared.origin is not None and prepared.request_sha256 not in request.POST.getlist(
        "seen"
    )
