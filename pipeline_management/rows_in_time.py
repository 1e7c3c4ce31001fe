"""The first rows in an order and how many there are, as far as both are known soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import OperationalError, connections
from django.db.models import QuerySet

ORDERED, PLAIN, COUNTED = 0.08, 0.07, 0.015
"""Seconds that MariaDB may look for the first rows in their order, for the same in any order, and count the others."""
QUICK = 0.012
"""The others are counted where the first rows took no longer: else that would take too long anyway."""
_TIME_IS_UP = 1969
"""MariaDB's ER_STATEMENT_TIMEOUT."""

Answer = TypeVar("Answer")
Row = tuple[Any, ...]
Execute = Callable[[str, Any, bool, Any], Any]


@dataclass(frozen=True, slots=True)
class RowCount:
    """``number`` rows, and more where it is not ``is_all``."""

    number: int
    is_all: bool


def first_rows(
    rows: QuerySet[Any, Row], in_order: Callable[[list[Row]], list[Row]], *, needed: int, limit: int
) -> tuple[list[Row], RowCount]:
    """The first ``needed`` of ``rows`` (values of an ordered query, which ``in_order`` sorts likewise), and how many
    there are, as far as ``limit``; only as far as ``needed`` where counting the others takes long.

    An index of the order soon gives a page of what many rows fit. What few fit is sooner found without the order.
    SQLite, which has no limit of time, is always asked in order.
    """
    needed = min(limit, needed)
    plain = rows.order_by()
    begun = time.perf_counter()
    try:
        found = in_time(rows[: needed + 1], ORDERED)
    except TimeoutError:
        found = _soonest(plain[: needed + 1])
        if len(found) <= needed:
            return in_order(found), RowCount(len(found), True)
        return in_time(rows[:needed], None), RowCount(needed, False)
    if len(found) <= needed:
        return found, RowCount(len(found), True)
    if needed == limit or time.perf_counter() - begun > QUICK:
        return found[:needed], RowCount(needed, False)
    return found[:needed], _counted(plain, needed=needed, limit=limit)


def _soonest(plain: QuerySet[Any, Row]) -> list[Row]:
    try:
        return in_time(plain, PLAIN)
    except TimeoutError:
        return in_time(plain, None)


def _counted(plain: QuerySet[Any, Row], *, needed: int, limit: int) -> RowCount:
    """Of more than ``needed``."""
    others = plain.values_list("pk")[: limit + 1]
    try:
        number = _limited(others, others.count, COUNTED)
    except TimeoutError:
        return RowCount(needed, False)
    return RowCount(min(number, limit), number <= limit)


def in_time(rows: QuerySet[Any, Row], seconds: float | None) -> list[Row]:
    """The rows; ``TimeoutError`` where MariaDB takes longer than so many seconds. None: as long as it takes."""
    return _limited(rows, lambda: list(rows), seconds)


def _limited(rows: QuerySet[Any, Any], ask: Callable[[], Answer], seconds: float | None) -> Answer:
    connection = connections[rows.db]
    if seconds is None or not getattr(connection, "mysql_is_mariadb", False):
        return ask()

    def limit(execute: Execute, sql: str, *others: Any) -> Any:
        # with the question itself: a setting of the session would be two questions more
        return execute(f"SET STATEMENT max_statement_time={seconds:f} FOR {sql}", *others)

    try:
        with connection.execute_wrapper(limit):
            return ask()
    except OperationalError as error:
        if error.args[:1] != (_TIME_IS_UP,):
            raise
        raise TimeoutError from error


def about(rows: QuerySet[Any, Any], most: int) -> int:
    """How many rows there are, counted up to one over ``most``; on MariaDB as its index guesses, within a factor of
    two or so (MariaDB manual, EXPLAIN: "rows"), since to count 25,000 takes 20 ms."""
    connection = connections[rows.db]
    if not getattr(connection, "mysql_is_mariadb", False):
        return rows.values("pk")[: most + 1].count()
    sql, parameters = rows.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", parameters)
        names = [column[0] for column in cursor.description]
        return max(int(row[names.index("rows")] or 0) for row in cursor.fetchall())
