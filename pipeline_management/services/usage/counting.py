"""The one writer of ``RunUsage``, ``UsageDay`` and ``UsageMonth``: what a run has used, and the same added up.

Each run is counted once, under the UTC day of its end and that day's month. All are written in one transaction:
a run that is counted again first takes back what it had been counted with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from pipeline_management.choices import RunState
from pipeline_management.models import COUNTERS, Run, RunUsage, UsageDay, UsageMonth
from pipeline_management.services.transactions import atomically
from pipeline_management.services.usage.periods import month_of

MEASURED = (
    "wait_seconds", "elapsed_seconds", "cpus", "gpus", "nodes", "memory_mb", "walltime_seconds",
    "cpu_seconds", "max_memory_mb", "core_seconds", "gpu_seconds", "jobs", "source",
)  # fmt: skip
"""The columns of ``RunUsage`` that collecting fills in."""
_Table: TypeAlias = type[UsageDay] | type[UsageMonth]
_PLACE = ("lab_id", "submitter_id", "pipeline_id", "system_id")
_DIMENSIONS = (
    "run__lab_id", "run__submitter_id", "run__version__pipeline_id", "run__system_id",
)  # fmt: skip
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is counted: in a day, or in the month whose first day that is."""

    day: date
    lab: int | None
    submitter: int
    pipeline: int | None
    system: int

    @property
    def key(self) -> str:
        parts = (self.lab or "-", self.submitter, self.pipeline or "-", self.system)
        return "/".join((self.day.isoformat(), *map(str, parts)))

    @property
    def month(self) -> Place:
        return replace(self, day=self.day.replace(day=1))

    @property
    def columns(self) -> dict[str, Any]:
        return {
            "day": self.day, "lab_id": self.lab, "submitter_id": self.submitter,
            "pipeline_id": self.pipeline, "system_id": self.system,
        }  # fmt: skip


def day_of(moment: datetime) -> date:
    """The UTC day."""
    return moment.astimezone(UTC).date()


def record(found: Mapping[UUID, Mapping[str, Any]]) -> int:
    """Write what is known of these ended runs: run id -> columns of ``RunUsage`` (those of ``MEASURED`` and
    ``collected_at``, ``next_at``, ``tries``). Returns how many were written; a run that has no row or has not
    ended is left out.
    """
    return atomically(lambda: _record(found)) if found else 0


