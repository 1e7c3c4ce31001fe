"""Counting so far as it is soon done, on both databases."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet

from pipeline_management import row_counts, run_sequences
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.row_counts import RowCount, count_soon
from pipeline_management.run_sequences import ActiveFirst, newest_rows
from pipeline_management.tables import BoundedPaginator
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs() -> RunQuerySet:
    for number in range(7):
        factories.make_run(state="running" if number % 3 == 0 else "succeeded")
    return Run.objects.order_by("-created_at", "-id")


@pytest.fixture
def time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(rows: QuerySet[Run], seconds: float | None) -> int:
        if seconds is not None:
            raise TimeoutError
        return rows.count()

    monkeypatch.setattr(row_counts, "_count_in_time", never)


def test_all_are_counted_up_to_the_limit(runs: RunQuerySet) -> None:
    assert count_soon(runs, limit=10, needed=2) == RowCount(7, True)
    assert count_soon(runs, limit=7, needed=2) == RowCount(7, True)
    assert count_soon(runs, limit=6, needed=2) == RowCount(6, False)
    assert count_soon(runs.none(), limit=6, needed=2) == RowCount(0, True)


def test_a_limit_of_time_is_mariadb_s_and_ends_with_the_count(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "mysql":
        assert count_soon(runs, limit=5, needed=2) == RowCount(5, False)
        return
    for name in ("FIRST", "LATER", "SOON"):
        monkeypatch.setattr(row_counts, name, 0.000001)
    slow = runs.extra(where=["SLEEP(0.01) = 0"])
    assert count_soon(slow, limit=5, needed=5) == RowCount(5, False), "counted without the limit"
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_statement_time, @@global.max_statement_time")
        own, usual = cursor.fetchone()
    assert own == usual


def test_the_others_are_left_where_counting_them_takes_long(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(rows: QuerySet[Run], seconds: float | None) -> int:
        if rows.query.high_mark == 11:
            raise TimeoutError
        return rows.count()

    monkeypatch.setattr(row_counts, "_count_in_time", slow)
    assert count_soon(runs, limit=10, needed=2) == RowCount(2, False)
    assert count_soon(runs, limit=10, needed=8) == RowCount(7, True)


@pytest.mark.usefixtures("time_is_up")
def test_only_what_is_needed_where_counting_takes_long(runs: RunQuerySet) -> None:
    assert count_soon(runs, limit=10, needed=2) == RowCount(2, False)
    assert count_soon(runs, limit=10, needed=7) == RowCount(7, True)
    assert count_soon(runs, limit=3, needed=7) == RowCount(3, False)


def test_a_fault_of_the_database_stays_one(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(rows: object, seconds: float | None) -> int:
        raise OperationalError(2006, "gone")

    monkeypatch.setattr(row_counts, "_count_in_time", fails)
    with pytest.raises(OperationalError):
        count_soon(runs, limit=10, needed=2)


@pytest.mark.usefixtures("time_is_up")
@pytest.mark.parametrize("active_first", [True, False])
def test_pages_go_on_while_there_is_more(runs: RunQuerySet, active_first: bool) -> None:
    seen = []
    for number in range(1, 5):
        rows = ActiveFirst(runs) if active_first else runs
        paginator = BoundedPaginator(rows, 2, number)
        page = paginator.get_page(number)
        seen += list(page)
        assert page.has_next() == (number < 4)
        assert paginator.more == (number < 4)
        assert not paginator.is_cut
    assert len(set(seen)) == 7
    if active_first:
        assert [run.state for run in seen] == ["running"] * 3 + ["succeeded"] * 4


@pytest.mark.parametrize("active_first", [True, False])
def test_no_page_is_beyond_the_limit(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch, active_first: bool
) -> None:
    monkeypatch.setattr(run_sequences, "COUNT_LIMIT", 5)
    paginator = BoundedPaginator(ActiveFirst(runs) if active_first else runs, 2, 99)
    assert (paginator.count, paginator.known, paginator.is_cut) == (5, 5, True)
    assert paginator.num_pages == 3
    assert len(list(paginator.get_page(99))) == 1


def test_few_and_many_come_in_the_same_order(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = list(newest_rows(runs, RowCount(7, True)))
    assert few == list(newest_rows(runs, RowCount(7, False)))
    monkeypatch.setattr(run_sequences, "SORTED_HERE", 3)
    assert few == list(newest_rows(runs, RowCount(7, True)))


@pytest.mark.parametrize("at_most", [7, 600])
def test_where_few_can_fit_they_are_asked_for_and_not_counted_first(
    runs: RunQuerySet, at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ActiveFirst(runs)
    expected = [run.pk for run in plain[:]]
    monkeypatch.setattr(run_sequences, "count_soon", None)  # calling it would fail
    known = runs.all()
    known.at_most = at_most
    rows = ActiveFirst(known)
    assert rows.counted(2) == RowCount(7, True)
    assert [run.pk for run in rows[:]] == expected
    assert [run.pk for run in rows[2:5]] == expected[2:5]
    monkeypatch.setattr(run_sequences, "COUNT_LIMIT", 5)
    assert ActiveFirst(known).counted(2) == RowCount(5, False)
