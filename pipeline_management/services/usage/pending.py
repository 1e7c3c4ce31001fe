"""What is still to be asked of accounting. Written down with the end of a run itself, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from pipeline_management.choices import TERMINAL_STATES
from pipeline_management.models import Run, RunEvent, RunUsage

PATIENCE = timedelta(days=1)
"""For how long after its end a run's accounting is asked for: as long as slurmdbd may be away."""
_FIRST = 2.0
_LONGEST = 3600.0


def note_ends(events: Iterable[RunEvent]) -> None:
    """Write down which of these new events are a run's end, in the caller's transaction: one query for all of
    them, none where there is no end."""
    ended = [event for event in events if event.to_state in TERMINAL_STATES]
    if ended:
        due = [RunUsage(run_id=event.run_id, next_at=event.at) for event in ended]
        RunUsage.objects.bulk_create(due, ignore_conflicts=True)


def due() -> QuerySet[RunUsage]:
    """The rows for which accounting is to be asked now."""
    return RunUsage.objects.filter(next_at__lte=Now())


def next_try(tries: int, finished_at: datetime | None) -> datetime | None:
    """When to ask again after so many tries: seconds later at first (sacct lags by less than one when it is
    well, measured), then an hour; None once ``PATIENCE`` is over."""
    now = timezone.now()
    pause = timedelta(seconds=min(_FIRST * 4 ** min(max(tries, 1) - 1, 8), _LONGEST))
    last = (finished_at or now) + PATIENCE
    return now + pause if now + pause <= last else None


def note_missing(since: datetime | None = None) -> int:
    """Write down ended runs that have no row at all: those that ended before usage was kept. How many."""
    runs = Run.objects.filter(state__in=TERMINAL_STATES, usage__isnull=True).order_by()
    if since is not None:
        runs = runs.filter(finished_at__gte=since)
    made, now = 0, timezone.now()
    while True:
        keys = list(runs.values_list("pk", flat=True)[:500])
        if not keys:
            return made
        rows = [RunUsage(run_id=pk, next_at=now) for pk in keys]
        RunUsage.objects.bulk_create(rows, ignore_conflicts=True)
        made += len(keys)
