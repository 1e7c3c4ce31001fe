"""What people do to sheets: tolerated where it can be meant, else named by sheet and cell."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook

from pipeline_management.services.workbook.reading import Reader
from pipeline_management.services.workbook.template import workbook_of
from tests.workbook.sheets import bytes_of, changed, column_of, row_of, version_of
from tests.workbook.test_round_trip import read_here

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["project", "files"],
    "properties": {
        "project": {"type": "string"},
        "depth": {"type": "integer"},
        "ratio": {"type": "number"},
        "cram": {"type": "boolean"},
        "style": {"enum": ["tgen", "Broad"]},
        "born": {"type": "string", "format": "date"},
        "nested": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b.c": {"type": "string"}},
        },
        "switches": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "panels": {"type": "array", "items": {"type": "string"}},
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "read"],
                "properties": {
                    "path": {"type": "string"},
                    "read": {"enum": ["R1", "R2"]},
                    "reads": {"type": "integer"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}
DOCUMENT: dict[str, Any] = {
    "project": "p",
    "depth": 3,
    "cram": True,
    "style": "tgen",
    "nested": {"a": 1, "b.c": "x"},
    "switches": {"s1": True, "s2": False},
    "panels": ["one", "two"],
    "files": [
        {"path": "/a", "read": "R1", "reads": 5, "tags": ["x"]},
        {"path": "/b", "read": "R2"},
    ],
}


def after(change: Callable[[Workbook], object]) -> Reader:
    return read_here(changed(workbook_of(version_of(SCHEMA), DOCUMENT), change), SCHEMA)


def setting(key: str, value: Any) -> Callable[[Workbook], object]:
    def change(book: Workbook) -> None:
        sheet = book["Settings"]
        sheet[f"B{row_of(sheet, key)}"] = value

    return change


def file_cell(name: str, row: int, value: Any) -> Callable[[Workbook], object]:
    def change(book: Workbook) -> None:
        sheet = book["files"]
        sheet[f"{column_of(sheet, name)}{row}"] = value

    return change


def header(name: str, new: str) -> Callable[[Workbook], object]:
    def change(book: Workbook) -> None:
        sheet = book["files"]
        sheet[f"{column_of(sheet, name)}1"] = new

    return change


def renamed(name: str, new: str) -> Callable[[Workbook], object]:
    def change(book: Workbook) -> None:
        sheet = book[name]
        sheet.title = "aside"  # openpyxl takes a name that differs in case only for another sheet's
        sheet.title = new

    return change


def same_rows_reversed(book: Workbook) -> None:
    sheet = book["Settings"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    for number, row in enumerate(reversed(rows), start=2):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column).value = value


def columns_reversed(book: Workbook) -> None:
    sheet = book["files"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(reversed(row), start=1):
            sheet.cell(number, column).value = value


TOLERATED: dict[str, Callable[[Workbook], object]] = {
    "blank rows between": lambda book: book["files"].insert_rows(3, 4),
    "blank rows above": lambda book: book["files"].insert_rows(1, 2),
    "blanks in an empty row": file_cell("path", 9, "   "),
    "rows in another order": same_rows_reversed,
    "columns in another order": columns_reversed,
    "header in capitals": header("path", " PATH "),
    "header without mark": header("read", "read"),
    "header with blanks": header("reads", "Reads  "),
    "sheet name in capitals": renamed("files", "FILES"),
    "settings in lower case": renamed("Settings", "settings "),
    "number as text": setting("depth", " 3 "),
    "number with a fraction of nought": setting("depth", 3.0),
    "yes": setting("cram", "Yes"),
    "one for true": setting("cram", 1),
    "case of a choice": setting("style", "TGEN"),
    "blanks around text": setting("project", "  p "),
    "a sheet of notes": lambda book: book.create_sheet("My notes").append(["a", "b"]),
    "no README": lambda book: book.remove(book["README"]),
    "no hidden sheet": lambda book: book.remove(book["centro"]),
}


@pytest.mark.parametrize("what", TOLERATED)
def test_what_can_be_meant_is_read(what: str) -> None:
    reader = after(TOLERATED[what])
    assert [fault.message for fault in reader.faults] == []
    assert reader.document == {"pipeline": "tried@1.0", **DOCUMENT}


REFUSED: dict[str, tuple[Callable[[Workbook], object], str, str]] = {
    "a word for a number": (setting("depth", "many"), "Settings!B7", 'depth holds the text "many"'),
    "a formula": (setting("depth", "=1+2"), "Settings!B7", "holds the formula"),
    "an error": (setting("depth", "#REF!"), "Settings!B7", "holds the error"),
    "a date for a text": (
        setting("project", datetime.date(2026, 3, 1)),
        "Settings!B6",
        "holds a date or time",
    ),
    "a date for a number": (
        file_cell("reads", 2, datetime.datetime(2026, 1, 2)),
        "files!C2",
        "expected a whole number",
    ),
    "a number for a switch": (
        lambda book: book["switches"].__setitem__("B2", 7),
        "switches!B2",
        "expected TRUE or FALSE",
    ),
    "a slip in a header": (header("path", "pth"), "files!A1", '(did you mean "path"?)'),
    "a header twice": (header("reads", "path"), "files!C1", "another column path"),
    "a value below no header": (
        lambda book: book["files"].__setitem__("H3", "x"),
        "files!H3",
        "no header",
    ),
    "a slip in a key": (
        lambda book: book["Settings"].__setitem__(f"A{row_of(book['Settings'], 'depth')}", "dept"),
        "Settings!A7",
        '(did you mean "depth"?)',
    ),
    "a key twice": (
        lambda book: book["Settings"].append(["depth", 4]),
        "Settings!B14",
        "depth is given twice",
    ),
    "a value without key": (
        lambda book: book["Settings"].append([None, 4]),
        "Settings!A14",
        "no key",
    ),
    "a name twice": (
        lambda book: book["switches"].append(["s1", True]),
        "switches!A4",
        "there twice",
    ),
    "a slip in a sheet's name": (renamed("files", "fils"), "fils", '(did you mean "files"?)'),
    "no settings": (lambda book: book.remove(book["Settings"]), "", "no sheet “Settings”"),
    "no table": (lambda book: book.remove(book["files"]), "", "which holds files"),
    "no headers": (
        lambda book: book["Settings"].__setitem__("B1", "Wert"),
        "Settings!A1",
        "headers “Key” and “Value”",
    ),
    "broken JSON": (file_cell("tags", 2, "[1,"), "files!D2", "expected JSON"),
    "seventeen digits": (file_cell("path", 2, 12345678901234567), "files!A2", "over 15 digits"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_meant_is_named_by_its_cell(what: str) -> None:
    change, place, words = REFUSED[what]
    reader = after(change)
    assert [fault.place for fault in reader.faults][:1] == [place]
    assert words in reader.faults[0].message


def test_a_key_of_ones_own_is_taken_as_it_is() -> None:
    reader = after(lambda book: book["Settings"].append(["colour", "blue"]))
    assert reader.faults == []
    assert reader.document["colour"] == "blue"


def test_a_date_where_one_belongs() -> None:
    assert after(setting("born", datetime.date(2020, 2, 29))).document["born"] == "2020-02-29"


def test_text_that_looks_like_a_formula_is_text() -> None:
    def change(book: Workbook) -> None:
        sheet = book["Settings"]
        cell = sheet[f"B{row_of(sheet, 'project')}"]
        cell.value, cell.data_type = "=HYPERLINK(1)", "s"

    reader = after(change)
    assert reader.faults == []
    assert reader.document["project"] == "=HYPERLINK(1)"


def test_an_empty_workbook_says_what_it_lacks() -> None:
    reader = read_here(bytes_of(Workbook()), SCHEMA)
    assert [fault.message for fault in reader.faults][0].startswith("The workbook has no sheet")
