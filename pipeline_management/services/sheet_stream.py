"""A workbook of one sheet that is sent while its rows are still being read."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape

from openpyxl import Workbook

Cell = str | int | float | None
_SHEET = "xl/worksheets/sheet1.xml"
_ROWS_END = b"</sheetData>"
_PIECE = 1 << 16
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say (section 2.2)."""
MOST_BYTES = (1 << 31) - (1 << 24)
"""Of the sheet's XML. Above 2 GiB a zip needs fields that come before the data and spreadsheets stumble over."""


class _Sent:
    """A file that can only be written: what has come is taken away as it is sent."""

    def __init__(self) -> None:
        self._waiting = io.BytesIO()

    def write(self, data: bytes) -> int:
        return self._waiting.write(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def waiting(self) -> int:
        return self._waiting.tell()

    def take(self) -> bytes:
        data = self._waiting.getvalue()
        self._waiting = io.BytesIO()
        return data


def workbook_pieces(
    title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, cut: str
) -> Iterator[bytes]:
    """The bytes of an xlsx file with one sheet, its header row kept in view.

    Texts are inline strings (ECMA-376, 18.3.1.4, ``t="inlineStr"``), so that no cell is a formula; a
    character that XML forbids becomes a space. Where the sheet is full, the row ``cut`` says so instead of the others.
    """
    sent = _Sent()
    with (
        zipfile.ZipFile(_skeleton(title, header)) as skeleton,
        zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book,  # type: ignore[call-overload]  # a file without seek(), which zipfile takes
    ):
        for name in skeleton.namelist():
            if name != _SHEET:
                book.writestr(name, skeleton.read(name))
        before, after = _around_rows(skeleton.read(_SHEET))
        with book.open(_SHEET, "w") as sheet:
            sheet.write(before)
            written = 0
            for number, row in enumerate(rows, start=2):
                line = _row(number, row)
                written += len(line)
                if written > MOST_BYTES:
                    sheet.write(_row(number, [cut]))
                    break
                sheet.write(line)
                if sent.waiting() >= _PIECE:
                    yield sent.take()
            sheet.write(after)
    yield sent.take()


def _skeleton(title: str, header: Sequence[str]) -> io.BytesIO:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    sheet.append(list(header))
    file = io.BytesIO()
    book.save(file)
    return file


def _around_rows(sheet: bytes) -> tuple[bytes, bytes]:
    end = sheet.index(_ROWS_END)
    return sheet[:end], sheet[end:]


def _row(number: int, cells: Sequence[Cell]) -> bytes:
    return f'<row r="{number}">{"".join(map(_cell, cells))}</row>'.encode()


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        text = escape(_FORBIDDEN.sub(" ", value), {"\r": "&#13;"})
        return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f"<c><v>{value}</v></c>"
