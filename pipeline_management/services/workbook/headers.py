"""The first row of a sheet: which column is what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline_management.services.workbook.process import Sheet
from pipeline_management.services.workbook.shape import Field
from pipeline_management.services.workbook.values import is_blank, unescaped

Columns = dict[str, Field]
Row = tuple[int, dict[str, Any]]


def tidy(text: str) -> str:
    """A name as it is compared: without case, the mark of what is needed, and blanks."""
    return "".join(unescaped(text).strip().removesuffix("*").lower().split())


def header_row(sheet: Sheet) -> Row | None:
    """The first row with something in it."""
    for number, cells in sheet.rows:
        if any(not is_blank(cell) for cell in cells.values()):
            return number, cells
    return None


@dataclass(frozen=True)
class Headers:
    """The columns of a sheet with fixed ones, such as Key and Value. ``letters`` by wanted name."""

    row: int
    letters: dict[str, str]

    @classmethod
    def of(cls, sheet: Sheet, wanted: Sequence[str]) -> Self | None:
        """None where the first row lacks one of them."""
        first = header_row(sheet)
        if first is None:
            return None
        number, cells = first
        found: dict[str, str] = {}
        for letter, cell in cells.items():
            if isinstance(cell, str):
                found.setdefault(tidy(cell), letter)
        if not all(name in found for name in wanted):
            return None
        return cls(number, {name: found[name] for name in wanted})

    def below(self, sheet: Sheet) -> Iterator[Row]:
        """The rows below the headers."""
        return ((number, cells) for number, cells in sheet.rows if number > self.row)
