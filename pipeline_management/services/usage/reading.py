"""Usage added up for people to look at: by person, pipeline, system, month or lab, and over time.

Everything is read from ``UsageDay``: a bounded number of queries, whatever the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Sum, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Lab
from accounts.policy import Viewer
from pipeline_management.models import Pipeline, System, UsageDay
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


_COLUMNS: dict[str, tuple[str, Any, tuple[str, str]]] = {
    Group.PERSON: ("submitter_id", User, ("username", "username")),
    Group.PIPELINE: ("pipeline_id", Pipeline, ("name", "name")),
    Group.SYSTEM: ("system_id", System, ("name", "name")),
    Group.LAB: ("lab_id", Lab, ("slug", "name")),
}
_SUMS = {f"{name}_sum": Sum(name) for name in COUNTERS}


def of(viewer: Viewer, period: Period, lab: Lab | None = None) -> UsageDayQuerySet:
    """The usage that the person answers for in the period, of one lab only where that is given."""
    rows = UsageDay.objects.reviewed_by(viewer).filter(day__range=(period.first, period.last))
    return rows if lab is None else rows.filter(lab=lab)


def by(group: str, rows: UsageDayQuerySet) -> list[Row]:
    """At most ``MOST_ROWS`` rows, the most core hours first; months in their order."""
    if group == Group.MONTH:
        months = _by_month(_by_day(rows))
        return [Row(f"{day:%Y-%m}", f"{day:%Y-%m}", months[day]) for day in sorted(months)][
            :MOST_ROWS
        ]
    column, model, names = _COLUMNS[group]
    # by number, with the names asked for afterwards: joined to every row they cost several times as much
    found = rows.values(column).annotate(**_SUMS).order_by("-core_seconds_sum", column)[:MOST_ROWS]
    sums = {row[column]: _sums(row) for row in found}
    named = model.objects.filter(pk__in=[pk for pk in sums if pk is not None])
    known = {pk: (key, label) for pk, key, label in named.values_list("pk", *names)}
    nothing = ("", _("Job scripts") if group == Group.PIPELINE else _("No lab"))
    return [Row(*known.get(pk, nothing), sums[pk]) for pk in sums]


def altogether(rows: UsageDayQuerySet) -> Sums:
    """The sum of all rows."""
    return _sums(rows.aggregate(**_SUMS))


def course(rows: UsageDayQuerySet, period: Period) -> list[Step]:
    """Day by day, or month by month where the period is long; days on which nothing ended are there too."""
    known = _by_day(rows)
    if period.by_month:
        known = _by_month(known)
    return [Step(day, known.get(day, Sums())) for day in period.steps()]


def added(sums: Iterable[Sums]) -> Sums:
    """Their sum."""
    total = dict.fromkeys(COUNTERS, 0)
    for one in sums:
        for name in COUNTERS:
            total[name] += getattr(one, name)
    return Sums(**total)


def _by_day(rows: UsageDayQuerySet) -> dict[date, Sums]:
    found = rows.values("day").annotate(**_SUMS).order_by("day")
    return {row["day"]: _sums(row) for row in found}


def _by_month(days: Mapping[date, Sums]) -> dict[date, Sums]:
    """By the first day of each month. Added up here: a database would format the day of every row."""
    months: dict[date, list[Sums]] = {}
    for day, sums in days.items():
        months.setdefault(day.replace(day=1), []).append(sums)
    return {month: added(parts) for month, parts in months.items()}


def sorted_rows(rows: Iterable[Row], key: str) -> list[Row]:
    """By a measure's name or "name", with "-" in front the largest first. What is not known comes last."""
    reverse, name = key.startswith("-"), key.removeprefix("-")
    rows = list(rows)
    if name == "name":
        return sorted(rows, key=lambda row: row.label.lower(), reverse=reverse)
    known = [row for row in rows if row.sums.of(name) is not None]
    known.sort(key=lambda row: row.sums.of(name) or 0, reverse=reverse)
    return known + [row for row in rows if row.sums.of(name) is None]


def _sums(row: Mapping[str, Any]) -> Sums:
    return Sums(**{name: int(row.get(f"{name}_sum") or 0) for name in COUNTERS})
