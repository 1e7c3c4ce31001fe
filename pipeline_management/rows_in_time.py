"""The first rows in an order and how many there are, as far as both are known soon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connections
from django.db.models import QuerySet

ORDERED, PLAIN, COUNTED = 0.03, 0.07, 0.02
"""Seconds that MariaDB may look for the first rows in their order, for the same in any order, and count the others."""
_TIME_IS_UP = 1969
"""MariaDB's ER_STATEMENT_TIMEOUT."""

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
    try:
        found = in_time(rows[: needed + 1], ORDERED)
    except TimeoutError:
        found = _soonest(plain[: needed + 1])
        if len(found) <= needed:
            return in_order(found), RowCount(len(found), True)
        return in_time(rows[:needed], None), RowCount(needed, False)
    if len(found) <= needed:
        return found, RowCount(len(found), True)
    return found[:needed], _counted(plain, needed=needed, limit=limit)


def _soonest(plain: QuerySet[Any, Row]) -> list[Row]:
    try:
        return in_time(plain, PLAIN)
    except TimeoutError:
        return in_time(plain, None)


def _counted(plain: QuerySet[Any, Row], *, needed: int, limit: int) -> RowCount:
    """Of more than ``needed``."""
    if needed == limit:
        return RowCount(limit, False)
    try:
        number = len(in_time(plain.values_list("pk")[: limit + 1], COUNTED))
    except TimeoutError:
        return RowCount(needed, False)
    return RowCount(min(number, limit), number <= limit)


def in_time(rows: QuerySet[Any, Row], seconds: float | None) -> list[Row]:
    """The rows; ``TimeoutError`` where MariaDB takes longer than so many seconds. None: as long as it takes."""
    connection = connections[rows.db]
    if seconds is None or not getattr(connection, "mysql_is_mariadb", False):
        return list(rows)

    def limited(execute: Execute, sql: str, *others: Any) -> Any:
        # with the question itself: a setting of the session would be two questions more
        return execute(f"SET STATEMENT max_statement_time={seconds:f} FOR {sql}", *others)

    try:
        with connection.execute_wrapper(limited):
            return list(rows)
    except OperationalError as error:
        if error.args[:1] != (_TIME_IS_UP,):
            raise
        raise TimeoutError from error
