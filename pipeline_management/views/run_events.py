"""What a run's job reports, on its page and on pages of its own: tasks, progress and the whole history."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from pipeline_management.choices import TaskState
from pipeline_management.models import Run, RunEvent, RunTask
from pipeline_management.timeline import Entry, timeline
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.run_head import head_context

SHOWN_TASKS = 20
SHOWN_REPORTS = 12
SHOWN_CHANGES = 60
"""What the run's page shows at most; the rest is a click away."""
PAGE = 100
_LOOKED_AT = 2000
"""Among so many of the newest events the page looks for messages."""
_FIRST = (
    TaskState.FAILED,
    TaskState.RUNNING,
    TaskState.CANCELLED,
    TaskState.PENDING,
    TaskState.NEW,
    TaskState.COMPLETE,
    TaskState.SKIPPED,
)
"""The order of tasks: what needs a look comes first."""


def progress_context(run: Run) -> dict[str, Any]:
    """The run's tasks and the newest of its history; at most three queries however much there is."""
    tasks = list(_sorted(run)[:SHOWN_TASKS]) if run.tasks_total else []
    entries, earlier = recent(run)
    return {
        "tasks": tasks,
        "more_tasks": run.tasks_total - len(tasks),
        "entries": entries,
        "earlier": earlier,
    }


def recent(run: Run) -> tuple[list[Entry], int]:
    """The changes of the run itself and the newest messages of its job, in their order; and how many other events
    there are."""
    own = list(run.events.filter(sender="").order_by("-seq")[:SHOWN_CHANGES])
    told: list[RunEvent] = []
    if run.event_seq > len(own):
        newest = run.events.exclude(sender="").exclude(type__in=("progress", "task"))
        told = list(
            newest.filter(seq__gt=run.event_seq - _LOOKED_AT).order_by("-seq")[:SHOWN_REPORTS]
        )
    shown = sorted([*own, *told], key=lambda event: event.seq)
    return timeline(run, shown), max(0, run.event_seq - len(shown))


def _sorted(run: Run) -> QuerySet[RunTask]:
    rank = Case(
        *[When(state=state, then=Value(number)) for number, state in enumerate(_FIRST)],
        default=Value(len(_FIRST)),
        output_field=IntegerField(),
    )
    return RunTask.objects.filter(run=run).order_by(rank, "pk")


@page()
def tasks(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The tasks of a run, a hundred a page (``?page=``), of one state with ``?state=``.

    A page that is not there is the nearest one; 400 for a state that there is not.
    """
    run = visible_run(request, pk)
    found = _sorted(run)
    state = request.GET.get("state", "")
    if state and state not in TaskState.values:
        return _wrong(
            _("state: expected one of %(names)s") % {"names": ", ".join(TaskState.values)}
        )
    if state:
        found = found.filter(state=state)
    shown = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {
        "run": run,
        "page": shown,
        "tasks": shown.object_list,
        **head_context(request, run, "tasks"),
    }
    return render(request, "runs/tasks_page.html", context)


@page()
def events(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The whole history of a run, newest first, a hundred a page; ``?before=`` goes on. 400 for a bad value."""
    run = visible_run(request, pk)
    given = request.GET.get("before", "")
    if given and not (given.isascii() and given.isdigit() and len(given) <= 10):
        return _wrong(_("before: expected the number of an event"))
    found = run.events.order_by("-seq")
    if given:
        found = found.filter(seq__lt=int(given))
    rows = list(found[: PAGE + 1])
    context = {
        "run": run,
        "entries": timeline(run, rows[:PAGE]),
        "older": rows[PAGE - 1].seq if len(rows) > PAGE else None,
        "newest": not given,
        **head_context(request, run, "events"),
    }
    return render(request, "runs/events_page.html", context)


def _wrong(sentence: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=400, content_type="text/plain; charset=utf-8")
