"""The table of runs and the bounded counting of its pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import django_tables2 as tables
from django.core.paginator import Paginator
from django.utils.translation import gettext_lazy as _

from pipeline_management import run_sequences
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.rows_in_time import RowCount
from pipeline_management.run_sequences import ActiveFirst, ByTime, RunData, SortedNewest

PER_PAGE = 50
PAGE_SIZES = (25, 50, 100)


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
        return self._rows.counted(max(1, self.wanted) * self.per_page)

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
        if self.is_sorted_in_part:
            return True
        return self.more and self._counted.number >= run_sequences.COUNT_LIMIT

    @property
    def is_sorted_in_part(self) -> bool:
        """Whether there are others that were left out before these were sorted."""
        return self.more and isinstance(self._rows, SortedNewest)

    @cached_property
    def _rows(self) -> RunData:
        rows: Any = self.object_list
        while not isinstance(rows, RunData):
            rows = rows.data  # django-tables2 wraps them
        return rows


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


def table_data(runs: RunQuerySet, names: Sequence[str]) -> RunData:
    """The runs as the table shows them, sorted by columns (with "-" in front: the other way round).

    Only the order of submission has an index over all runs.
    """
    if not names:
        return ActiveFirst(runs)
    if names[0].lstrip("-") == "created":
        return ByTime(runs, oldest_first=not names[0].startswith("-"))
    orders: list[str] = []
    for name in names:
        of_column = RunTable.base_columns[name.lstrip("-")].order_by
        orders += of_column.opposite if name.startswith("-") else of_column
    return SortedNewest(runs, orders)
