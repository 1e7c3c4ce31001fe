"""Runs in the orders in which lists show them, of which only what is asked for is read."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload
from uuid import UUID

from django.db.models import QuerySet
from django_tables2.data import TableData

from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Run, RunWord
from pipeline_management.querysets import RunQuerySet
from pipeline_management.rows_in_time import Row, RowCount, first_rows, in_time

COUNT_LIMIT = 1_000
"""Runs that the pages of a list reach."""
SORTED_HERE = 500
LATEST_HITS, MOST_OF_LATEST = 1_000, 200
"""Words of the newest runs of a search in which a page of it is looked for first, and the last row for which it is."""
_BESIDE = ("version__pipeline", "lab", "submitter", "system", "account", "labels")


def by_time(
    runs: RunQuerySet, *fields: str, needed: int, limit: int, oldest_first: bool = False
) -> tuple[list[Row], RowCount]:
    """Time of submission, primary key and ``fields`` of the runs in the order of time, at least ``needed`` of them,
    and how many there are; see ``first_rows``.

    Where a search says that only so many can fit, asking for all costs less than looking how many come soon.
    """
    rows = _in_order(runs, *fields, oldest_first=oldest_first)

    def sort(found: list[Row]) -> list[Row]:
        return sorted(found, key=lambda row: row[:2], reverse=not oldest_first)

    if runs.at_most is not None and runs.at_most <= SORTED_HERE:
        # asked for a few in this order, MariaDB walks through all runs by their time to find them
        return _cut(sort(list(rows.order_by())), limit)
    if runs.hits is None:
        return first_rows(rows, sort, needed=needed, limit=limit)
    if needed <= MOST_OF_LATEST and not oldest_first:
        found, number = _among_latest(runs.hits, rows, limit)
        if number.is_all or len(found) > needed:
            return found, number
    found_again = _in_order(runs.by_hits(), *fields, oldest_first=oldest_first)
    return _cut(list(found_again[: limit + 1]), limit)


def _among_latest(
    hits: QuerySet[RunWord], rows: QuerySet[Run, Row], limit: int
) -> tuple[list[Row], RowCount]:
    """Those among the newest hits of a search: an index gives these, while putting them all in order takes long."""
    newest = hits.order_by("-created_at").values_list("run_id", flat=True)
    keys = list(newest[:LATEST_HITS])
    found, number = _cut(list(rows.filter(pk__in=set(keys))[: limit + 1]), limit)
    return found, RowCount(number.number, number.is_all and len(keys) < LATEST_HITS)


def _cut(found: list[Row], limit: int) -> tuple[list[Row], RowCount]:
    return found[:limit], RowCount(min(len(found), limit), len(found) <= limit)


def _in_order(
    runs: RunQuerySet, *fields: str, oldest_first: bool = False
) -> QuerySet[Run, tuple[Any, ...]]:
    order = ("created_at", "id") if oldest_first else ("-created_at", "-id")
    return runs.order_by(*order).values_list("created_at", "pk", *fields)


class RunData(TableData, ABC):
    """A sequence of runs of which only what is asked for is read: a subclass says which come, and in which order."""

    def __init__(self, runs: RunQuerySet) -> None:
        self.runs = runs
        super().__init__(runs)

    def order_by(self, aliases: object) -> None:
        """Nothing: the order is what this is for."""

    @abstractmethod
    def counted(self, needed: int) -> RowCount:
        """How many there are, at least as far as ``needed``, at most as far as ``COUNT_LIMIT``."""

    @abstractmethod
    def keys(self, first: int, last: int) -> list[UUID]:
        """The primary keys of the runs from one place to another."""

    @cached_property
    def _length(self) -> int:
        return self.counted(COUNT_LIMIT).number

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Run]:
        return iter(self[:])

    @overload
    def __getitem__(self, wanted: int) -> Run: ...

    @overload
    def __getitem__(self, wanted: slice) -> list[Run]: ...

    def __getitem__(self, wanted: int | slice) -> Run | list[Run]:
        if isinstance(wanted, int):
            return self[wanted : wanted + 1][0]
        ids = self.keys(wanted.start or 0, len(self) if wanted.stop is None else wanted.stop)
        rows = _rows_of_lists(ids) if ids else {}
        return [rows[pk] for pk in ids if pk in rows]


def _rows_of_lists(ids: Sequence[UUID]) -> dict[UUID, Run]:
    """Runs with what a row of the list shows. By key alone: the search was answered when the keys were found."""
    runs = Run.objects.filter(pk__in=ids).defer("configuration_json", "script")
    return {run.pk: run for run in runs.prefetch_related(*_BESIDE)}


class ByTime(RunData):
    """Runs by the time of their submission."""

    def __init__(self, runs: RunQuerySet, *, oldest_first: bool) -> None:
        self.oldest_first = oldest_first
        self._rows: list[Row] = []
        super().__init__(runs)

    def counted(self, needed: int) -> RowCount:
        self._rows, number = by_time(
            self.runs, needed=needed, limit=COUNT_LIMIT, oldest_first=self.oldest_first
        )
        return number

    def keys(self, first: int, last: int) -> list[UUID]:
        if last > len(self._rows):
            self.counted(last)
        return [row[1] for row in self._rows[first:last]]


class ActiveFirst(RunData):
    """Runs that are not over, newest first, then the others likewise.

    An index by state and one by time give the two parts; no index gives the whole. Of more than ``MOST_ACTIVE``
    runs that are not over the list is by time alone.
    """

    MOST_ACTIVE = 1000

    def __init__(self, runs: RunQuerySet) -> None:
        self._rest: list[Row] = []
        super().__init__(runs)

    @cached_property
    def _active(self) -> list[UUID]:
        unfinished = [state for state in RunState if state not in TERMINAL_STATES]
        active = _in_order(self.runs.filter(state__in=unfinished))
        found = [pk for _at, pk in active[: self.MOST_ACTIVE + 1]]
        return found if len(found) <= self.MOST_ACTIVE else []

    @cached_property
    def _few(self) -> list[UUID] | None:
        """The keys of all runs, up to one over ``COUNT_LIMIT``, where a search says that few can fit; else None."""
        if self.runs.at_most is None or self.runs.at_most > SORTED_HERE:
            return None
        newest, _number = by_time(self.runs, "state", needed=COUNT_LIMIT + 1, limit=COUNT_LIMIT + 1)
        rows = sorted(newest, key=lambda row: RunState(row[2]).is_terminal)
        return [pk for _at, pk, _state in rows]

    @property
    def _others(self) -> RunQuerySet:
        return self.runs.filter(state__in=TERMINAL_STATES) if self._active else self.runs

    def counted(self, needed: int) -> RowCount:
        if self._few is not None:
            number = len(self._few)
            return RowCount(min(number, COUNT_LIMIT), number <= COUNT_LIMIT)
        active = len(self._active)
        self._rest, found = by_time(
            self._others, needed=max(0, needed - active), limit=max(0, COUNT_LIMIT - active)
        )
        number = active + found.number
        return RowCount(min(number, COUNT_LIMIT), found.is_all and number <= COUNT_LIMIT)

    def keys(self, first: int, last: int) -> list[UUID]:
        if self._few is not None:
            return self._few[first:last]
        if last > len(self._active) + len(self._rest):
            self.counted(last)
        return [*self._active, *(row[1] for row in self._rest)][first:last]


class SortedNewest(RunData):
    """The newest ``COUNT_LIMIT`` runs in another order: to put a million in order takes seconds, whatever the index.

    Where even so many take long to be found, as the first ``LEAST`` of them show, only these. ``orders`` are paths
    to fields, "-" in front for the last first; what is empty comes before everything, as in a database.
    """

    LEAST, QUICK, SOON = 200, 0.02, 0.06

    def __init__(self, runs: RunQuerySet, orders: Sequence[str]) -> None:
        self.orders = orders
        super().__init__(runs)

    @cached_property
    def _newest(self) -> tuple[list[Row], RowCount]:
        """The runs with what they are sorted by, of each relation its key."""
        local = [order.removeprefix("-").partition("__") for order in self.orders]
        fields = [f"{name}_id" if rest else name for name, _, rest in local]
        if self.runs.at_most is not None or self.runs.hits is not None:
            return by_time(self.runs, *fields, needed=COUNT_LIMIT, limit=COUNT_LIMIT)
        begun = time.perf_counter()
        few = min(self.LEAST, COUNT_LIMIT)
        least = by_time(self.runs, *fields, needed=few, limit=few)
        if least[1].is_all or time.perf_counter() - begun > self.QUICK:
            return least
        try:
            found = in_time(_in_order(self.runs, *fields)[: COUNT_LIMIT + 1], self.SOON)
        except TimeoutError:
            return least
        return _cut(found, COUNT_LIMIT)

    @cached_property
    def _sorted(self) -> list[UUID]:
        rows, _counted = self._newest
        for place, order in reversed(list(enumerate(self.orders, start=2))):
            name, _, path = order.removeprefix("-").partition("__")
            values = {row[place]: row[place] for row in rows}
            if path:
                related: Any = Run._meta.get_field(name).related_model
                named = related.objects.filter(pk__in=set(values)).values_list("pk", path)
                values |= dict(named)
            rows = _by_column(rows, place, values, reverse=order.startswith("-"))
        return [row[1] for row in rows]

    def counted(self, needed: int) -> RowCount:
        return self._newest[1]

    def keys(self, first: int, last: int) -> list[UUID]:
        return self._sorted[first:last]


def _by_column(rows: list[Row], place: int, values: dict[Any, Any], *, reverse: bool) -> list[Row]:
    """The rows by what stands in one place of each, as ``values`` says how it is shown."""
    keys = {value: _sort_key(shown) for value, shown in values.items()}
    return sorted(rows, key=lambda row: keys[row[place]], reverse=reverse)


def _sort_key(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else value
