"""Runs in the orders in which lists show them, of which only what is asked for is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload
from uuid import UUID

from django.db.models import QuerySet
from django_tables2.data import TableData

from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.row_counts import RowCount, count_soon

COUNT_LIMIT = 1_000
"""Runs that the pages of a list reach."""
SORTED_HERE = 500


def newest_rows(
    runs: QuerySet[Run], counted: RowCount, *fields: str
) -> list[tuple[Any, ...]] | QuerySet[Run, tuple[Any, ...]]:
    """Time of submission, primary key and ``fields`` of the runs, newest first, of which so many are ``counted``.

    A few are sorted here: asked for them in this order, MariaDB walks through all runs by their time to find them.
    """
    wanted = ("created_at", "pk", *fields)
    if counted.is_all and counted.number <= SORTED_HERE:
        rows = runs.order_by().values_list(*wanted)
        return sorted(rows, key=lambda row: row[:2], reverse=True)
    return runs.order_by("-created_at", "-id").values_list(*wanted)


class RunData(TableData, ABC):
    """A sequence of runs of which only what is asked for is read: a subclass says which come, and in which order."""

    def __init__(self, runs: RunQuerySet) -> None:
        self.runs = runs.order_by("-created_at", "-id")
        super().__init__(self.runs)

    def order_by(self, aliases: object) -> None:
        """Nothing: the order is what this is for."""

    @abstractmethod
    def counted(self, needed: int) -> RowCount:
        """See ``row_counts.count_soon``."""

    @abstractmethod
    def keys(self, first: int, last: int) -> list[UUID]:
        """The primary keys of the runs from one place to another."""

    @property
    def _plain(self) -> RunQuerySet:
        return self.runs.prefetch_related(None)

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
        rows = {run.pk: run for run in self.runs.filter(pk__in=ids)} if ids else {}
        return [rows[pk] for pk in ids if pk in rows]


class ActiveFirst(RunData):
    """Runs that are not over, newest first, then the others likewise.

    An index by state and one by time give the two parts; no index gives the whole. Of more than ``MOST_ACTIVE``
    runs that are not over the list is by time alone.
    """

    MOST_ACTIVE = 1000

    def __init__(self, runs: RunQuerySet) -> None:
        self._rest = RowCount(COUNT_LIMIT, False)
        super().__init__(runs)

    @cached_property
    def _active(self) -> list[UUID]:
        unfinished = [state for state in RunState if state not in TERMINAL_STATES]
        active = self._plain.filter(state__in=unfinished)
        found = list(active.values_list("pk", flat=True)[: self.MOST_ACTIVE + 1])
        return found if len(found) <= self.MOST_ACTIVE else []

    @cached_property
    def _found(self) -> list[UUID] | None:
        """The keys of all runs, up to one over ``COUNT_LIMIT``, where a search says that only so many can fit that
        asking for them costs less than counting them first; else None."""
        at_most = self.runs.at_most
        if at_most is None:
            return None
        if at_most > SORTED_HERE:
            ids = self._others.values_list("pk", flat=True)
            return [*self._active, *ids[: COUNT_LIMIT + 1 - len(self._active)]]
        newest = newest_rows(self._plain, RowCount(at_most, True), "state")
        rows = sorted(newest, key=lambda row: RunState(row[2]).is_terminal)
        return [pk for _at, pk, _state in rows]

    @property
    def _others(self) -> RunQuerySet:
        return self._plain.filter(state__in=TERMINAL_STATES) if self._active else self._plain

    def counted(self, needed: int) -> RowCount:
        if self._found is not None:
            number = len(self._found)
            return RowCount(min(number, COUNT_LIMIT), number <= COUNT_LIMIT)
        active = len(self._active)
        rest = max(0, COUNT_LIMIT - active)
        self._rest = found = count_soon(self._others, limit=rest, needed=max(0, needed - active))
        number = active + found.number
        return RowCount(min(number, COUNT_LIMIT), found.is_all and number <= COUNT_LIMIT)

    def keys(self, first: int, last: int) -> list[UUID]:
        if self._found is not None:
            return self._found[first:last]
        ids = self._active[first:last]
        active = len(self._active)
        if last > active:
            others = newest_rows(self._others, self._rest)
            ids += [row[1] for row in others[max(0, first - active) : last - active]]
        return ids


class SortedNewest(RunData):
    """The newest ``COUNT_LIMIT`` runs in another order: to put a million in order takes seconds, whatever the index.

    Where even so many take long to be found, those that are found soon, ``LEAST`` at the least. ``orders`` are
    paths to fields, "-" in front for the last first; what is empty comes before everything, as in a database.
    """

    LEAST = 200

    def __init__(self, runs: RunQuerySet, orders: Sequence[str]) -> None:
        self.orders = orders
        super().__init__(runs)

    @cached_property
    def _newest(self) -> tuple[list[tuple[Any, ...]], RowCount]:
        """The runs with what they are sorted by, of each relation its key."""
        local = [order.removeprefix("-").partition("__") for order in self.orders]
        fields = [f"{name}_id" if rest else name for name, _, rest in local]
        if self.runs.at_most is not None:
            few = RowCount(
                self.runs.at_most, True
            )  # is sorted here, where it is few enough for that
            found = newest_rows(self._plain, few, *fields)[: COUNT_LIMIT + 1]
            number = len(found)
            known = RowCount(min(number, COUNT_LIMIT), number <= COUNT_LIMIT)
            return list(found[:COUNT_LIMIT]), known
        counted = count_soon(self._plain, limit=COUNT_LIMIT, needed=self.LEAST)
        return list(newest_rows(self._plain, counted, *fields)[: counted.number]), counted

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
            rows = _in_order(rows, place, values, reverse=order.startswith("-"))
        return [row[1] for row in rows]

    def counted(self, needed: int) -> RowCount:
        return self._newest[1]

    def keys(self, first: int, last: int) -> list[UUID]:
        return self._sorted[first:last]


def _in_order(
    rows: list[tuple[Any, ...]], place: int, values: dict[Any, Any], *, reverse: bool
) -> list[tuple[Any, ...]]:
    """The rows by what stands in one place of each, as ``values`` says how it is shown."""
    keys = {value: _sort_key(shown) for value, shown in values.items()}
    return sorted(rows, key=lambda row: keys[row[place]], reverse=reverse)


def _sort_key(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else value
