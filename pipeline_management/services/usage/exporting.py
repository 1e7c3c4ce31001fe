"""Usage as CSV and as a workbook; every text is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from pipeline_management.services.exports import safe_cell
from pipeline_management.services.usage.periods import Period
from pipeline_management.services.usage.reading import Row

COLUMNS = (
    "name", "first_day_utc", "last_day_utc", "runs", "succeeded", "failed", "cancelled", "failure_rate",
    "core_hours", "gpu_hours", "mean_wait_seconds", "runs_with_known_core_hours",
)  # fmt: skip


def table(rows: Sequence[Row], period: Period) -> list[list[Any]]:
    """A line for each row: texts, numbers, and None for what is not known."""
    return [
        [
            row.label, period.first.isoformat(), period.last.isoformat(), row.sums.runs,
            row.sums.succeeded, row.sums.failed, row.sums.cancelled, _rounded(row.sums.failure_rate, 4),
            round(row.sums.core_hours, 3), round(row.sums.gpu_hours, 3),
            _rounded(row.sums.mean_wait, 1), row.sums.measured,
        ]
        for row in rows
    ]  # fmt: skip


def as_csv(rows: Sequence[Row], period: Period, group: str) -> str:
    """RFC 4180 with a header line."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([group, *COLUMNS[1:]])
    for line in table(rows, period):
        writer.writerow(
            [value if isinstance(value, int | float) else safe_cell(value) for value in line]
        )
    return file.getvalue()


def as_workbook(rows: Sequence[Row], period: Period, group: str) -> bytes:
    """One sheet. Texts are written as texts, so that none becomes a formula; control characters, which a workbook
    cannot hold, become a question mark."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Usage")
    sheet.freeze_panes = "A2"
    sheet.column_dimensions["A"].width = 40
    sheet.append([group, *COLUMNS[1:]])
    for line in table(rows, period):
        name = ILLEGAL_CHARACTERS_RE.sub("?", safe_cell(line[0]))
        sheet.append([name, *line[1:]])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
