"""The table of runs, its order, and the bounded counting of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, overload
from uuid import UUID

import django_tables2 as tables
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_tables2.data import TableData

from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.row_counts import RowCount, count_soon

PER_PAGE = 50
PAGE_SIZES = (25, 50, 100)
COUNT_LIMIT = 1_000
SORTED_HERE = 500


class BoundedPaginator(Paginator):
    """Counts at most ``COUNT_LIMIT`` rows, so that a list of a million runs costs no full count; where even that
    takes long, those of the pages up to ``wanted``, the number of the page that is asked for.

    ``more`` says that there are others; ``is_cut`` that no page reaches them and only a narrower filter does.
    """

    def __init__(self, rows: Any, per_page: int, wanted: int = 1) -> None:
        super().__init__(rows, per_page)
        self.wanted = wanted

    @cached_property
    def _counted(self) -> RowCount:
        needed = max(1, self.wanted) * self.per_page
        rows = self.object_list
        while not isinstance(rows, ActiveFirst | QuerySet) and hasattr(rows, "data"):
            rows = rows.data  # django-tables2 wraps them
        if isinstance(rows, ActiveFirst):
            return rows.counted(needed)
        if isinstance(rows, QuerySet):
            return count_soon(rows.prefetch_related(None), limit=COUNT_LIMIT, needed=needed)
        return RowCount(len(rows), True)

    @cached_property
    def count(self) -> int:
        """Number of rows that the pages cover; one more than the wanted page's where only that is known."""
        counted = self._counted
        reachable = counted.is_all or self.is_cut
        return counted.number if reachable else counted.number + 1

    @property
    def more(self) -> bool:
        """Whether there are more rows than ``known``."""
        return not self._counted.is_all

    @property
    def known(self) -> int:
        """Number of rows that there are at least."""
        return self._counted.number

    @property
    def is_cut(self) -> bool:
        """Whether no page reaches the others."""
        return self.more and self._counted.number >= COUNT_LIMIT


def newest_keys(runs: QuerySet[Run], counted: RowCount) -> list[UUID] | QuerySet[Run, UUID]:
    """The primary keys of the runs, newest first, of which so many are ``counted``.

    A few are sorted here: asked for them in this order, MariaDB walks through all runs by their time to find them.
    """
    if counted.is_all and counted.number <= SORTED_HERE:
        rows = sorted(runs.order_by().values_list("created_at", "pk"), reverse=True)
        return [pk for _at, pk in rows]
    return runs.order_by("-created_at", "-id").values_list("pk", flat=True)


class ActiveFirst(TableData):
    """Runs that are not over, newest first, then the others likewise: a sequence that reads only what is asked for.

    An index by state and one by time give the two parts; no index gives the whole. Of more than ``MOST_ACTIVE``
    runs that are not over the list is by time alone.
    """

    MOST_ACTIVE = 1000

    def __init__(self, runs: RunQuerySet) -> None:
        self.runs = runs.order_by("-created_at", "-id")
        self._rest = RowCount(COUNT_LIMIT, False)
        super().__init__(self.runs)

    def order_by(self, aliases: object) -> None:
        """Nothing: the order is what this is for."""

    @cached_property
    def _active(self) -> list[UUID]:
        unfinished = [state for state in RunState if state not in TERMINAL_STATES]
        active = self.runs.prefetch_related(None).filter(state__in=unfinished)
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
            ids = self._others.prefetch_related(None).values_list("pk", flat=True)
            return [*self._active, *ids[: COUNT_LIMIT + 1 - len(self._active)]]
        plain = self.runs.prefetch_related(None).order_by()
        rows = sorted(plain.values_list("created_at", "pk", "state"), reverse=True)
        rows.sort(key=lambda row: RunState(row[2]).is_terminal)
        return [pk for _at, pk, _state in rows]

    @property
    def _others(self) -> RunQuerySet:
        return self.runs.filter(state__in=TERMINAL_STATES) if self._active else self.runs

    def counted(self, needed: int) -> RowCount:
        """See ``row_counts.count_soon``."""
        if self._found is not None:
            number = len(self._found)
            return RowCount(min(number, COUNT_LIMIT), number <= COUNT_LIMIT)
        active = len(self._active)
        rest = max(0, COUNT_LIMIT - active)
        others = self._others.prefetch_related(None)
        self._rest = found = count_soon(others, limit=rest, needed=max(0, needed - active))
        number = active + found.number
        return RowCount(min(number, COUNT_LIMIT), found.is_all and number <= COUNT_LIMIT)

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
        first, last = wanted.start or 0, len(self) if wanted.stop is None else wanted.stop
        ids = self._keys(first, last) if self._found is None else self._found[first:last]
        rows = {run.pk: run for run in self.runs.filter(pk__in=ids)} if ids else {}
        return [rows[pk] for pk in ids if pk in rows]

    def _keys(self, first: int, last: int) -> list[UUID]:
        ids = self._active[first:last]
        active = len(self._active)
        if last > active:
            others = newest_keys(self._others.prefetch_related(None), self._rest)
            ids += others[max(0, first - active) : last - active]
        return ids


def _cell(name: str) -> dict[str, dict[str, str]]:
    return {"td": {"data-label": name}}


class RunTable(tables.Table):
    """Columns of the run list; what stands in the cells is in ``runs/row.html``."""

    state = tables.Column(verbose_name=_("State"), order_by=("state", "-created_at"))
    name = tables.Column(verbose_name=_("Run"), order_by=("name", "-created_at"))
    pipeline = tables.Column(
        verbose_name=_("Pipeline"),
        accessor="version__pipeline__name",
        order_by=("version__pipeline__name", "version__sort_key"),
    )
    submitter = tables.Column(
        verbose_name=_("Submitter"), order_by=("submitter__username", "-created_at")
    )
    lab = tables.Column(verbose_name=_("Lab"), order_by=("lab__name", "-created_at"))
    system = tables.Column(verbose_name=_("System"), order_by=("system__name", "-created_at"))
    created = tables.Column(
        verbose_name=_("Submitted"), accessor="created_at", order_by=("created_at", "id")
    )
    started = tables.Column(
        verbose_name=_("Started"), accessor="started_at", order_by=("started_at", "id")
    )
    ended = tables.Column(
        verbose_name=_("Ended"), accessor="finished_at", order_by=("finished_at", "id")
    )

    class Meta:
        model = Run
        fields = ()
        sequence = (
            "state",
            "name",
            "pipeline",
            "submitter",
            "lab",
            "system",
            "created",
            "started",
            "ended",
        )
        template_name = "runs/table.html"
