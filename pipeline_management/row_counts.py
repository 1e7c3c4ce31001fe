"""How many rows there are, as far as that is known soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connections
from django.db.models import QuerySet

SOON = 0.03
"""Seconds that MariaDB may count."""
LATER = 0.08
"""Seconds that it may look for the first ones in their order."""
_TIME_IS_UP = 1969
"""MariaDB's ER_STATEMENT_TIMEOUT."""


@dataclass(frozen=True, slots=True)
class RowCount:
    """``number`` rows, and more where it is not ``is_all``."""

    number: int
    is_all: bool


def count_soon(rows: QuerySet[Any], *, limit: int, needed: int) -> RowCount:
    """Count at most ``limit`` rows; ``needed`` only where counting on takes long.

    A condition that some of very many rows fit is soon answered for a page and not for all of them: mostly in the
    order of ``rows``, by an index of that order; where only a few rows fit, rather without it. SQLite, which has no
    such limit of time, counts to ``limit``.
    """
    fewer = min(limit, needed)
    tries = (
        (rows.order_by()[: limit + 1], SOON),
        (rows[: fewer + 1], LATER),
        (rows.order_by()[: fewer + 1], None),
    )
    for counted, seconds in tries:
        try:
            found = _count_in_time(counted, seconds)
        except TimeoutError:
            limit = fewer
            continue
        break
    return RowCount(min(found, limit), found <= limit)


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
