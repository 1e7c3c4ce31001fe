"""The first page: what needs a person, what runs, what ended, and the week in numbers."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Count
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from pipeline_management.choices import OPEN_STATES, RunState
from pipeline_management.models import Run
from pipeline_management.policy import may_submit
from pipeline_management.querysets import RunQuerySet
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.live import fragment, marked

ROWS = 8
WEEK = timedelta(days=7)
CANDIDATES_OPEN = 5_000
CANDIDATES_ENDED = 500


def _sections(request: PageRequest) -> dict[str, object]:
    seen = Run.objects.visible_to(request.user)
    attention, open_runs = _open(seen)
    since = timezone.now() - WEEK
    counted = dict(
        seen.filter(created_at__gte=since)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
        .values_list("state", "number")
    )
    return {
        "attention": attention,
        "open_runs": open_runs,
        "finished": _last_ended(seen),
        "counts": [
            (state, counted.get(state, 0)) for state in RunState if state is not RunState.DRAFT
        ],
        "total": sum(counted.values()),
        "since": timezone.localdate(since),
        "now": timezone.now(),
    }


def _by_keys(seen: RunQuerySet, keys: list[UUID]) -> list[Run]:
    """These runs with what a list shows, in the order of the keys."""
    rows = {run.pk: run for run in seen.for_lists().filter(pk__in=keys)}
    return [rows[key] for key in keys if key in rows]


def _open(seen: RunQuerySet) -> tuple[list[Run], list[Run]]:
    """Open runs, newest first: those that need attention, and the others.

    Found by state alone and sorted here: with an order in the query, databases walk through all runs
    by their time to find the few open ones.
    """
    found = seen.filter(state__in=OPEN_STATES).order_by()
    keys = sorted(found.values_list("created_at", "pk", "attention")[:CANDIDATES_OPEN], reverse=True)
    attention = [pk for _at, pk, flag in keys if flag][:ROWS]
    others = [pk for _at, pk, flag in keys if not flag][:ROWS]
    rows = _by_keys(seen, attention + others)
    return [run for run in rows if run.pk in attention], [run for run in rows if run.pk in others]


def _last_ended(seen: RunQuerySet) -> list[Run]:
    """The runs that ended last among the newest ``CANDIDATES_ENDED``.

    There is no index by the time of the end; sorting the runs of years for eight rows takes seconds. For
    the same reason the state is not asked for: its index would be taken instead of the one by time.
    """
    ended = seen.filter(finished_at__isnull=False)
    newest = ended.order_by("-created_at", "-id").values_list("finished_at", "pk")
    keys = sorted(newest[:CANDIDATES_ENDED], reverse=True)[:ROWS]
    return _by_keys(seen, [pk for _at, pk in keys])


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
