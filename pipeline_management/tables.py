"""The table of runs and the bounded counting of its pages."""

from __future__ import annotations

from functools import cached_property

import django_tables2 as tables
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from pipeline_management.models import Run

PER_PAGE = 50
COUNT_LIMIT = 10_000


class BoundedPaginator(Paginator):
    """Counts at most ``COUNT_LIMIT`` rows, so that a list of a million runs costs no full count.

    ``more`` says that there are rows beyond the limit; they are reached by narrowing the filter.
    """

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        data = getattr(rows, "data", rows)
        if isinstance(data, QuerySet):
            return int(data.order_by()[: COUNT_LIMIT + 1].count())
        return len(data)

    @cached_property
    def count(self) -> int:
        """Number of rows that the pages cover."""
        return min(self._counted, COUNT_LIMIT)

    @property
    def more(self) -> bool:
        """Whether there are more rows than the pages cover."""
        return self._counted > COUNT_LIMIT


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
    submitter = tables.Column(verbose_name=_("Submitter"), order_by=("submitter__username", "-created_at"))
    lab = tables.Column(verbose_name=_("Lab"), order_by=("lab__name", "-created_at"))
    system = tables.Column(verbose_name=_("System"), order_by=("system__name", "-created_at"))
    created = tables.Column(
        verbose_name=_("Submitted"), accessor="created_at", order_by=("created_at", "id")
    )
    ended = tables.Column(verbose_name=_("Ended"), accessor="finished_at", order_by=("finished_at", "id"))

    class Meta:
        model = Run
        fields = ()
        sequence = ("state", "name", "pipeline", "submitter", "lab", "system", "created", "ended")
        order_by = ("-created",)
        template_name = "runs/table.html"
