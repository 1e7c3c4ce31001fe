"""The first page: what needs a person, what runs, what ended, and the week in numbers."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from pipeline_management.choices import OPEN_STATES, TERMINAL_STATES, RunState
from pipeline_management.models import Run
from pipeline_management.policy import may_submit
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.live import fragment, marked

ROWS = 8
WEEK = timedelta(days=7)


def _sections(request: PageRequest) -> dict[str, object]:
    seen = Run.objects.visible_to(request.user)
    rows = seen.for_lists()
    since = timezone.now() - WEEK
    counted = dict(
        seen.filter(created_at__gte=since)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
        .values_list("state", "number")
    )
    return {
        "attention": rows.filter(state__in=OPEN_STATES).exclude(attention="")[:ROWS],
        "open_runs": rows.filter(state__in=OPEN_STATES, attention="")[:ROWS],
        "finished": rows.filter(state__in=TERMINAL_STATES).order_by("-finished_at", "-id")[:ROWS],
        "counts": [
            (state, counted.get(state, 0)) for state in RunState if state is not RunState.DRAFT
        ],
        "total": sum(counted.values()),
        "since": timezone.localdate(since),
        "now": timezone.now(),
    }


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
