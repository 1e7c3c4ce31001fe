"""Strict reading of a configuration's JSON text.

Python's own reader does the work at C speed; hooks and two cheap searches notice what it lets pass
(duplicate keys, NaN, numbers out of range, half surrogates). Only a text with a fault is looked at
again, by ``json_syntax`` and ``json_faults``, to say what is wrong and where.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from pipeline_management.errors import InvalidRequest, Problem, TooLarge
from pipeline_management.services import json_faults, json_syntax
from pipeline_management.services.json_faults import MAX_DEPTH, MAX_INTEGER_DIGITS
from pipeline_management.services.json_places import Place, problem_at

__all__ = ["MAX_BODY", "MAX_DEPTH", "canonical_json", "parse_document", "parse_value"]

MAX_BODY = 10_000_000
"""Bytes of the largest body that is read."""

_BOM = b"\xef\xbb\xbf"
_SUSPECT_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_KINDS = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
}


class _Suspicious(Exception):
    """The C reader met something that JSON does not allow; its place is not known yet."""


class _Hooks:
    """What the C reader calls back. ``duplicates`` are ordinals of objects in the order of their ends."""

    def __init__(self) -> None:
        self.closed = 0
        self.duplicates: list[int] = []

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.closed += 1
        value = dict(pairs)
        if len(value) != len(pairs):
            self.duplicates.append(self.closed)
        return value

    @staticmethod
    def constant(_: str) -> NoReturn:
        raise _Suspicious

    @staticmethod
    def integer(text: str) -> int:
        if len(text) > MAX_INTEGER_DIGITS:
            raise _Suspicious
        return int(text)

    @staticmethod
    def real(text: str) -> float:
        value = float(text)
        if math.isinf(value):
            raise _Suspicious
        return value


def parse_document(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body`` (UTF-8, a leading byte order mark is tolerated).

    Raises ``TooLarge`` over ``MAX_BODY`` bytes and ``InvalidRequest`` for everything else. Every problem
    has a code of its own kind (``empty``, ``encoding``, ``syntax``, ``trailing_comma``,
    ``duplicate_key``, ``nan``, ``number``, ``too_deep``, ``not_object``, …, all listed in docs/pipelines.md)
    and, except for empty and too large bodies, line and column counted from 1 in characters.
    """
    if len(body) > MAX_BODY:
        raise TooLarge(
            [
                Problem(
                    "too_large",
                    f"The body has {len(body)} bytes; at most {MAX_BODY} (10 MB) are accepted.",
                )
            ]
        )
    text = _decode(body)
    if not text.strip(" \t\r\n"):
        raise InvalidRequest(
            [Problem("empty", "The body is empty; expected a JSON object, for example {…}.")]
        )
    json_faults.check_depth(text)
    value = _read(text)
    if not isinstance(value, dict):
        raise InvalidRequest([_not_an_object(text, value)])
    return value


def parse_value(text: str) -> Any:
    """Any JSON value, read as strictly as a document. Raises ``InvalidRequest`` like ``parse_document``."""
    json_faults.check_depth(text)
    return _read(text)


def _decode(body: bytes) -> str:
    try:
        return body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = body.removeprefix(_BOM)[: error.start].decode("utf-8")
        place = Place.of(before, len(before))
        if body.startswith((b"\xff\xfe", b"\xfe\xff")):
            advice = "it looks like UTF-16: save it as UTF-8"
        else:
            advice = (
                f"byte 0x{error.object[error.start]:02x} does not belong there: save it as UTF-8"
            )
        message = f"The text is not UTF-8; {advice}."
        raise InvalidRequest(
            [Problem("encoding", message, line=place.line, column=place.column)]
        ) from None


def _read(text: str) -> Any:
    hooks = _Hooks()
    try:
        value = json.loads(
            text,
            object_pairs_hook=hooks.members,
            parse_constant=hooks.constant,
            parse_int=hooks.integer,
            parse_float=hooks.real,
        )
    except json.JSONDecodeError as error:
        raise InvalidRequest([json_syntax.explain_syntax(text, error)]) from None
    except _Suspicious:
        raise InvalidRequest(json_faults.bad_numbers(text)) from None
    if hooks.duplicates:
        raise InvalidRequest(json_faults.duplicate_keys(text, hooks.duplicates))
    if _SUSPECT_ESCAPE.search(text):
        problems = json_faults.bad_characters(text)
        if problems:
            raise InvalidRequest(problems)
    return value


def _not_an_object(text: str, value: Any) -> Problem:
    kind = "null" if value is None else _KINDS[type(value)]
    return problem_at(
        text,
        len(text) - len(text.lstrip()),
        "not_object",
        f"The configuration is {kind}; expected an object: {{ … }} with names and values.",
    )


def canonical_json(value: Any) -> str:
    """The one text of a value: keys sorted, no spaces, characters as they are. Its hash names the value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
