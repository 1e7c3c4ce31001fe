"""The first page: what needs a person, what runs, what ended, how the last weeks went, and how long queues are.

Everything is read by index from a bounded number of rows, or from the sums by day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from pipeline_management.choices import HOLDABLE_STATES, OPEN_STATES, Desired, RunState
from pipeline_management.models import Run, System
from pipeline_management.policy import may_submit
from pipeline_management.querysets import RunQuerySet
from pipeline_management.services.usage import budgets, reading, waits
from pipeline_management.services.usage.periods import Period
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.live import fragment, marked
from pipeline_management.views.usage_words import drawn

ROWS = 8
WEEK = timedelta(days=7)
FAILED_LATELY = timedelta(days=3)
"""For how long a failed run that nobody has tried again waits for a person."""
COURSE_DAYS = 30
CANDIDATES_OPEN = 5_000
CANDIDATES_ENDED = 500
AT_ONCE = 150
"""Origins asked for in one query: of over 200 values MariaDB guesses how many rows each has, and reads the table."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One of the runs that ended lately."""

    finished_at: datetime
    pk: UUID
    state: str
    system_id: int
    submitted_at: datetime | None
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Open:
    """The open runs, newest first, by what they need."""

    troubled: list[UUID]
    held: list[UUID]
    others: list[UUID]


def _sections(request: PageRequest) -> dict[str, object]:
    seen = Run.objects.visible_to(request.user)
    open_runs, ended = _open(seen), _ended(seen)
    failed = _failed(ended)
    queue = [*open_runs.troubled, *open_runs.held, *failed][:ROWS]
    shown = _by_keys(seen, [*queue, *open_runs.others[:ROWS], *[one.pk for one in ended[:ROWS]]])
    since = timezone.now() - WEEK
    counted = _counts(seen, since)
    standings = [one for one in budgets.seen_by(request.user) if one.threshold]
    return {
        "attention": [shown[key] for key in queue if key in shown],
        "troubled": len(open_runs.troubled),
        "held": len(open_runs.held),
        "failed": len(failed),
        "standings": [(one, budgets.pace(one)) for one in standings],
        "open_runs": [shown[key] for key in open_runs.others[:ROWS] if key in shown],
        "finished": [shown[one.pk] for one in ended[:ROWS] if one.pk in shown],
        "counts": [
            (state, counted.get(state, 0)) for state in RunState if state is not RunState.DRAFT
        ],
        "total": sum(counted.values()),
        "since": timezone.localdate(since),
        "failed_since": timezone.localdate(timezone.now() - FAILED_LATELY),
        "course": _course(request),
        "waits": _waits(ended),
        "now": timezone.now(),
    }


def _counts(seen: RunQuerySet, since: datetime) -> dict[str, int]:
    # all states, named: so the index by state and time is read, and no row for an administrator
    lately = seen.filter(created_at__gte=since, state__in=list(RunState))
    by_state = lately.order_by().values_list("state")
    return dict(by_state.annotate(number=Count("pk")).values_list("state", "number"))


def _by_keys(seen: RunQuerySet, keys: list[UUID]) -> dict[UUID, Run]:
    """These runs with what a list shows."""
    return {run.pk: run for run in seen.for_lists().filter(pk__in=keys)}


def _open(seen: RunQuerySet) -> Open:
    """Found by state alone and sorted here: with an order in the query, databases walk through all runs
    by their time to find the few open ones.
    """
    columns = ("created_at", "pk", "attention", "desired", "state")
    found = seen.filter(state__in=OPEN_STATES).order_by().values_list(*columns)
    rows = sorted(found[:CANDIDATES_OPEN], reverse=True)
    result = Open([], [], [])
    for _at, pk, attention, desired, state in rows:
        is_held = desired == Desired.HOLD and state in HOLDABLE_STATES
        (result.troubled if attention else result.held if is_held else result.others).append(pk)
    return result


def _ended(seen: RunQuerySet) -> list[Ended]:
    """The newest ``CANDIDATES_ENDED`` runs that are over, those that ended last first.

    There is no index by the time of the end; sorting the runs of years for eight rows takes seconds. For
    the same reason the state is not asked for: its index would be taken instead of the one by time.
    """
    ended = seen.filter(finished_at__isnull=False).order_by("-created_at", "-id")
    columns = ("finished_at", "pk", "state", "system_id", "submitted_at", "started_at")
    found = [Ended(*row) for row in ended.values_list(*columns)[:CANDIDATES_ENDED]]
    return sorted(found, key=lambda one: (one.finished_at, one.pk), reverse=True)


def _failed(ended: list[Ended]) -> list[UUID]:
    """Runs that failed lately and that nobody has submitted again or resumed."""
    since = timezone.now() - FAILED_LATELY
    keys = [one.pk for one in ended if one.state == RunState.FAILED and one.finished_at >= since]
    if not keys:
        return []
    repeated: set[UUID | None] = set()
    for first in range(0, len(keys), AT_ONCE):
        again = Run.objects.filter(origin_id__in=keys[first : first + AT_ONCE]).order_by()
        repeated.update(again.values_list("origin_id", flat=True))
    return [key for key in keys if key not in repeated]


def _course(request: PageRequest) -> object:
    """How the runs of the last days ended; None where none did."""
    last = budgets.today()
    period = Period(last - timedelta(days=COURSE_DAYS - 1), last)
    counters = ("runs", "succeeded", "failed", "cancelled")
    steps = reading.course(reading.seen_by(request.user, period), counters)
    if not any(step.sums.runs for step in steps):
        return None
    return drawn(steps, reading.Measure.RUNS, period)


def _waits(ended: list[Ended]) -> list[tuple[str, waits.Waits]]:
    found = waits.by_system((one.system_id, one.submitted_at, one.started_at) for one in ended)
    names = dict(
        System.objects.filter(pk__in=[one.system_id for one in found]).values_list("pk", "name")
    )
    return [(names[one.system_id], one) for one in found if one.system_id in names]


@page()
def dashboard(request: PageRequest) -> HttpResponseBase:
    """The dashboard; asked for by htmx, only its live part."""
    context = _sections(request)
    if request.htmx:
        return fragment(request, "pages/dashboard_live.html", context)
    text, _ = marked(request, "pages/dashboard_live.html", context)
    return render(
        request, "pages/dashboard.html", {"live_html": text, "may_submit": may_submit(request.user)}
    )
