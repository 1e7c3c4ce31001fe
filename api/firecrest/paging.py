"""Cutting long answers into pages, as the compute service does: from 0, an error beyond the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from api.firecrest.fields import Fields
from pipeline_management.services.api_tasks import TaskFailed

T = TypeVar("T")
PAGE_SIZE = 25


def pager(fields: Fields) -> Callable[[Sequence[T]], Sequence[T]]:
    """What takes the wanted page out of all rows; everything if no page is asked for.

    It raises ``TaskFailed``, for how many pages there are is known only when the rows are there.
    """
    if not fields.has("pageSize") and not fields.has("pageNumber"):
        return lambda rows: rows
    size = fields.number("pageSize") or PAGE_SIZE
    size = size if size > 0 else PAGE_SIZE
    number = fields.number("pageNumber") or 0

    def cut(rows: Sequence[T]) -> Sequence[T]:
        if number < 0:
            raise TaskFailed(f"pageNumber ({number}) cannot be a negative number")
        pages = -(-len(rows) // size)
        if number and number >= pages:
            raise TaskFailed(f"pageNumber ({number}) is greater than total pages ({pages})")
        return rows[number * size : (number + 1) * size]

    return cut
