"""The workbook of a pipeline version, empty or filled from its example."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from pipeline_management.models import PipelineVersion
from pipeline_management.services.workbook import readme
from pipeline_management.services.workbook.dropdowns import Dropdowns
from pipeline_management.services.workbook.filling import Columns, Filled, filled
from pipeline_management.services.workbook.layout import (
    IDENTITY,
    README,
    SETTINGS,
    Document,
    Kind,
    Layout,
    Table,
    column_of_list,
    layout_of,
)
from pipeline_management.services.workbook.shape import Field, Path, label_of
from pipeline_management.services.workbook.values import Scalar, escaped

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
REQUIRED = " *"
"""What follows the header or key of a value that is needed."""

_HEAD = PatternFill("solid", start_color="FFDCE6F1")
_HEAD_NEEDED = PatternFill("solid", start_color="FFB8CCE4")
_LINE = Border(bottom=Side("thin", color="FF95A5B8"))
_QUIET = Font(color="FF5A6572")
_NOTE = 1_000
_FORMATTED_COLUMNS = 200


def template(version: PipelineVersion, *, example: bool = False) -> bytes:
    """An xlsx file for the version; with ``example`` the version's example stands in it."""
    return workbook_of(version, dict(version.example) if example else {})


def file_name(version: PipelineVersion) -> str:
    """ASCII, without blanks: the names of pipelines and versions are."""
    return f"{version.pipeline.name}-{version.version}.xlsx"


def workbook_of(version: PipelineVersion, document: Document) -> bytes:
    """An xlsx file for the version with a configuration in it."""
    layout = layout_of(version.schema)
    content = filled(layout, {"pipeline": str(version), **document})
    book = Workbook()
    settings = book.active
    assert isinstance(settings, Worksheet)  # noqa: S101  for the type checker: a new workbook has a sheet
    settings.title = SETTINGS
    dropdowns = Dropdowns(book)
    _settings(settings, layout, content, dropdowns)
    for table in layout.tables:
        sheet = book.create_sheet(table.sheet)
        _table(sheet, table, content.rows.get(table.path, []), dropdowns, version)
    readme.write(book.create_sheet(README), version, layout, content.lost)
    _identity(book.create_sheet(IDENTITY), version)
    dropdowns.write_lists()
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _put(sheet: Worksheet, row: int, column: int, value: Scalar) -> Cell:
    """A value in a cell. Text is text, whatever it begins with: nothing of it is ever evaluated."""
    cell = sheet.cell(row, column)
    assert isinstance(cell, Cell)  # noqa: S101  for the type checker: nothing is merged here
    cell.value = escaped(value) if isinstance(value, str) else value
    if isinstance(value, str):
        cell.data_type = "s"
        cell.number_format = "@"
        cell.quotePrefix = value[:1] in ("=", "+", "-", "@")
    return cell


def _head(sheet: Worksheet, titles: Sequence[tuple[str, bool, str, float]]) -> None:
    """The first row: (title, whether it is needed, note, width) by column."""
    for column, (title, needed, note, width) in enumerate(titles, start=1):
        cell = _put(sheet, 1, column, title)
        cell.font = Font(bold=True)
        cell.fill = _HEAD_NEEDED if needed else _HEAD
        cell.border = _LINE
        if note:
            cell.comment = Comment(escaped(note[:_NOTE]), "Centro: help", width=320, height=140)
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = "A2"


def _settings(sheet: Worksheet, layout: Layout, content: Filled, dropdowns: Dropdowns) -> None:
    _head(
        sheet,
        (
            ("Key", False, "", 32),
            ("Value", True, "", 44),
            ("Type", False, "", 16),
            ("Help", False, "", 90),
        ),
    )
    known = {row.path for row in layout.settings}
    others = [Field(path) for path in content.settings if path not in known]
    for number, row in enumerate([*layout.settings, *others], start=2):
        key = _put(sheet, number, 1, row.label + (REQUIRED if row.required else ""))
        key.font = Font(bold=row.required)
        _put(sheet, number, 3, row.type_words).font = _QUIET
        help_text = _put(sheet, number, 4, row.help[:_NOTE])
        help_text.font = _QUIET
        help_text.alignment = Alignment(wrap_text=True, vertical="top")
        if row.path in content.settings:
            _put(sheet, number, 2, content.settings[row.path])
        elif _is_text(row):
            sheet.cell(number, 2).number_format = "@"
        dropdowns.add(sheet, f"B{number}", row)


def _is_text(column: Field) -> bool:
    return column.is_json or "string" in column.types


def _table(
    sheet: Worksheet,
    table: Table,
    rows: list[Columns],
    dropdowns: Dropdowns,
    version: PipelineVersion,
) -> None:
    columns = _columns(table, rows)
    _head(sheet, [_title(table, column) for column in columns])
    for number, column in enumerate(columns, start=1):
        letter = get_column_letter(number)
        if _is_text(column) and number <= _FORMATTED_COLUMNS:
            sheet.column_dimensions[letter].number_format = "@"
        dropdowns.add(sheet, f"{letter}2:{letter}10000", column)
    for number, row in enumerate(rows or _blank_rows(table, version), start=2):
        for position, column in enumerate(columns, start=1):
            if column.path in row:
                _put(sheet, number, position, row[column.path])


def _columns(table: Table, rows: Iterable[Columns]) -> list[Field]:
    if table.kind is Kind.NAMES:
        value = table.fields[0]
        name = Field(("name",), frozenset({"string"}), schema={"description": "The name."})
        return [
            name,
            Field(("value",), value.types, value.choices, value.schema, False, value.is_json),
        ]
    known: dict[Path, Field] = {column.path: column for column in table.fields}
    others = {path: Field(path) for row in rows for path in row if path not in known}
    return [*known.values(), *others.values()]


def _title(table: Table, column: Field) -> tuple[str, bool, str, float]:
    label = label_of(column.path) if column.path else column_of_list(table)
    if table.kind is Kind.NAMES:
        label = label.capitalize()
    title = label + (REQUIRED if column.required else "")
    note = f"{column.type_words}. {column.help}"
    if column.required:
        note = f"Needed in every row. {note}"
    return title, column.required, note, min(60.0, max(14.0, len(title) + 3))


def _blank_rows(table: Table, version: PipelineVersion) -> list[Columns]:
    """The known names of a dictionary without values, so that nobody has to type them."""
    if table.kind is not Kind.NAMES:
        return []
    example: Any = version.example
    for part in table.path:
        example = example.get(part) if isinstance(example, dict) else None
    of_example = example if isinstance(example, dict) else {}
    names = dict.fromkeys((*table.names, *of_example))
    return [{("name",): name} for name in names if name and name == name.strip()]


def _identity(sheet: Worksheet, version: PipelineVersion) -> None:
    facts = (
        ("pipeline", version.pipeline.name),
        ("version", version.version),
        ("content", version.content_sha256),
    )
    for number, (name, value) in enumerate(facts, start=1):
        _put(sheet, number, 1, name)
        _put(sheet, number, 2, value)
    sheet.sheet_state = "hidden"
