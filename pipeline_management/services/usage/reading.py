"""Usage added up for people to look at: by person, pipeline, system, month or lab, and over time.

Everything is read from ``UsageDay`` and, for the whole months of a period, from ``UsageMonth``: a bounded number
of queries, whatever the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, FloatField, Sum, TextChoices, Value
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Lab
from accounts.policy import Viewer, scope_of
from pipeline_management.models import COUNTERS, Pipeline, System, UsageDay, UsageMonth
from pipeline_management.querysets import UsageQuerySet
from pipeline_management.services.usage.counting import day_of
from pipeline_management.services.usage.periods import Period, month_of

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


def _sum(name: str) -> Sum:
    """The sum of a column, as a double: exact up to 2^53, and MariaDB adds whole numbers up as decimals, which takes
    twice as long."""
    return Sum(F(name) + Value(0.0), output_field=FloatField())


_SUMS = {f"{name}_sum": _sum(name) for name in COUNTERS}


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in a period of the usage that somebody may see: ``days`` and ``months`` are of any time."""

    period: Period
    days: UsageQuerySet
    months: UsageQuerySet

    def by_day(self) -> UsageQuerySet:
        """The rows of the period's days."""
        return _within(self.days, self.period)

    def parts(self) -> list[tuple[int, UsageQuerySet]]:
        """All of it in few rows, each part with its sign: the months, with the days that come to them before and
        after, or that are too many (-1) where those are fewer."""
        months = self.period.whole_months(day_of(timezone.now()))
        if months is None:
            return [(1, self.by_day())]
        found, first, last = [], months.first, months.last
        for edge in self.period.without(months):
            month = month_of(edge.first)
            (rest,) = month.without(edge)
            if edge.days <= rest.days:
                found.append((1, _within(self.days, edge)))
            else:
                found.append((-1, _within(self.days, rest)))
                first, last = min(first, month.first), max(last, month.last)
        return [(1, _within(self.months, Period(first, last))), *found]

    def grouped(self, *columns: str) -> dict[Any, Sums]:
        """The sums by what stands in a column, or in several: then by a tuple."""
        return _grouped(self.parts(), columns)


def _within(rows: UsageQuerySet, period: Period) -> UsageQuerySet:
    return rows.filter(day__range=(period.first, period.last)).order_by()


def of(viewer: Viewer, period: Period, lab: Lab | None = None) -> Counted:
    """The usage that the person answers for in the period, of one lab only where that is given."""
    scope = scope_of(viewer)
    tables = [table.objects.reviewed_by(viewer, scope) for table in (UsageDay, UsageMonth)]
    days, months = tables if lab is None else [rows.filter(lab=lab) for rows in tables]
    return Counted(period, days, months)


def seen_by(viewer: Viewer, period: Period) -> Counted:
    """The usage of the runs that the person sees."""
    days, months = (table.objects.visible_to(viewer) for table in (UsageDay, UsageMonth))
    return Counted(period, days, months)


def of_labs(labs: Iterable[int], period: Period) -> Counted:
    """The usage of labs by primary key, whoever may see it."""
    keys = list(labs)
    days, months = (table.objects.filter(lab_id__in=keys) for table in (UsageDay, UsageMonth))
    return Counted(period, days, months)


def by(group: str, counted: Counted) -> list[Row]:
    """At most ``MOST_ROWS`` rows, the most core hours first; months in their order."""
    if group == Group.MONTH:
        return _month_rows(_by_month(counted))
    return _rows(group, counted.grouped(_COLUMNS[group][0]))


def by_and_course(group: str, counted: Counted) -> tuple[list[Row], list[Step]]:
    """``by`` and ``course`` together: those of a long period cost one look at it and not two."""
    if not counted.period.by_month:
        return by(group, counted), course(counted)
    if group == Group.MONTH:
        months = _by_month(counted)
        return _month_rows(months), _steps(counted, months)
    found = counted.grouped(_COLUMNS[group][0], "day")
    rows: dict[Any, list[Sums]] = {}
    days: dict[date, list[Sums]] = {}
    for (value, day), sums in found.items():
        rows.setdefault(value, []).append(sums)
        days.setdefault(day, []).append(sums)
    months = _months({day: added(sums) for day, sums in days.items()})
    return _rows(group, {value: added(sums) for value, sums in rows.items()}), _steps(
        counted, months
    )


def _rows(group: str, found: Mapping[Any, Sums]) -> list[Row]:
    # by number, with the names asked for afterwards: joined to every row they cost several times as much
    _column, model, names = _COLUMNS[group]
    most = sorted(found, key=lambda pk: (-found[pk].core_seconds, pk or 0))[:MOST_ROWS]
    named = model.objects.filter(pk__in=[pk for pk in most if pk is not None])
    known = {pk: (key, label) for pk, key, label in named.values_list("pk", *names)}
    nothing = ("", _("Job scripts") if group == Group.PIPELINE else _("No lab"))
    return [Row(*known.get(pk, nothing), found[pk]) for pk in most]


def _month_rows(months: Mapping[date, Sums]) -> list[Row]:
    rows = [Row(f"{day:%Y-%m}", f"{day:%Y-%m}", months[day]) for day in sorted(months)]
    return rows[:MOST_ROWS]


def altogether(counted: Counted) -> Sums:
    """The sum of all of it."""
    return added(_sums(rows.aggregate(**_SUMS), sign) for sign, rows in counted.parts())


def course(counted: Counted, counters: Sequence[str] = COUNTERS) -> list[Step]:
    """Day by day, or month by month where the period is long; days on which nothing ended are there too. Of days
    only the ``counters`` are added up."""
    long = counted.period.by_month
    known = _by_month(counted) if long else _grouped([(1, counted.by_day())], ["day"], counters)
    return _steps(counted, known)


def _steps(counted: Counted, known: Mapping[date, Sums]) -> list[Step]:
    return [Step(day, known.get(day, Sums())) for day in counted.period.steps()]


def added(sums: Iterable[Sums]) -> Sums:
    """Their sum."""
    total = dict.fromkeys(COUNTERS, 0)
    for one in sums:
        for name in COUNTERS:
            total[name] += getattr(one, name)
    return Sums(**total)


def _grouped(
    parts: Iterable[tuple[int, UsageQuerySet]],
    columns: Sequence[str],
    counters: Sequence[str] = COUNTERS,
) -> dict[Any, Sums]:
    """The sums by what stands in the columns. A sum of many rows costs as much as finding them."""
    wanted = {f"{name}_sum": _SUMS[f"{name}_sum"] for name in counters}
    found: dict[Any, list[Sums]] = {}
    for sign, rows in parts:
        for row in rows.values(*columns).annotate(**wanted):
            key = tuple(row[name] for name in columns)
            found.setdefault(key if len(key) > 1 else key[0], []).append(_sums(row, sign))
    together = {value: added(sums) for value, sums in found.items()}
    return {value: sums for value, sums in together.items() if sums != Sums()}


def _by_month(counted: Counted) -> dict[date, Sums]:
    return _months(counted.grouped("day"))


def _months(days: Mapping[date, Sums]) -> dict[date, Sums]:
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


def _sums(row: Mapping[str, Any], sign: int) -> Sums:
    return Sums(**{name: sign * int(row.get(f"{name}_sum") or 0) for name in COUNTERS})
