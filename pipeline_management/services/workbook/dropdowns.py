"""Data validation of cells: lists to choose from, and limits where Excel can check them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import ngettext
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from pipeline_management.services.workbook.shape import Field

LISTS = "centro-lists"
"""The hidden sheet that holds the choices which are too long, or too odd, to stand in the rule itself."""

_LONGEST = 255
_MOST_CHOICES = 1_000


class Dropdowns:
    """The rules of one workbook; equal choices share a list."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._lists: dict[tuple[str, ...], str] = {}

    def add(self, sheet: Worksheet, cells: str, column: Field) -> None:
        """The rule of a field for a range of cells, if there is one."""
        rule = self._rule(column)
        if rule is not None:
            rule.showErrorMessage = True
            rule.add(cells)
            sheet.add_data_validation(rule)

    def _rule(self, column: Field) -> DataValidation | None:
        choices = _choices(column)
        if choices:
            return _with_words(
                DataValidation(type="list", formula1=self._source(choices), allow_blank=True),
                "Choose one of the list",
                strict=bool(column.choices),
            )
        if column.types == {"integer"}:
            return _limits("whole", column)
        if column.types and column.types <= {"integer", "number"}:
            return _limits("decimal", column)
        if column.types == {"string"}:
            return _length(column)
        return None

    def _source(self, choices: tuple[str, ...]) -> str:
        inline = ",".join(choices)
        if len(inline) <= _LONGEST and not any("," in text or '"' in text for text in choices):
            return f'"{inline}"'
        letter = get_column_letter(len(self._lists) + 1)
        place = f"'{LISTS}'!${letter}$1:${letter}${len(choices)}"
        return self._lists.setdefault(choices, place)

    def write_lists(self) -> None:
        """The hidden sheet with the lists that the rules refer to."""
        if not self._lists:
            return
        sheet = self._book.create_sheet(LISTS)
        sheet.sheet_state = "hidden"
        for column, choices in enumerate(self._lists, start=1):
            for row, text in enumerate(choices, start=1):
                cell: Any = sheet.cell(row, column)
                cell.value = text
                cell.data_type = "s"


def _choices(column: Field) -> tuple[str, ...]:
    """What the list shows; none for choices that cannot be typed into a cell as they are."""
    if column.choices:
        texts = tuple(
            str(value).upper() if isinstance(value, bool) else str(value)
            for value in column.choices
            if value is not None and str(value).strip() == str(value) != ""
        )
        plain = all(text.isprintable() and len(text) <= _LONGEST for text in texts)
        return texts if plain and len(texts) <= _MOST_CHOICES else ()
    return ("TRUE", "FALSE") if "boolean" in column.types else ()


def _limits(kind: Any, column: Field) -> DataValidation:
    low, high = column.schema.get("minimum"), column.schema.get("maximum")
    has_low, has_high = (_is_number(value) for value in (low, high))
    if has_low and has_high:
        rule = DataValidation(type=kind, operator="between", formula1=str(low), formula2=str(high))
        words = f"A number from {low} to {high}"
    elif has_low:
        rule = DataValidation(type=kind, operator="greaterThanOrEqual", formula1=str(low))
        words = f"A number of at least {low}"
    elif has_high:
        rule = DataValidation(type=kind, operator="lessThanOrEqual", formula1=str(high))
        words = f"A number of at most {high}"
    else:
        rule = DataValidation(type=kind, operator="notEqual", formula1="-1E+300")
        if kind == "whole":
            rule = DataValidation(
                type=kind, operator="between", formula1=str(-(10**15)), formula2=str(10**15)
            )
        words = "A whole number" if kind == "whole" else "A number"
    rule.allow_blank = True
    return _with_words(rule, words, strict=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _length(column: Field) -> DataValidation | None:
    """Excel knows no patterns; the longest length is checked there, the pattern when the file is uploaded."""
    longest = column.schema.get("maxLength")
    if not isinstance(longest, int) or isinstance(longest, bool) or not 0 < longest < 10_000:
        return None
    rule = DataValidation(
        type="textLength", operator="lessThanOrEqual", formula1=str(longest), allow_blank=True
    )
    words = ngettext("At most %d character", "At most %d characters", longest) % longest
    return _with_words(rule, words, strict=True)


def _with_words(rule: DataValidation, words: str, *, strict: bool) -> DataValidation:
    rule.errorTitle = "Not allowed here"
    rule.error = f"{words}."
    rule.errorStyle = "stop" if strict else "warning"
    return rule
