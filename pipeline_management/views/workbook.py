"""Workbooks on pages: the template of a version, and what an uploaded one says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from pipeline_management.errors import (
    DomainError,
    InvalidRequest,
    NotAllowed,
    Problem,
    TooLarge,
    Unavailable,
)
from pipeline_management.forms.submit import version_choices
from pipeline_management.policy import may_submit
from pipeline_management.services.workbook import taking
from pipeline_management.services.workbook.process import MAX_FILE
from pipeline_management.services.workbook.template import CONTENT_TYPE, file_name, template
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.form_state import version_named

ACTIONS = ("check", "marked")


@page()
def download(request: PageRequest, name: str) -> HttpResponseBase:
    """The template of a version (``?version=``, the latest without) as xlsx; ``?example=1`` fills it. 404 for
    what the viewer may not run."""
    wanted = request.GET.get("version", "")
    version = version_named(request, f"{name}@{wanted}" if wanted else name)
    if version is None:
        raise Http404
    data = template(version, example=request.GET.get("example") == "1")
    return _attachment(data, file_name(version))


@page("GET", "HEAD", "POST")
def workbook(request: PageRequest) -> HttpResponseBase:
    """GET with ``?pipeline=``: on to its template. POST: check the file, or give it back with its faults marked."""
    if request.method == "POST":
        return _posted(request)
    reference = request.GET.get("pipeline", "")
    if not reference:
        return _page(request, {})
    if version_named(request, reference) is None:
        return _refused(request, _("Choose the pipeline whose template you want."), 400)
    name, _at, wanted = reference.partition("@")
    query = {
        key: value
        for key, value in (("version", wanted), ("example", request.GET.get("example")))
        if value
    }
    address = reverse("pipeline-workbook", args=[name])
    return redirect(f"{address}?{urlencode(query)}" if query else address)


def _posted(request: PageRequest) -> HttpResponseBase:
    if not may_submit(request.user):
        return _refused(request, _("You may submit in the name of no lab."), 403)
    action = request.POST.get("action", "check")
    if action not in ACTIONS:
        return _refused(request, f"action is {action[:40]!r}; expected check or marked.", 400)
    upload = request.FILES.get("workbook")
    if not isinstance(upload, UploadedFile):
        return _refused(request, _("Choose the workbook, a file that ends in .xlsx."), 400)
    data = upload.read(MAX_FILE + 1)
    try:
        taken = taking.take(request.user, data, request.POST.get("pipeline", "")[:200])
        if action == "marked":
            marked = taking.marked(data, taken.problems, taken.cells)
            return _attachment(marked, _marked_name(upload.name or ""))
    except DomainError as error:
        return _answer(request, error)
    context = {"taken": taken, "file_name": upload.name}
    return _page(request, context, status=400 if taken.problems else 200)


def _answer(request: PageRequest, error: DomainError) -> HttpResponseBase:
    status = 400
    for kind, code in ((TooLarge, 413), (NotAllowed, 403), (Unavailable, 503)):
        if isinstance(error, kind):
            status = code
    problems = error.problems if isinstance(error, InvalidRequest) else [Problem("", error.message)]
    return _page(request, {"refused": problems}, status=status)


def _refused(request: PageRequest, message: str, status: int) -> HttpResponse:
    return _page(request, {"refused": [Problem("", message)]}, status=status)


def _page(request: PageRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """The result for the tab of the submission page, whose script shows it whatever it says (200), or for
    browsers without scripts a page of its own."""
    if request.htmx:
        return render(request, "submit/workbook_result.html", context)
    choices = [(name, options) for name, options in version_choices(request.user) if name]
    context = {
        **context,
        "pipelines": choices,
        "may_submit": may_submit(request.user),
        "chosen": request.GET.get("pipeline", ""),
    }
    return render(request, "submit/workbook_page.html", context, status=status)


def _marked_name(name: str) -> str:
    """``x.xlsx`` becomes ``x-marked.xlsx``; what a header does not take is left out."""
    stem = name.removesuffix(".xlsx").removesuffix("-marked")
    kept = "".join(c for c in stem if c.isascii() and (c.isalnum() or c in "._- "))
    return f"{kept.strip()[:100] or 'workbook'}-marked.xlsx"


def _attachment(data: bytes, name: str) -> HttpResponse:
    return HttpResponse(
        data,
        content_type=CONTENT_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )
