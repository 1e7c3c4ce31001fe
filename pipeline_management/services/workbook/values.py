"""One cell and one value of a configuration: what is written for a value, and what a cell means.

An empty cell means "leave the key out"; two quotation marks mean an empty text; ``null`` means null where that is
allowed and text is not. Control characters are written the way Excel writes them (``_x000D_``, ECMA-376 part 1,
22.4.2.4). Numbers of more digits than Excel keeps are written as text.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline_management.errors import InvalidRequest
from pipeline_management.services.documents import parse_value
from pipeline_management.services.json_faults import MAX_INTEGER_DIGITS
from pipeline_management.services.schema_sentences import did_you_mean, one_of, shown
from pipeline_management.services.workbook.shape import Field

MAX_CELL = 32_767
"""Characters that Excel keeps in a cell."""
EMPTY_TEXT = '""'

_EXACT = 2**53
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{1,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?")
_YES = {
    "true": True,
    "yes": True,
    "y": True,
    "1": True,
    "false": False,
    "no": False,
    "n": False,
    "0": False,
}
_NEVER = {"duplicate_key", "nan", "number", "nul", "surrogate", "too_deep"}
"""Faults of what is JSON beyond doubt; other ones make a text that begins with a bracket."""
_TIMES = {"date": ("date", "datetime"), "date-time": ("datetime",), "time": ("time",)}
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "TRUE or FALSE",
    "null": "null",
}

Scalar = str | int | float | bool


class Unreadable(Exception):
    """The cell cannot be meant as a value of its key; the text is the rest of a sentence about the cell."""


class Unwritable(Exception):
    """The value does not go into a cell."""


def written(field: Field, value: Any) -> Scalar:
    """What stands in the cell for a value, not ``escaped``; ``read`` gives it back. Raises ``Unwritable``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if _is_kept(field, value) else repr(value)
    if isinstance(value, str):
        text = EMPTY_TEXT if value == "" else value
        if field.is_json:
            text = json.dumps(value, ensure_ascii=False)
    else:
        text = json.dumps(value, ensure_ascii=False)
    if len(escaped(text)) > MAX_CELL:
        raise Unwritable(f"{field.label} is longer than the {MAX_CELL} characters of a cell")
    return text


def _is_kept(field: Field, value: int | float) -> bool:
    """Whether Excel keeps all digits, or the text would not be read as a number again."""
    if isinstance(value, int):
        return abs(value) <= _EXACT
    return float(f"{value:.15g}") == value or not field.types & {"integer", "number"}


def escaped(text: str) -> str:
    """A text as it stands in the XML of a cell; ``unescaped`` takes it back."""
    return _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def read(field: Field, cell: Any) -> Any:
    """The value that a cell (``child.cells``) means for a field. Raises ``Unreadable``."""
    if isinstance(cell, dict):
        return _special(field, cell)
    if isinstance(cell, str):
        text = unescaped(cell).strip()
        if "\0" in text:
            raise Unreadable("holds a NUL character, which no job script can receive")
        if text == EMPTY_TEXT:
            return ""
        return _json(field, text) if field.is_json else _text(field, text)
    if isinstance(cell, bool):
        return _boolean(field, cell)
    return _number(field, cell)


def is_blank(cell: Any) -> bool:
    """A cell with nothing but blanks in it."""
    return isinstance(cell, str) and not unescaped(cell).strip()


