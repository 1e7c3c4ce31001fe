"""How many rows there are, as far as that is known soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connections
from django.db.models import QuerySet

FIRST, LATER, SOON = 0.07, 0.05, 0.02
"""Seconds that MariaDB may look for the rows of the pages up to the wanted one, for the same in their order, and
count the others."""
_TIME_IS_UP = 1969
"""MariaDB's ER_STATEMENT_TIMEOUT."""


@dataclass(frozen=True, slots=True)
class RowCount:
    """``number`` rows, and more where it is not ``is_all``."""

    number: int
    is_all: bool


def count_soon(rows: QuerySet[Any], *, limit: int, needed: int) -> RowCount:
    """Count at most ``limit`` rows; ``needed`` only where counting on takes long.

    A condition that some of very many rows fit is soon answered for a page and not for all of them. Where not even
    that is soon done, an index of the order of ``rows`` mostly does it, unless only a few rows fit at all. SQLite,
    which has no such limit of time, counts to ``limit``.
    """
    plain, fewer = rows.order_by(), min(limit, needed)
    try:
        found = _count_in_time(plain[: fewer + 1], FIRST)
    except TimeoutError:
        try:
            found = _count_in_time(rows[: fewer + 1], LATER)
        except TimeoutError:
            found = _count_in_time(plain[: fewer + 1], None)
        return RowCount(min(found, fewer), found <= fewer)
    if found > fewer and fewer < limit:
        try:
            found, fewer = _count_in_time(plain[: limit + 1], SOON), limit
        except TimeoutError:
            return RowCount(fewer, False)
    return RowCount(min(found, fewer), found <= fewer)


def _count_in_time(rows: QuerySet[Any], seconds: float | None) -> int:
    """``TimeoutError`` after so many seconds; None: as long as it takes."""
    connection = connections[rows.db]
    if seconds is None or not getattr(connection, "mysql_is_mariadb", False):
        return int(rows.count())
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION max_statement_time = %s", [seconds])
        try:
            return int(rows.count())
        except OperationalError as error:
            if error.args[:1] != (_TIME_IS_UP,):
                raise
            raise TimeoutError from error
        finally:
            cursor.execute("SET SESSION max_statement_time = DEFAULT")