def _record(found: Mapping[UUID, Mapping[str, Any]]) -> int:
    rows = RunUsage.objects.select_for_update().filter(run_id__in=sorted(found)).order_by("pk")
    usages = {usage.run_id: usage for usage in rows}
    columns = (
        "pk",
        "state",
        "finished_at",
        "lab_id",
        "submitter_id",
        "version__pipeline_id",
        "system_id",
    )
    runs = Run.objects.filter(pk__in=list(usages), finished_at__isnull=False).values_list(*columns)
    changes: dict[Place, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    written = []
    for pk, state, finished_at, lab, submitter, pipeline, system in runs:
        usage = usages[pk]
        if usage.day is not None:
            _add(changes[Place(usage.day, lab, submitter, pipeline, system)], usage, state, -1)
        for name, value in found[pk].items():
            setattr(usage, name, value)
        usage.day = day_of(finished_at)
        _add(changes[Place(usage.day, lab, submitter, pipeline, system)], usage, state, 1)
        written.append(usage)
    names = {name for values in found.values() for name in values} | {"day"}
    if written:
        RunUsage.objects.bulk_update(written, sorted(names), batch_size=50)
    months: dict[Place, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    for place, change in changes.items():
        for name, value in change.items():
            months[place.month][name] += value
    # in one order everywhere: two that wait for each other's rows would both be lost
    for table, some in ((UsageDay, changes), (UsageMonth, months)):
        for place in sorted(some, key=lambda place: place.key):
            _shift(table, place, some[place])
    return len(written)


def _add(into: dict[str, int], usage: RunUsage, state: str, sign: int) -> None:
    into["runs"] += sign
    if state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED):
        into[str(state)] += sign
    for name in ("core_seconds", "gpu_seconds", "wait_seconds", "elapsed_seconds"):
        into[name] += sign * (getattr(usage, name) or 0)
    into["waited"] += sign * (usage.wait_seconds is not None)
    into["measured"] += sign * (usage.core_seconds is not None)


def _shift(table: _Table, place: Place, change: Mapping[str, int]) -> None:
    """Add to one row, which is made where it is not there yet."""
    if not any(change.values()):
        return
    rows = table.objects.filter(key=place.key)
    added = {name: F(name) + value for name, value in change.items() if value}
    if rows.update(**added):
        return
    try:
        with transaction.atomic():
            table.objects.create(key=place.key, **place.columns, **change)
    except IntegrityError:  # made by another process just now
        rows.update(**added)


# --- rebuilding ---------------------------------------------------------------------------------


def rebuild(days: Iterable[date]) -> int:
    """Add the days up anew from their runs, and their months from the days, and mend what differs; how many rows
    did. Runs that are recorded meanwhile are not lost: whoever comes later waits for the other's rows."""
    wrong, months = 0, set()
    for day in days:
        wrong += _rebuilt(UsageDay, day)
        months.add(day.replace(day=1))
    return wrong + sum(_rebuilt(UsageMonth, month) for month in sorted(months))


def _rebuilt(table: _Table, day: date) -> int:
    for _ in range(_TRIES - 1):
        try:
            return atomically(lambda: _rebuild(table, day))
        except IntegrityError:  # a row of that span was made between two of our questions
            continue
    return atomically(lambda: _rebuild(table, day))


def _rebuild(table: _Table, day: date) -> int:
    kept = {
        row.key: row for row in table.objects.select_for_update().filter(day=day).order_by("key")
    }
    added_up = _added_up(day) if table is UsageDay else _month_added_up(day)
    right = {place.key: (place, counts) for place, counts in added_up}
    wrong = 0
    for key, (place, counts) in right.items():
        row = kept.pop(key, None)
        if row is None:
            table.objects.create(key=key, **place.columns, **counts)
        elif any(getattr(row, name) != value for name, value in counts.items()):
            table.objects.filter(pk=row.pk).update(**counts)
        else:
            continue
        wrong += 1
    if kept:
        table.objects.filter(pk__in=[row.pk for row in kept.values()]).delete()
    return wrong + len(kept)


def _month_added_up(first: date) -> list[tuple[Place, dict[str, int]]]:
    month = month_of(first)
    rows = UsageDay.objects.filter(day__range=(month.first, month.last)).order_by().values(*_PLACE)
    sums = rows.annotate(**{f"{name}_sum": Sum(name) for name in COUNTERS})
    return [
        (
            Place(first, *(row[name] for name in _PLACE)),
            {name: int(row[f"{name}_sum"]) for name in COUNTERS},
        )
        for row in sums
    ]


def _added_up(day: date) -> list[tuple[Place, dict[str, int]]]:
    sums = {
        name: Coalesce(Sum(name), 0)
        for name in ("core_seconds", "gpu_seconds", "wait_seconds", "elapsed_seconds")
    }
    states = {
        str(state): Count("pk", filter=Q(run__state=state))
        for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)
    }
    rows = (
        RunUsage.objects.filter(day=day).order_by().values(*_DIMENSIONS)
        .annotate(runs=Count("pk"), waited=Count("wait_seconds"), measured=Count("core_seconds"), **states)
        .annotate(**{f"{name}_sum": value for name, value in sums.items()})
    )  # fmt: skip
    result = []
    for row in rows:
        place = Place(day, *(row[name] for name in _DIMENSIONS))
        counts = {name: int(row.get(name, row.get(f"{name}_sum", 0))) for name in COUNTERS}
        result.append((place, counts))
    return result