def unescaped(text: str) -> str:
    """A cell's text with ``_x000D_`` and the like as the characters that they stand for."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: _character(found[1]), text)


def _character(digits: str) -> str:
    code = int(digits, 16)
    return "\N{REPLACEMENT CHARACTER}" if 0xD800 <= code <= 0xDFFF else chr(code)


def _special(field: Field, cell: dict[str, str]) -> Any:
    kind, text = next(iter(cell.items()))
    if kind == "formula":
        message = (
            f"holds the formula {shown(text)}; paste its value instead (Paste special, Values)"
        )
        raise Unreadable(message)
    if kind == "error":
        raise Unreadable(f"holds the error {shown(text)}")
    if "string" in field.types or not field.types:
        wanted = _TIMES.get(str(field.schema.get("format")), ())
        if kind in wanted or (kind == "date" and "date" in wanted):
            return text[:10] if wanted[0] == "date" else text
    expected = expectation(field)
    message = (
        f"holds a date or time ({text.replace('T', ' ')}), expected {expected}; Excel makes dates of texts such "
        "as 1-2 or MAR1: format the cell as text and type it again"
    )
    raise Unreadable(message)


def expectation(field: Field) -> str:
    """What a field takes, for a sentence."""
    if field.is_json:
        return "JSON"
    if field.choices:
        return one_of(field.choices)
    return " or ".join(word for name, word in _WORDS.items() if name in field.types) or "a value"


def _json(field: Field, text: str) -> Any:
    try:
        return parse_value(text)
    except InvalidRequest as error:
        if "string" in _admitted(field):
            return text
        raise _no_json(text, error) from None


def _no_json(text: str, error: InvalidRequest) -> Unreadable:
    why = error.problems[0].message.rstrip(".")
    return Unreadable(f"holds {shown(text)}; expected JSON, for example [1, 2] or {{…}}: {why}")


def _admitted(field: Field) -> frozenset[str]:
    given = field.schema.get("type")
    return frozenset([given] if isinstance(given, str) else given or ())


def _text(field: Field, text: str) -> Any:
    types = field.types
    if field.choices:
        return _choice(field, text)
    if not types:
        return _anything(text)
    if "string" in types:
        return text
    if "null" in types and text.lower() == "null":
        return None
    if "boolean" in types and text.lower() in _YES and not (types & {"integer", "number"}):
        return _YES[text.lower()]
    if "boolean" in types and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if types & {"integer", "number"} and _NUMBER.fullmatch(_tidy(text)):
        return _of_digits(field, _tidy(text))
    raise Unreadable(f"holds the text {shown(text)}, expected {expectation(field)}")


def _tidy(text: str) -> str:
    """Without the blanks that separate thousands."""
    return re.sub(r"(?<=\d)[\u00a0\u202f ](?=\d{3}(\D|$))", "", text)


def _of_digits(field: Field, text: str) -> int | float:
    is_whole = re.fullmatch(r"[+-]?\d+", text) is not None
    if is_whole and len(text.lstrip("+-0")) <= MAX_INTEGER_DIGITS:
        return int(text)
    value = float(text)
    if is_whole or value - value != 0:
        raise Unreadable(f"holds {shown(text)}, which is out of range")
    return int(value) if value.is_integer() and "number" not in field.types else value


def _anything(text: str) -> Any:
    """For keys that the schema says nothing about: JSON's lists and objects, else the text."""
    if text[:1] in ("[", "{"):
        try:
            return parse_value(text)
        except InvalidRequest as error:
            if error.problems[0].code in _NEVER:
                raise _no_json(text, error) from None
    return text


def _choice(field: Field, text: str) -> Any:
    for value in field.choices:
        if isinstance(value, str) and value == text:
            return value
    for value in field.choices:
        if not isinstance(value, str) and json.dumps(value) == text.lower():
            return value
    same = [v for v in field.choices if isinstance(v, str) and v.lower() == text.lower()]
    if len(same) == 1:
        return same[0]
    if "string" in field.types:
        return text  # the schema's own sentence says what is allowed
    known = did_you_mean(text, field.choices)
    raise Unreadable(f"holds {shown(text)}, expected {expectation(field)}{known}")


def _boolean(field: Field, cell: bool) -> Any:
    types = field.types
    if field.is_json or not types or "boolean" in types:
        return cell
    if "string" in types:
        return _choice(field, str(cell).lower()) if field.choices else str(cell).lower()
    raise Unreadable(f"holds {str(cell).upper()}, expected {expectation(field)}")


def _number(field: Field, cell: int | float) -> Any:
    types = field.types
    value = int(cell) if isinstance(cell, float) and cell.is_integer() else cell
    if field.is_json or not types or types & {"integer", "number"}:
        return value  # a fraction where a whole number belongs is told by the schema
    if types & {"boolean"} and value in (0, 1) and "string" not in types:
        return bool(value)
    if "string" in types:
        return _choice(field, _digits(value)) if field.choices else _digits(value)
    raise Unreadable(f"holds the number {value}, expected {expectation(field)}")


def _digits(value: int | float) -> str:
    if isinstance(value, int) and abs(value) >= 10**15:
        message = "holds a number of over 15 digits, of which Excel forgets the last; format the cell as text"
        raise Unreadable(message)
    return repr(value)
