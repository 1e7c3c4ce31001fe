"""Versions without a database, and workbooks changed the way people change them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook

from pipeline_management.models import Pipeline, PipelineVersion

DATA = Path(__file__).parent / "data"
DEPLOYED = Path(__file__).parents[2] / "deploy" / "pipelines"
PHOENIX_SCHEMA: dict[str, Any] = json.loads((DATA / "phoenix-schema.json").read_text())
PHOENIX_EXAMPLE: dict[str, Any] = json.loads((DATA / "phoenix-example.json").read_text())
HELLO_SCHEMA: dict[str, Any] = json.loads((DEPLOYED / "hello" / "schema.json").read_text())


def version_of(
    schema: dict[str, Any], name: str = "tried", example: dict[str, Any] | None = None
) -> PipelineVersion:
    """A version that is in no database."""
    return PipelineVersion(
        pipeline=Pipeline(name=name),
        version="1.0",
        schema=schema,
        example=example or {},
        content_sha256="c" * 64,
    )


def book_of(data: bytes) -> Workbook:
    return load_workbook(io.BytesIO(data))


def bytes_of(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(data: bytes, change: Callable[[Workbook], object]) -> bytes:
    """The workbook after ``change`` has been at it."""
    book = book_of(data)
    change(book)
    return bytes_of(book)


def row_of(sheet: Any, key: str) -> int:
    """The row of a key among the settings, with or without the mark of what is needed."""
    for row in range(2, sheet.max_row + 1):
        if str(sheet.cell(row, 1).value or "").removesuffix(" *") == key:
            return row
    raise AssertionError(f"no key {key}")


def column_of(sheet: Any, name: str) -> str:
    """The letter of the column with a header."""
    for cell in sheet[1]:
        if str(cell.value or "").removesuffix(" *") == name:
            return str(cell.column_letter)
    raise AssertionError(f"no column {name}")
