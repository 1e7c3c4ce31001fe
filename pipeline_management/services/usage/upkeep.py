"""Keep the sums by day and month right: what is off is added up anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta

from django.db.models import Max, Min
from django.utils import timezone

from pipeline_management.models import RunUsage, UsageDay
from pipeline_management.services import leases
from pipeline_management.services.usage import counting, pending

logger = logging.getLogger(__name__)

LATELY = 35
"""Days whose sums are looked through each night: a month and what was collected late."""


def mend_lately() -> None:
    """Mend the sums of the last days, unless another process is at it; find ended runs without a row."""
    with leases.holding() as holder:
        if not leases.take_named("sweep:usage", holder):
            return
        try:
            pending.note_missing(timezone.now() - timedelta(days=LATELY))
            today = counting.day_of(timezone.now())
            wrong = counting.rebuild(days_between(today - timedelta(days=LATELY), today))
            if wrong:
                logger.warning("usage: %s sums of the last days were wrong and are mended", wrong)
        finally:
            leases.release_named("sweep:usage", holder)


def days_between(first: date, last: date) -> Iterator[date]:
    """Both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def span() -> tuple[date, date] | None:
    """The first and the last day on which anything is counted; None where nothing is."""
    found = [
        day
        for table in (RunUsage, UsageDay)
        for day in table.objects.aggregate(first=Min("day"), last=Max("day")).values()
        if day is not None
    ]
    return (min(found), max(found)) if found else None
