"""The sheet that says in plain words how the workbook is filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

from pipeline_management.models import PipelineVersion
from pipeline_management.services.workbook.layout import SETTINGS, Kind, Layout, Table
from pipeline_management.services.workbook.values import escaped

_ABOUT = {
    Kind.ROWS: "one row for each entry; the first row has the names of the columns.",
    Kind.LIST: "one value in each row below the first.",
    Kind.NAMES: "one name in each row, and its value beside it; a row without a value is left out.",
}


def write(sheet: Worksheet, version: PipelineVersion, layout: Layout, lost: list[str]) -> None:
    """One sentence in each row. ``lost`` are parts of the example that do not go into a workbook."""
    sheet.column_dimensions["A"].width = 110
    for number, (text, is_head) in enumerate(_lines(version, layout, lost), start=1):
        cell: Any = sheet.cell(number, 1)
        cell.value = escaped(text)
        cell.data_type = "s"
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        if is_head:
            cell.font = Font(bold=True, size=13)


_RULES = (
    "What is marked with * is needed. An empty cell means that the key is left out.",
    'Two quotation marks ("") mean an empty text. TRUE and FALSE switch something on and off.',
    "Columns and rows may be in any order, and empty rows do no harm.",
    "Paste values, not formulas: a cell with a formula is refused.",
    "Text is kept as it is, but for blanks at its ends.",
    'Where the type is JSON, write it as in a JSON file, for example [1, 2] or {"a": true}.',
    "You may add sheets of your own for notes; they are not read.",
    "After the upload every fault is named by sheet and cell, and you can have this file back with those "
    "cells in red.",
)


def _lines(version: PipelineVersion, layout: Layout, lost: list[str]) -> Iterator[tuple[str, bool]]:
    yield f"Configuration of {version}", True
    yield (
        "Fill the sheets, save the file as .xlsx, and upload it on the page “Submit a run”, tab “Workbook”.",
        False,
    )
    yield "", False
    yield "The sheets", True
    yield f"{SETTINGS}: one value in each row, in the column “Value”.", False
    for table in layout.tables:
        yield _about(table), False
    yield "", False
    yield "Rules", True
    for rule in _RULES:
        yield rule, False
    for text in lost:
        yield f"Not in this workbook: {text}. Give it in the JSON after the upload.", False


def _about(table: Table) -> str:
    description = (table.schema or {}).get("description")
    words = f" ({description.rstrip('.')})" if isinstance(description, str) and description else ""
    needed = ", needed" if table.required else ""
    return f"{table.sheet}{words}{needed}: {_ABOUT[table.kind]}"
