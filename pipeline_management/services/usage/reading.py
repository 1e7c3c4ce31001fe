"""Usage added up for people to look at: by person, pipeline, system, month or lab, and over time.

Everything is read from ``UsageDay``: a bounded number of queries, whatever the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Sum, TextChoices
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Lab
from accounts.policy import Viewer
from pipeline_management.models import UsageDay
from pipeline_management.querysets import UsageDayQuerySet
from pipeline_management.services.usage.counting import COUNTERS
from pipeline_management.services.usage.periods import Period

MOST_ROWS = 500
"""Rows of one table; those with the most core hours. The sum below it is of all."""
HOUR = 3600


class Group(TextChoices):
    PERSON = "person", gettext_lazy("Person")
    PIPELINE = "pipeline", gettext_lazy("Pipeline")
    SYSTEM = "system", gettext_lazy("System")
    MONTH = "month", gettext_lazy("Month")
    LAB = "lab", gettext_lazy("Lab")


class Measure(TextChoices):
    CORE = "core", gettext_lazy("Core hours")
    GPU = "gpu", gettext_lazy("GPU hours")
    RUNS = "runs", gettext_lazy("Runs")
    FAILURES = "failures", gettext_lazy("Failure rate")
    WAIT = "wait", gettext_lazy("Mean waiting time")


@dataclass(frozen=True, slots=True)
class Sums:
    """Counters of ``UsageDay`` added up. Times in seconds; a rate or mean is None where nothing is known."""

    runs: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    core_seconds: int = 0
    gpu_seconds: int = 0
    wait_seconds: int = 0
    elapsed_seconds: int = 0
    waited: int = 0
    measured: int = 0

    @property
    def core_hours(self) -> float:
        return self.core_seconds / HOUR

    @property
    def gpu_hours(self) -> float:
        return self.gpu_seconds / HOUR

    @property
    def failure_rate(self) -> float | None:
        """Failed runs among those that succeeded or failed: 0 to 1. A cancelled run says nothing about either."""
        ended = self.succeeded + self.failed
        return self.failed / ended if ended else None

    @property
    def mean_wait(self) -> float | None:
        return self.wait_seconds / self.waited if self.waited else None

    @property
    def unmeasured(self) -> int:
        """Runs whose core time nobody knows."""
        return self.runs - self.measured

    def of(self, measure: str) -> float | None:
        """The value of one measure."""
        values: dict[str, float | None] = {
            Measure.CORE: self.core_hours,
            Measure.GPU: self.gpu_hours,
            Measure.RUNS: self.runs,
            Measure.FAILURES: self.failure_rate,
            Measure.WAIT: self.mean_wait,
        }
        return values[measure]


@dataclass(frozen=True, slots=True)
class Row:
    """One person, pipeline, system, month or lab. ``key`` is its name in addresses (user name, pipeline's and
    system's name, "2026-11", slug), "" for job scripts and for runs of no lab; ``label`` is for people."""

    key: str
    label: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Step:
    """One day or month of a course."""

    day: date
    sums: Sums


_COLUMNS: dict[str, tuple[str, ...]] = {
    Group.PERSON: ("submitter__username",),
    Group.PIPELINE: ("pipeline__name",),
    Group.SYSTEM: ("system__name",),
    Group.MONTH: ("month",),
    Group.LAB: ("lab__slug", "lab__name"),
}
_SUMS = {f"{name}_sum": Sum(name) for name in COUNTERS}


def of(viewer: Viewer, period: Period, lab: Lab | None = None) -> UsageDayQuerySet:
    """The usage that the person answers for in the period, of one lab only where that is given."""
    rows = UsageDay.objects.reviewed_by(viewer).filter(day__range=(period.first, period.last))
    return rows if lab is None else rows.filter(lab=lab)


def by(group: str, rows: UsageDayQuerySet) -> list[Row]:
    """At most ``MOST_ROWS`` rows, the most core hours first; months in their order."""
    columns = _COLUMNS[group]
    if group == Group.MONTH:
        found = rows.annotate(month=TruncMonth("day")).values(*columns).annotate(**_SUMS)
        ordered = found.order_by("month")
    else:
        ordered = rows.values(*columns).annotate(**_SUMS).order_by("-core_seconds_sum", *columns)
    return [_row(group, row, columns) for row in ordered[:MOST_ROWS]]


def altogether(rows: UsageDayQuerySet) -> Sums:
    """The sum of all rows."""
    return _sums(rows.aggregate(**_SUMS))


def course(rows: UsageDayQuerySet, period: Period) -> list[Step]:
    """Day by day, or month by month where the period is long; days on which nothing ended are there too."""
    if period.by_month:
        found = rows.annotate(at=TruncMonth("day")).values("at").annotate(**_SUMS).order_by("at")
        known: dict[date, Mapping[str, Any]] = {row["at"]: row for row in found}
    else:
        daily = rows.values("day").annotate(**_SUMS).order_by("day")
        known = {row["day"]: row for row in daily}
    return [Step(day, _sums(known.get(day, {}))) for day in period.steps()]


def sorted_rows(rows: Iterable[Row], key: str) -> list[Row]:
    """By a measure's name or "name", with "-" in front the largest first. What is not known comes last."""
    reverse, name = key.startswith("-"), key.removeprefix("-")
    rows = list(rows)
    if name == "name":
        return sorted(rows, key=lambda row: row.label.lower(), reverse=reverse)
    known = [row for row in rows if row.sums.of(name) is not None]
    known.sort(key=lambda row: row.sums.of(name) or 0, reverse=reverse)
    return known + [row for row in rows if row.sums.of(name) is None]


def _row(group: str, row: Mapping[str, Any], columns: tuple[str, ...]) -> Row:
    value = row[columns[0]]
    if group == Group.MONTH:
        key = label = f"{value:%Y-%m}"
    elif value is None:
        key, label = "", _("Job scripts") if group == Group.PIPELINE else _("No lab")
    else:
        key, label = value, row[columns[-1]]
    return Row(key, label, _sums(row))


def _sums(row: Mapping[str, Any]) -> Sums:
    return Sums(**{name: int(row.get(f"{name}_sum") or 0) for name in COUNTERS})
