"""Stars, labels and notes of one run. Each answers a fragment to htmx, and leads back to the run without it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from pipeline_management.errors import DomainError, Missing
from pipeline_management.models import Run
from pipeline_management.policy import may_annotate
from pipeline_management.services import marks
from pipeline_management.templatetags.run_annotations import annotation_context
from pipeline_management.views.access import PageRequest, page, visible_run


def _answer(request: PageRequest, run: Run, fault: str = "", status: int = 200) -> HttpResponseBase:
    if request.htmx:
        context = {**annotation_context(run, request.user), "fault": fault}
        return render(request, "runs/annotations.html", context)
    if fault:
        context = {**annotation_context(run, request.user), "fault": fault}
        return render(request, "runs/annotations_page.html", context, status=status)
    return redirect("run-detail", run.pk)


@page("POST")
def star(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Give the run one's star (``on`` = yes) or take it away; anybody who sees the run may."""
    run = visible_run(request, pk)
    wanted = request.POST.get("on") == "yes"
    try:
        marks.star(request.user, [run.pk], on=wanted)
    except DomainError as error:
        messages.error(request, error.message)
        wanted = False
    if request.htmx:
        form = "many-form" if request.POST.get("form") == "many-form" else "star-form"
        return render(request, "runs/star.html", {"run": run, "starred": wanted, "star_form": form})
    if "back" in request.POST:
        back = QueryDict(request.POST["back"][:2000]).urlencode()
        return redirect(reverse("runs") + (f"?{back}" if back else ""))
    return redirect("run-detail", run.pk)


@page("GET", "HEAD", "POST")
def labels(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Stick the labels in ``add`` (separated by blanks or commas) on the run and take those in ``remove`` off.

    GET shows the run's labels and notes.
    """
    run = visible_run(request, pk)
    if request.method != "POST":
        if request.htmx:
            return _answer(request, run)
        return render(request, "runs/annotations_page.html", annotation_context(run, request.user))
    added = request.POST.get("add", "")[:1000].replace(",", " ").split()
    try:
        marks.label_run(
            run, request.user, add=added, remove=request.POST.getlist("remove")[:50]
        )
    except DomainError as error:
        return _answer(request, run, error.message, 400 if may_annotate(request.user, run) else 403)
    return _answer(request, run)


@page("POST")
def add_note(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Write a note (``text``) on the run."""
    run = visible_run(request, pk)
    try:
        marks.add_note(run, request.user, request.POST.get("text", ""))
    except DomainError as error:
        return _answer(request, run, error.message, 400 if may_annotate(request.user, run) else 403)
    return _answer(request, run)


@page("POST")
def delete_note(request: PageRequest, pk: uuid.UUID, note_id: int) -> HttpResponseBase:
    """Take back a note of one's own."""
    run = visible_run(request, pk)
    try:
        marks.delete_note(run, request.user, note_id)
    except DomainError as error:
        return _answer(request, run, error.message, 404 if isinstance(error, Missing) else 403)
    return _answer(request, run)
