"""Workbooks that are sent while their rows are still being read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from openpyxl import load_workbook

from pipeline_management.services import sheet_stream
from pipeline_management.services.sheet_stream import Cell, workbook_pieces

HEADER = ("name", "count")


def written(rows: list[list[Cell]]) -> list[tuple[Any, ...]]:
    """The rows below the header, as a spreadsheet reads them."""
    data = b"".join(workbook_pieces("Runs", HEADER, rows, cut="no more"))
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    sheet = load_workbook(io.BytesIO(data))["Runs"]
    assert sheet.freeze_panes == "A2"
    found = list(sheet.iter_rows(values_only=True))
    assert found[0] == HEADER
    return found[1:]


def test_texts_and_numbers_come_out_as_they_went_in() -> None:
    rows: list[list[Cell]] = [['a <b> & "c"', 3], [" two\nlines ", -1.5], [None, 10**12], ["", 0]]
    assert written(rows) == [
        ('a <b> & "c"', 3),
        (" two\nlines ", -1.5),
        (None, 10**12),
        (None, 0),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "@SUM(A1)", '=HYPERLINK("http://x")'])
def test_a_text_is_never_a_formula(text: str) -> None:
    data = b"".join(workbook_pieces("Runs", HEADER, [[text, 1]], cut=""))
    cell = load_workbook(io.BytesIO(data))["Runs"]["A2"]
    assert (cell.value, cell.data_type) in ((text, "s"), (text, "inlineStr"))


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x0b", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_say_becomes_a_space(character: str) -> None:
    assert written([[f"a{character}b", None]]) == [("a b", None)]


def test_no_row_is_only_a_header() -> None:
    assert written([]) == []


def test_it_is_sent_while_the_rows_are_read() -> None:
    read = 0

    def rows() -> Iterator[list[Cell]]:
        nonlocal read
        for read in range(1, 20_001):
            yield [f"run {read} {hash(str(read))}", read]

    pieces = workbook_pieces("Runs", HEADER, rows(), cut="no more")
    first = next(pieces)
    assert first.startswith(b"PK")
    assert 0 < read < 20_000
    rest = list(pieces)
    assert read == 20_000
    assert max(map(len, rest)) < 4 * len(first)
    assert len(load_workbook(io.BytesIO(first + b"".join(rest)))["Runs"]["A"]) == 20_001


def test_a_full_sheet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_stream, "MOST_BYTES", 500)
    found = written([["x" * 50, number] for number in range(100)])
    assert found[-1] == ("no more", None)
    assert 2 < len(found) < 10
