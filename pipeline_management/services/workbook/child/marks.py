"""The same workbook with its faults marked: red cells with a comment each, and a sheet that lists them."""

from __future__ import annotations

import io
from typing import Any

from openpyxl import load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.hyperlink import Hyperlink

SHEET = "Faults"
AUTHOR = "Centro"
RED = "FFFFC7CE"
_MOST_OF_COMMENT = 2_000


def mark(data: bytes, faults: list[dict[str, str]]) -> bytes:
    """``faults`` have ``sheet``, ``cell`` (both "" where there is no one place) and ``message``.

    Marks of an earlier time, known by the author of their comments, go away first.
    """
    book = load_workbook(io.BytesIO(data), keep_links=False)
    if SHEET in book.sheetnames:
        del book[SHEET]
    for sheet in book.worksheets:
        _clean(sheet)
    for fault in faults:
        if fault["sheet"] in book.sheetnames and fault["cell"]:
            _mark(book[fault["sheet"]][fault["cell"]], fault["message"])
    if faults:
        _list(book, faults)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _clean(sheet: Any) -> None:
    for cell in [cell for cell in getattr(sheet, "_cells", {}).values() if cell.comment]:
        text = cell.comment.text
        if cell.comment.author == AUTHOR and cell.fill.start_color.rgb == RED:
            kept = text.partition(f"{AUTHOR}: ")[0].rstrip()
            cell.comment = Comment(kept, AUTHOR, width=320, height=120) if kept else None
            cell.fill = PatternFill(fill_type=None)


def _mark(cell: Any, message: str) -> None:
    if not isinstance(cell, Cell):
        return  # the covered part of a merged cell, which can hold no comment
    before = f"{cell.comment.text}\n" if cell.comment else ""
    text = f"{before}{AUTHOR}: {message}"[:_MOST_OF_COMMENT]
    cell.fill = PatternFill("solid", start_color=RED)
    cell.comment = Comment(text, AUTHOR, width=320, height=120)


def _list(book: Any, faults: list[dict[str, str]]) -> None:
    sheet = book.create_sheet(SHEET, 0)
    sheet.append(["Sheet", "Cell", "What is wrong"])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for number, fault in enumerate(faults, start=2):
        for column, text in enumerate((fault["sheet"], fault["cell"], fault["message"]), start=1):
            cell = sheet.cell(number, column)
            cell.value = text
            cell.data_type = "s"
            cell.alignment = Alignment(wrap_text=column == 3, vertical="top")
        if fault["cell"] and fault["sheet"] in book.sheetnames:
            quoted = fault["sheet"].replace("'", "''")
            place = f"'{quoted}'!{fault['cell']}"
            sheet.cell(number, 2).hyperlink = Hyperlink(ref=f"B{number}", location=place)
            sheet.cell(number, 2).font = Font(color="FF0563C1", underline="single")
    for letter, width in (("A", 20), ("B", 10), ("C", 100)):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
    book.active = 0
    for other in book.worksheets:
        other.sheet_view.tabSelected = other is sheet
