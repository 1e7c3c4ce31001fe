"""Runs sorted by any column: all of few, the newest of many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pipeline_management import run_sequences
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.rows_in_time import RowCount
from pipeline_management.run_sequences import ActiveFirst, SortedNewest
from pipeline_management.tables import BoundedPaginator, RunTable, table_data
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs() -> RunQuerySet:
    """Six, of which the first is the oldest: some started, none named in order."""
    now = timezone.now()
    for number, name in enumerate(("b", "Ab", "c", "aa", "", "B")):
        run = factories.make_run(name=name, state="running" if number % 2 else "succeeded")
        started = now - timedelta(hours=number) if number % 3 else None
        Run.objects.filter(pk=run.pk).update(
            created_at=now + timedelta(minutes=number), started_at=started
        )
    return Run.objects.all()


def names(runs: RunQuerySet, *orders: str) -> list[str]:
    return [run.name for run in table_data(runs, orders)[:]]


def test_sorted_by_columns(runs: RunQuerySet) -> None:
    assert names(runs, "name") == ["", "aa", "Ab", "B", "b", "c"]
    assert names(runs, "-name") == ["c", "b", "B", "Ab", "aa", ""], "capitals are no matter"
    assert names(runs, "started")[2:] == ["B", "", "c", "Ab"], "what has not started comes first"
    assert names(runs, "-started")[:4] == ["Ab", "c", "", "B"]
    assert [name.lower() for name in names(runs, "state")] == ["b", "aa", "ab", "", "c", "b"]
    assert names(runs, "created") == ["b", "Ab", "c", "aa", "", "B"]
    assert names(runs) == ["B", "aa", "Ab", "", "c", "b"], "those that go on first"


def test_every_column_sorts(runs: RunQuerySet) -> None:
    for name in RunTable.base_columns:
        for order in (name, f"-{name}"):
            data = table_data(runs.order_by("pk"), [order])
            assert len(data[:]) == 6
            assert len(data[2:4]) == 2


@pytest.mark.parametrize("at_most", [None, 6])
def test_of_many_the_newest_are_sorted_and_it_says_so(
    runs: RunQuerySet, at_most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_sequences, "COUNT_LIMIT", 4)
    monkeypatch.setattr(run_sequences, "SORTED_HERE", 3)
    runs = runs.all()
    runs.at_most = at_most
    data = table_data(runs, ["name"])
    assert isinstance(data, SortedNewest)
    assert [run.name for run in data[:]] == ["", "aa", "B", "c"]
    assert data.counted(2) == RowCount(4, False)
    paginator = BoundedPaginator(table_data(runs, ["name"]), 3)
    assert (paginator.is_sorted_in_part, paginator.is_cut, paginator.num_pages) == (True, True, 2)
    assert [run.name for run in paginator.page(2)] == ["c"]
    other = BoundedPaginator(ActiveFirst(runs), 3)
    assert (other.is_sorted_in_part, other.is_cut) == (False, True)


@pytest.mark.parametrize("slow_from_the_start", [True, False])
def test_where_finding_takes_long_at_least_so_many_are_sorted(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch, slow_from_the_start: bool
) -> None:
    def slow(rows: RunQuerySet, seconds: float | None) -> list[object]:
        raise TimeoutError

    if slow_from_the_start:
        monkeypatch.setattr(SortedNewest, "QUICK", 0)
    else:
        monkeypatch.setattr(run_sequences, "in_time", slow)
    monkeypatch.setattr(SortedNewest, "LEAST", 2)
    data = SortedNewest(runs, ["name"])
    assert [run.name for run in data[:]] == ["", "B"]
    assert BoundedPaginator(data, 5).is_sorted_in_part
