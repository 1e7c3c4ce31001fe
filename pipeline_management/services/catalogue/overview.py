"""How pipelines have fared of late: read from the sums by day, never from the runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.contrib.auth.models import User
from django.db.models import Max, Sum
from django.utils import timezone

from pipeline_management.models import UsageDay

DAYS = 30


@dataclass(frozen=True, slots=True)
class Record:
    """Of the runs that ended in the last ``DAYS`` days and that the viewer sees."""

    runs: int
    succeeded: int
    failed: int
    last_day: date | None

    @property
    def success_percent(self) -> int | None:
        """Of those that succeeded or failed; None where there is none (cancelled runs say nothing)."""
        judged = self.succeeded + self.failed
        return round(100 * self.succeeded / judged) if judged else None


def records(user: User) -> dict[int, Record]:
    """By the pipeline's primary key; a pipeline without runs is absent. One query."""
    since = timezone.now().date() - timedelta(days=DAYS)
    rows = (
        UsageDay.objects.visible_to(user)
        .filter(day__gte=since, pipeline__isnull=False)
        .order_by()
        .values("pipeline_id")
        .annotate(ended=Sum("runs"), good=Sum("succeeded"), bad=Sum("failed"), last=Max("day"))
    )
    return {
        row["pipeline_id"]: Record(row["ended"], row["good"], row["bad"], row["last"])
        for row in rows
    }
