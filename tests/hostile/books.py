"""Workbooks as a person may upload them, with hostile values in every place that has text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

from openpyxl import Workbook, load_workbook

from pipeline_management.services.workbook import process
from pipeline_management.services.workbook.child import cells, marks, package
from pipeline_management.services.workbook.values import escaped
from tests.hostile.values import TABS_AND_LINES, VALUES

CELLS: list[str] = [*VALUES.values(), TABS_AND_LINES["header"]]
"""What a cell can hold; control characters stand there as ``_x001B_``, as Excel writes them."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{f"v{number}": {"type": "string"} for number in range(len(CELLS))},
        "number": {"type": "integer"},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "count": {"type": "integer"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "list": {"type": "array", "items": {"type": "string"}},
        "counts": {"type": "array", "items": {"type": "integer"}},
        "names": {"type": "object", "additionalProperties": {"type": "string"}},
        "switches": {"type": "object", "additionalProperties": {"type": "boolean"}},
    },
}
SHEETS = ("rows", "list", "counts", "names", "switches")
HEADS = {
    "rows": ["text", "count", "tags"],
    "list": ["list"],
    "counts": ["counts"],
    "names": ["Name", "Value"],
    "switches": ["Name", "Value"],
}


def text_in(cell: Any, value: str, kind: str = "s") -> None:
    """A value as text, or with ``kind`` "f" as a formula, past what openpyxl makes of it."""
    cell.value = escaped(value) if kind == "s" else value
    cell.data_type = kind


def book(settings: Iterable[tuple[str, str]] = (), pipeline: str = "sheets") -> Workbook:
    """A filled template of ``SCHEMA`` with these settings as text, and the heads of its sheets."""
    made = Workbook()
    sheet: Any = made.active
    sheet.title = "Settings"
    sheet.append(["Key", "Value"])
    if pipeline:
        sheet.append(["pipeline", pipeline])
    for key, value in settings:
        sheet.append(["", ""])
        text_in(sheet.cell(sheet.max_row, 1), key)
        text_in(sheet.cell(sheet.max_row, 2), value)
    for name in SHEETS:
        made.create_sheet(name).append(HEADS[name])
    return made


def column(made: Workbook, sheet: str, letter: str, values: Iterable[str], kind: str = "s") -> None:
    """The values below the head of a column."""
    for number, value in enumerate(values, start=2):
        text_in(made[sheet][f"{letter}{number}"], value, kind)


def saved(made: Workbook) -> bytes:
    """The file."""
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def rewritten(
    data: bytes, change: Callable[[str, str], str], added: dict[str, str] | None = None
) -> bytes:
    """The file with its XML as ``change(name of the part, text)`` gives it back, and further parts: what openpyxl
    does not write."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name).decode()))
        for name, text in (added or {}).items():
            new.writestr(name, text)
    return out.getvalue()


def with_sheets(names: list[str]) -> bytes:
    """A workbook with further sheets of these very names, each with something in it."""
    made = book([("v0", "x")])
    for number in range(len(names)):
        made.create_sheet(f"foreign {number:03}").append(["something"])
    written = {
        f'name="foreign {number:03}"': f'name="{attribute(name)}"'
        for number, name in enumerate(names)
    }

    def change(part: str, text: str) -> str:
        if part == "xl/workbook.xml":
            for old, new in written.items():
                assert old in text
                text = text.replace(old, new)
        return text

    return rewritten(saved(made), change)


def attribute(value: str) -> str:
    """A value as it stands between double quotation marks in XML."""
    return escape(escaped(value), {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def opened(data: bytes) -> Workbook:
    """As the person sees it."""
    return load_workbook(io.BytesIO(data))


def in_this_process(what: str, head: bytes, data: bytes) -> bytes:
    """In place of ``process._run``: what ``child/main.py`` does, without the start of a process."""
    import json

    try:
        package.check(data)
        if what == "mark":
            return marks.mark(data, json.loads(head))
        return json.dumps(cells.read(data)).encode()
    except package.Refused as error:
        raise process._refused(error.code, str(error)) from error
    except Exception as error:  # as child/main.py: openpyxl raises any kind for a damaged file
        message = f"The file is damaged: {type(error).__name__} while reading it."
        raise process._refused("workbook_broken", message) from error
