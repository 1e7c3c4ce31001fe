"""Exports of runs as CSV, JSON and xlsx, streamed in chunks so that their size does not matter."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.services.sheet_stream import Cell, workbook_pieces

CHUNK = 500  # rows; SQLite takes 999 values in one query
_PATHS = {
    "id": "pk",
    "name": "name",
    "kind": "kind",
    "pipeline": "version__pipeline__name",
    "version": "version__version",
    "lab": "lab__slug",
    "submitter": "submitter__username",
    "system": "system__name",
    "source": "source",
    "state": "state",
    "reason": "reason",
    "reason_text": "reason_text",
    "cause": "cause",
    "cause_text": "cause_text",
    "exit_code": "exit_code",
    "signal": "signal",
    "attention": "attention",
    "job_id": "job_id",
    "nodes": "nodes",
    "created_at": "created_at",
    "submitted_at": "submitted_at",
    "started_at": "started_at",
    "ended_at": "ended_at",
    "finished_at": "finished_at",
    "configuration_sha256": "configuration_sha256",
}
COLUMNS = tuple(_PATHS)
MAX_SHEET_ROWS = 1_000_000
MAX_CELL = 32_000
_CUT = "There are more rows than this format holds; narrow the filter."
# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: Any) -> str:
    """The text of a CSV cell; an apostrophe in front keeps a spreadsheet from running text as a formula."""
    if value is None:
        return ""
    text = str(value)
    is_number = isinstance(value, int)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not is_number else text


def run_rows(runs: RunQuerySet) -> Iterator[dict[str, Any]]:
    """Every run, newest first, as plain values: times as ISO 8601 in UTC, the id as text.

    Read by key instead of by offset or cursor: memory stays bounded on every database, and a run that
    arrives meanwhile is neither repeated nor does it shift the others.
    """
    base = runs.by_hits().order_by("-created_at", "-id").values_list("created_at", "pk")
    last: tuple[datetime, Any] | None = None
    while True:
        page = base
        if last is not None:
            at, pk = last
            page = base.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
        keys = list(page[:CHUNK])
        # The joined columns by a query of their own: beside the order they keep MariaDB from its index.
        named = Run.objects.filter(pk__in=[pk for _at, pk in keys]).values_list(*_PATHS.values())
        rows = {row[0]: row for row in named}
        for _at, pk in keys:
            if pk in rows:
                yield dict(zip(COLUMNS, map(_plain, rows[pk]), strict=True))
        if len(keys) < CHUNK:
            return
        last = keys[-1]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value if value is None or isinstance(value, int | str) else str(value)


class _Echo:
    """A file for ``csv.writer`` that gives back what is written."""

    def write(self, text: str) -> str:
        return text


def as_csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A header line, then one line per run (RFC 4180), every cell safe to open in a spreadsheet."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow([safe_cell(row[name]) for name in COLUMNS])


def as_json(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One JSON array with an object per run, one per line."""
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def as_xlsx(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """A workbook with one sheet, every text cell a text and no formula; what a sheet cannot hold is cut off."""
    return workbook_pieces("Runs", COLUMNS, _sheet_rows(rows), cut=_CUT)


def _sheet_rows(rows: Iterable[dict[str, Any]]) -> Iterator[Sequence[Cell]]:
    for number, row in enumerate(rows):
        if number == MAX_SHEET_ROWS:
            yield [_CUT]
            return
        yield [_sheet_cell(row[name]) for name in COLUMNS]


def _sheet_cell(value: Any) -> Cell:
    if value is None or isinstance(value, int):
        return value
    return safe_cell(value)[:MAX_CELL]


Rows = Iterable[dict[str, Any]]
FORMATS: dict[str, tuple[str, Callable[[Rows], Iterator[str] | Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
}
