"""The first rows and their number, so far as both are soon known, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet

from pipeline_management import rows_in_time, run_sequences
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.rows_in_time import RowCount, in_time
from pipeline_management.run_sequences import ActiveFirst, ByTime, RunData, by_time
from pipeline_management.tables import BoundedPaginator
from tests import factories

pytestmark = pytest.mark.django_db
Rows = QuerySet[Run, Any]


@pytest.fixture
def runs() -> RunQuerySet:
    for number in range(7):
        factories.make_run(state="running" if number % 3 == 0 else "succeeded")
    return Run.objects.all()


def newest(runs: RunQuerySet) -> list[Any]:
    return list(runs.order_by("-created_at", "-id").values_list("pk", flat=True))


def slow_where(monkeypatch: pytest.MonkeyPatch, is_slow: Callable[[Rows], bool]) -> list[Rows]:
    """Time is up for those; the others are asked, and gathered."""
    asked: list[Rows] = []

    def answer(rows: Rows, ask: Callable[[], Any], seconds: float | None) -> Any:
        if seconds is not None and is_slow(rows):
            raise TimeoutError
        asked.append(rows)
        return ask()

    monkeypatch.setattr(rows_in_time, "_limited", answer)
    return asked


@pytest.fixture
def time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_where(monkeypatch, lambda rows: True)


def test_all_are_counted_up_to_the_limit(runs: RunQuerySet) -> None:
    everyone = newest(runs)
    for limit, needed, expected in (
        (10, 2, RowCount(7, True)),
        (7, 2, RowCount(7, True)),
        (6, 2, RowCount(6, False)),
        (10, 9, RowCount(7, True)),
        (2, 9, RowCount(2, False)),
        (0, 0, RowCount(0, False)),
    ):
        rows, count = by_time(runs, limit=limit, needed=needed)
        assert count == expected
        assert [row[1] for row in rows] == everyone[: min(limit, needed)]
    assert by_time(runs.none(), limit=6, needed=2) == ([], RowCount(0, True))


def test_a_limit_of_time_is_mariadb_s_and_ends_with_the_question(runs: RunQuerySet) -> None:
    slow: Any = runs.extra(where=["SLEEP(0.01) = 0"]) if connection.vendor == "mysql" else runs
    if connection.vendor == "mysql":
        with pytest.raises(TimeoutError):
            in_time(slow.values_list("pk"), 0.000001)
    assert len(in_time(slow.values_list("pk"), None)) == 7
    assert len(in_time(slow.values_list("pk"), 20)) == 7
    rows, count = by_time(slow, limit=5, needed=5)
    assert (len(rows), count) == (5, RowCount(5, False))


def test_the_others_are_left_where_counting_them_takes_long(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_where(monkeypatch, lambda rows: rows.query.high_mark == 11)
    assert by_time(runs, limit=10, needed=2)[1] == RowCount(2, False)
    assert by_time(runs, limit=10, needed=8)[1] == RowCount(7, True)


def test_the_others_are_not_counted_where_the_first_took_long(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_in_time, "QUICK", 0)
    assert by_time(runs, limit=10, needed=2)[1] == RowCount(2, False)
    assert by_time(runs, limit=10, needed=8)[1] == RowCount(7, True)


def test_few_are_found_without_the_order_where_that_takes_long(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = slow_where(monkeypatch, lambda rows: bool(rows.query.order_by))
    rows, count = by_time(runs, limit=10, needed=8)
    assert ([row[1] for row in rows], count) == (newest(runs), RowCount(7, True))
    assert len(asked) == 1
    oldest, _count = by_time(runs, limit=10, needed=8, oldest_first=True)
    assert oldest == rows[::-1]


@pytest.mark.usefixtures("time_is_up")
def test_only_what_is_needed_where_everything_takes_long(runs: RunQuerySet) -> None:
    everyone = newest(runs)
    for limit, needed, expected in (
        (10, 2, RowCount(2, False)),
        (10, 7, RowCount(7, True)),
        (3, 7, RowCount(3, False)),
    ):
        rows, count = by_time(runs, limit=limit, needed=needed)
        assert count == expected
        assert [row[1] for row in rows] == everyone[: min(limit, needed)]


def test_a_fault_of_the_database_stays_one(runs: RunQuerySet) -> None:
    if connection.vendor != "mysql":
        return
    wrong: Any = runs.extra(where=["no_such_column = 1"])
    with pytest.raises(OperationalError, match="no_such_column"):
        in_time(wrong.values_list("pk"), 1)


SEQUENCES: dict[str, Callable[[RunQuerySet], RunData]] = {
    "active-first": ActiveFirst,
    "newest-first": lambda runs: ByTime(runs, oldest_first=False),
    "oldest-first": lambda runs: ByTime(runs, oldest_first=True),
}


@pytest.mark.usefixtures("time_is_up")
@pytest.mark.parametrize("order", SEQUENCES)
def test_pages_go_on_while_there_is_more(runs: RunQuerySet, order: str) -> None:
    seen: list[Run] = []
    for number in range(1, 5):
        paginator = BoundedPaginator(SEQUENCES[order](runs), 2, number)
        page = paginator.get_page(number)
        seen += list(page)
        assert page.has_next() == (number < 4)
        assert paginator.more == (number < 4)
        assert not paginator.is_cut
    assert len(set(seen)) == 7
    if order == "active-first":
        assert [run.state for run in seen] == ["running"] * 3 + ["succeeded"] * 4
    else:
        by_age = newest(runs) if order == "newest-first" else newest(runs)[::-1]
        assert [run.pk for run in seen] == by_age


@pytest.mark.parametrize("order", SEQUENCES)
def test_no_page_is_beyond_the_limit(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(run_sequences, "COUNT_LIMIT", 5)
    paginator = BoundedPaginator(SEQUENCES[order](runs), 2, 99)
    assert (paginator.count, paginator.known, paginator.is_cut) == (5, 5, True)
    assert paginator.num_pages == 3
    assert len(list(paginator.get_page(99))) == 1


@pytest.mark.parametrize("order", SEQUENCES)
def test_a_part_is_the_same_part_of_the_whole(runs: RunQuerySet, order: str) -> None:
    whole = [run.pk for run in SEQUENCES[order](runs)[:]]
    data = SEQUENCES[order](runs)
    assert [run.pk for run in data[2:5]] == whole[2:5], "asked before it is counted"
    assert (data[6].pk, len(data)) == (whole[6], 7)


def test_where_few_can_fit_they_are_asked_for_without_looking_for_a_page_first(
    runs: RunQuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [run.pk for run in ActiveFirst(runs)[:]]
    monkeypatch.setattr(run_sequences, "first_rows", None)  # calling it would fail
    known = runs.all()
    known.at_most = 7
    rows = ActiveFirst(known)
    assert rows.counted(2) == RowCount(7, True)
    assert [run.pk for run in rows[:]] == expected
    assert [run.pk for run in rows[2:5]] == expected[2:5]
    monkeypatch.setattr(run_sequences, "COUNT_LIMIT", 5)
    assert ActiveFirst(known).counted(2) == RowCount(5, False)
