"""A run's directories on the system, for everybody who may see the run."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.choices import RunState
from pipeline_management.errors import DomainError, Missing
from pipeline_management.file_names import absolute, tail_of, visible
from pipeline_management.models import Run
from pipeline_management.services.file_places import (
    Place,
    directory,
    is_no_directory,
    place_of_run,
    roots_of,
)
from pipeline_management.services.previews.links import Link
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.file_parts import (
    fault_context,
    listing,
    preview_context,
)
from pipeline_management.views.file_rows import View, row, run_address, shown
from pipeline_management.views.run_head import head_context


@page()
def files(request: PageRequest, pk: uuid.UUID, path: str = "") -> HttpResponseBase:
    """A directory or file below the run's directory, or with ``?in=work`` below the one that the pipeline works in.

    The page comes first and asks for its part then, as in the file browser.
    """
    run = visible_run(request, pk)
    wanted = tail_of(request, 3)
    relative = absolute(wanted).lstrip("/")
    number = 1 if request.GET.get("in") == "work" and len(roots_of(run)) > 1 else 0
    if relative != wanted.rstrip("/"):
        return redirect(_with_query(request, run_address(run.pk, relative)))
    frame = _frame(run, relative, number)
    whole = not request.htmx or request.htmx.history_restore_request
    status = 200
    if whole and "now" not in request.GET:
        part_url = _with_query(request, run_address(run.pk, relative))
        frame |= {"kind": "wait", "part_url": part_url}
    else:
        try:
            place = place_of_run(run)
            frame |= _not_yet() if _is_new(run) else _part(request, place, run, relative, number)
        except DomainError as error:
            frame |= fault_context(_worded(run, relative, error))
        status = frame.get("status", 200) if whole else 200
    if not whole:
        return render(request, "files/part.html", frame, status=status)
    context = head_context(request, run, "files") | frame
    return render(request, "runs/files.html", context, status=status)


def _with_query(request: PageRequest, where: str) -> str:
    query = request.GET.urlencode()
    return f"{where}?{query}" if query else where


def _worded(run: Run, relative: str, error: DomainError) -> DomainError:
    """Nobody needs to know where a directory is missing that the run has not made yet."""
    if isinstance(error, Missing) and not relative and not run.submitted_at:
        return _no_directory()
    return error


def _no_directory() -> Missing:
    return Missing(_("The run has not been submitted yet, so it has no directory."))


def _is_new(run: Run) -> bool:
    """Whether nothing of the run can be on its system, so that there is nothing to ask."""
    before = (RunState.DRAFT, RunState.QUEUED)
    return run.state in before and not run.work_directory and not run.attempts.exists()


def _not_yet() -> dict[str, Any]:
    return {**fault_context(_no_directory()), "not_yet": True}


def _frame(run: Run, relative: str, number: int) -> dict[str, Any]:
    root = roots_of(run)[number]
    top = _("Where the pipeline works") if number else _("The run's directory")
    crumbs = [(top, run_address(run.pk, "", number))]
    at = ""
    for name in relative.split("/") if relative else []:
        at = posixpath.join(at, name)
        crumbs.append((visible(name), run_address(run.pk, at, number)))
    above = None
    if relative:
        above = run_address(run.pk, posixpath.dirname(relative), number)
    return {
        "run": run,
        "system": run.system.name,
        "path": visible(posixpath.join(root, relative)),
        "title": visible(posixpath.basename(relative)) or run.name or str(run.pk)[:8],
        "name": visible(posixpath.basename(relative)) or top,
        "crumbs": crumbs,
        "parent": above,
        "here": run_address(run.pk, relative),
        "in_work": number == 1,
        "in_query": "&in=work" if number else "",
        "two_places": len(roots_of(run)) > 1,
        "places": [run_address(run.pk, "", one) for one in range(len(roots_of(run)))],
    }


def _part(
    request: PageRequest, place: Place, run: Run, relative: str, number: int
) -> dict[str, Any]:
    """A directory, or where it is none, the file."""
    path = posixpath.join(place.roots[number], relative)
    try:
        found = directory(place, path)
    except DomainError as error:
        if not is_no_directory(error):
            raise
        context = preview_context(request, place, path, Link(path, run=run.pk))
        return {"kind": "run-file"} | context
    view = View.of(request.GET, {"in": "work"} if number else {})
    page_of_rows, hidden = shown(found.entries, view)
    rows = [
        row(one, run_address(run.pk, posixpath.join(relative, one.name), number))
        for one in page_of_rows
    ]
    return {"kind": "run-list", "rows": rows, **listing(view, page_of_rows, hidden)}
