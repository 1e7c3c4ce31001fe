"""The cells of a workbook as plain JSON.

A sheet is ``{"name", "state", "rows"}``, a row ``[number, {column letters: value}]`` with the cells that hold
something. A value is a string, number or boolean, or an object with one key: ``date``, ``datetime``, ``time`` (ISO
8601), ``formula`` (its text), ``error`` (as the cell shows it).
"""

from __future__ import annotations

import datetime
import io
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import WorkSheetParser

from pipeline_management.services.workbook.child.package import Refused

MAX_SHEETS = 100
MAX_ROWS = 100_000
MAX_COLUMNS = 2_000
MAX_CELLS = 500_000
MAX_TEXT = 20_000_000
MAX_SHOWN = 100

Row = tuple[int, dict[str, Any]]


class _Count:
    def __init__(self) -> None:
        self.cells = 0
        self.text = 0

    def add(self, sheet: str, row: int, cells: list[dict[str, Any]]) -> None:
        self.cells += len(cells)
        if row > MAX_ROWS:
            message = f"Sheet {sheet[:40]} has something in row {row}; rows beyond {MAX_ROWS} are not read."
            raise Refused("workbook_too_many", message)
        if len(cells) > MAX_COLUMNS:
            message = f"Sheet {sheet[:40]} has {len(cells)} columns in row {row}; at most {MAX_COLUMNS} are read."
            raise Refused("workbook_too_many", message)
        if self.cells > MAX_CELLS:
            message = f"The workbook has more than {MAX_CELLS} cells; split it into several runs."
            raise Refused("workbook_too_many", message)
        self.text += sum(len(c["value"]) for c in cells if isinstance(c["value"], str))
        if self.text > MAX_TEXT:
            message = f"The workbook has more than {MAX_TEXT // 10**6} million characters."
            raise Refused("workbook_too_many", message)


def read(data: bytes) -> dict[str, Any]:
    """All sheets of a file that ``package.check`` has let pass, and the number of cells.

    openpyxl's own ``iter_rows`` makes up the cells that are missing before the last one, a million for a cell
    far down; its parser of sheets, used here, gives those that are there.
    """
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    if len(book.sheetnames) > MAX_SHEETS:
        message = f"The workbook has {len(book.sheetnames)} sheets; at most {MAX_SHEETS} are read."
        raise Refused("workbook_too_many", message)
    count = _Count()
    sheets = [
        {"name": sheet.title, "state": sheet.sheet_state, "rows": _rows(book, sheet, count)}
        for sheet in book.worksheets
    ]
    return {"sheets": sheets, "cells": count.cells}


def _rows(book: Any, sheet: Any, count: _Count) -> list[Row]:
    rows: list[Row] = []
    last = 0
    with sheet._get_source() as source:
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,
            data_only=False,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        for number, cells in parser.parse():
            count.add(sheet.title, number, cells)
            if number <= last:
                message = f"The file is damaged: in sheet {sheet.title[:40]} row {number} comes after row {last}."
                raise Refused("workbook_broken", message)
            last = number
            values = {
                get_column_letter(cell["column"]): _value(cell)
                for cell in cells
                if cell["value"] not in (None, "") or cell["data_type"] == "f"
            }
            if values:
                rows.append((number, values))
            parser.row_dimensions.clear()
    return rows


def _value(cell: dict[str, Any]) -> Any:
    value, kind = cell["value"], cell["data_type"]
    if kind == "f":
        text = value if isinstance(value, str) else getattr(value, "text", None) or "="
        return {"formula": str(text)[:MAX_SHOWN]}
    if kind == "e":
        return {"error": str(value)[:MAX_SHOWN]}
    if isinstance(value, datetime.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if isinstance(value, datetime.time):
        return {"time": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"time": str(value)}
    if isinstance(value, float) and value - value != 0:
        return {"error": str(value)}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**100:
        return {"error": "a number with over a hundred digits"}
    return value if isinstance(value, str | int | float | bool) else str(value)
