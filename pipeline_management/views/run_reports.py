"""A run's reports and outputs: what its version declares, and what its job named."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat

from pipeline_management.errors import DomainError
from pipeline_management.file_names import visible
from pipeline_management.models import Run
from pipeline_management.services.file_places import place_of_run, roots_of
from pipeline_management.services.outputs import Found, artifacts_of, outputs_of, patterns_of
from pipeline_management.services.previews.kinds import type_of
from pipeline_management.services.previews.links import Link
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.file_parts import content_address, fault_context
from pipeline_management.views.file_rows import moment_of, run_address
from pipeline_management.views.run_head import head_context


@page()
def reports(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """What the job named stands on the page at once; what has to be looked for on the system is asked for then."""
    run = visible_run(request, pk)
    patterns = patterns_of(run.version)
    frame: dict[str, Any] = {"run": run, "system": run.system.name, "patterns": patterns}
    whole = not request.htmx
    if whole and "now" not in request.GET and any(patterns.values()):
        artifacts = [_shown(request, run, found) for found in artifacts_of(run)]
        frame |= {"kind": "wait", "artifacts": artifacts}
    else:
        frame |= _part(request, run)
    if not whole:
        return render(request, "runs/reports_part.html", frame)
    return render(request, "runs/reports.html", head_context(request, run, "reports") | frame)


def _part(request: PageRequest, run: Run) -> dict[str, Any]:
    try:
        place_of_run(run)
    except DomainError as error:
        return fault_context(error)
    found = outputs_of(run)
    return {
        "kind": "reports",
        "reports": [_shown(request, run, one) for one in found.reports],
        "outputs": [_shown(request, run, one) for one in found.outputs],
        "artifacts": [_shown(request, run, one) for one in found.artifacts],
        "fault": found.fault,
        "more": found.more,
    }


def _shown(request: PageRequest, run: Run, found: Found) -> dict[str, Any]:
    path = posixpath.join(roots_of(run)[found.place], found.path)
    named = type_of(found.path).kind
    return {
        "name": visible(found.label or posixpath.basename(found.path)),
        "path": visible(found.path),
        "whole_path": visible(path),
        "size": "" if found.size is None else str(filesizeformat(found.size)),
        "modified": None if found.modified is None else moment_of(found.modified),
        "icon": {"image": "picture", "table": "table"}.get(
            named, "file" if named in ("text", "unknown") else "report"
        ),
        "href": run_address(run.pk, found.path, found.place),
        **content_address(request, Link(path, run=run.pk)),
    }
