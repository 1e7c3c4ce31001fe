"""The head of every page of a run: its name, its state and what can be done with it, and the tabs.

A page of a run renders ``runs/head.html`` with its own context, ``run``, ``tab`` and ``head_context``.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Count
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from pipeline_management.choices import TERMINAL_STATES, Desired, RunState, TaskState
from pipeline_management.models import Run
from pipeline_management.policy import may_cancel, may_submit
from pipeline_management.services import failure
from pipeline_management.services.presentation import explain, last_confirmation
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.live import fragment, marked
from pipeline_management.views.run_control import actions

TABS = ("overview", "tasks", "log", "files", "reports", "configuration", "usage", "events")
_BAR = (
    TaskState.COMPLETE,
    TaskState.SKIPPED,
    TaskState.FAILED,
    TaskState.CANCELLED,
    TaskState.RUNNING,
    TaskState.PENDING,
    TaskState.NEW,
)
"""The order of the parts of the progress bar: what is done stands on the left."""


def state_context(request: PageRequest, run: Run) -> dict[str, Any]:
    """Where the run is and what its viewer can do; a few queries, none of them to the system."""
    confirmed_at, source = last_confirmation(run)
    open_ = RunState(run.state) not in TERMINAL_STATES
    return {
        "run": run,
        "open": open_,
        "over": not open_,
        "cancelling": open_ and run.desired == Desired.CANCEL,
        "confirmed_at": confirmed_at,
        "confirmed_source": source,
        "explanation": explain(run),
        "failure": failure.look(run),
        "tiles": task_tiles(run),
        "may_cancel": open_ and run.desired != Desired.CANCEL and may_cancel(request.user, run),
        "may_submit": may_submit(request.user),
        **actions(request, run),
        "elapsed": _elapsed(run),
        "now": timezone.now(),
    }


def head_context(request: PageRequest, run: Run, tab: str) -> dict[str, Any]:
    """What ``runs/head.html`` needs on the page of ``tab`` (one of ``TABS``); a few queries.

    ``run`` is from ``visible_run``: its version, lab, submitter, system and account are selected along.
    """
    context = {**state_context(request, run), "tab": tab, "chosen": _chosen(request, tab)}
    live, _mark = marked(request, "runs/head_live.html", context)
    return {**context, "head_html": live, "token": uuid.uuid4()}


def _chosen(request: PageRequest, tab: str) -> TaskState | None:
    """The state to which the page of the tasks is narrowed down."""
    state = request.GET.get("state", "") if tab == "tasks" else ""
    return TaskState(state) if state in TaskState.values else None


def task_tiles(run: Run) -> list[dict[str, Any]]:
    """The run's tasks by state: its value, label and colour, how many, and where its part of the bar begins
    and how long it is, both of 1000. [] for a run that reports no tasks. One query, over the run's own tasks."""
    if not run.tasks_total:
        return []
    found = run.tasks.order_by().values("state").annotate(number=Count("pk"))
    counts = {row["state"]: row["number"] for row in found}
    total = sum(counts.values())
    tiles, done = [], 0
    for state in _BAR:
        number = counts.get(state, 0)
        if not number:
            continue
        begin, end = 1000 * done // total, 1000 * (done + number) // total
        done += number
        tiles.append(
            {
                "state": state.value,
                "label": state.label,
                "colour": state.colour,
                "ended": state.is_over,
                "number": number,
                "begin": begin,
                "length": max(end - begin, 3),
            }
        )
    return tiles


@page()
def head(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The live part of the head on the page of ``?tab=``; 204 while the page shows it already, 400 for no tab."""
    run = visible_run(request, pk)
    tab = request.GET.get("tab", "")
    if tab not in TABS:
        text = _("tab: expected one of %(tabs)s") % {"tabs": ", ".join(TABS)}
        return HttpResponse(f"{text}\n", status=400, content_type="text/plain; charset=utf-8")
    context = {**state_context(request, run), "tab": tab, "chosen": _chosen(request, tab)}
    return fragment(request, "runs/head_live.html", context)


def _elapsed(run: Run) -> float | None:
    """Seconds that the job ran; nothing while it runs, where a script counts on."""
    if run.started_at is None or run.ended_at is None:
        return None
    return (run.ended_at - run.started_at).total_seconds()
