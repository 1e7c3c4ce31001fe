"""Pages of a run: its configuration with what is other than before, what it used of what it asked for, and the
whole of it as a file for archives."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.shortcuts import render

from pipeline_management.models import Run
from pipeline_management.services import compare
from pipeline_management.services.provenance import MEDIA_TYPE, export
from pipeline_management.services.usage_advice import advice_on, bars, usage_of
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.run_head import head_context

FOLDED_FROM = 60
"""Lines of a configuration from which its parts are folded."""


@page()
def configuration(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The configuration and job script of a run, and in what they differ from its origin's and from those of the
    run of the same name before it. With ``?download=`` ("configuration" or "script") the text alone as a file."""
    run = visible_run(request, pk, with_texts=True)
    wanted = request.GET.get("download", "")
    if wanted in ("configuration", "script"):
        return _file(run, wanted)
    text = json.dumps(run.configuration, indent=2, ensure_ascii=False)
    context: dict[str, Any] = {
        "configuration": text,
        "parts": _parts(run.configuration) if text.count("\n") >= FOLDED_FROM else [],
        "changes": compare.with_earlier(run, request.user),
        "most": compare.MOST,
        **head_context(request, run, "configuration"),
    }
    return render(request, "runs/configuration.html", context)


@page()
def usage(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """What a run asked for and what it used, as far as accounting said, and what to ask for next time."""
    run = visible_run(request, pk)
    found = usage_of(run)
    context = {
        "usage": found,
        "bars": bars(found) if found else [],
        "advice": advice_on(run, found) if found else [],
        **head_context(request, run, "usage"),
    }
    return render(request, "runs/usage.html", context)


@page()
def provenance(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The run as an RO-Crate, a zip."""
    crate = export(visible_run(request, pk, with_texts=True))
    return FileResponse(
        crate.file, as_attachment=True, filename=crate.name, content_type=MEDIA_TYPE
    )


def _parts(document: dict[str, Any]) -> list[tuple[str, str, int, str]]:
    """Each key with what its value is ("list" or "object", else ""), how many entries that has, and its JSON."""
    parts = []
    for key, value in document.items():
        kind = "list" if isinstance(value, list) else "object" if isinstance(value, dict) else ""
        text = json.dumps(value, indent=2, ensure_ascii=False)
        parts.append((key, kind, len(value) if kind else 0, text))
    return parts


def _file(run: Run, wanted: str) -> HttpResponse:
    if wanted == "script":
        body, kind, name = run.script, "text/x-shellscript", "sh"
    else:
        body = json.dumps(run.configuration, indent=2, ensure_ascii=False) + "\n"
        kind, name = "application/json", "json"
    response = HttpResponse(body, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{wanted}-{run.pk}.{name}"'
    return response
