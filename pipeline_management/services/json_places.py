"""Places in a JSON text: line and column of a position, and where the value of a pointer begins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pipeline_management.errors import Problem

_SPACE = re.compile(r"[ \t\n\r]*")
_SKIP = json.JSONDecoder(parse_int=str, parse_float=str)
_Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text, counted from 1; columns count characters."""

    line: int
    column: int

    @classmethod
    def of(cls, text: str, at: int) -> Self:
        return cls(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))

    @classmethod
    def of_many(cls, text: str, positions: Mapping[str, int]) -> dict[str, Self]:
        """The places of several positions in one pass over the text."""
        places: dict[str, Self] = {}
        line, last = 1, 0
        for name, at in sorted(positions.items(), key=lambda item: item[1]):
            line += text.count("\n", last, at)
            last = at
            places[name] = cls(line, at - text.rfind("\n", 0, at))
        return places

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def problem_at(text: str, at: int, code: str, message: str) -> Problem:
    """A problem with the line and column of a position in the text."""
    place = Place.of(text, at)
    return Problem(code, message, line=place.line, column=place.column)


def locate(text: str, pointers: Iterable[str]) -> dict[str, Place]:
    """Where the values named by RFC 6901 pointers begin in a valid JSON text; unknown pointers are left out.

    Everything that no pointer leads into is skipped at C speed, so the cost is that of reading the text once.
    """
    text = text.removeprefix("\ufeff")
    tree: _Tree = {}
    for pointer in pointers:
        node = tree
        for part in pointer.split("/")[1:]:
            node = node.setdefault(part.replace("~1", "/").replace("~0", "~"), {})
    found: dict[str, int] = {}
    _descend(text, _space(text, 0), tree, "", found)
    return Place.of_many(text, found)


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _descend(text: str, at: int, tree: _Tree, pointer: str, found: dict[str, int]) -> int:
    """Record the value at ``at`` and what the tree wants below it; the position after the value."""
    found[pointer] = at
    opening = text[at]
    if not tree or opening not in "{[":
        return _SKIP.raw_decode(text, at)[1]
    closing = "}" if opening == "{" else "]"
    number = 0
    at = _space(text, at + 1)
    while text[at] != closing:
        if opening == "{":
            name, at = _SKIP.raw_decode(text, at)
            at = _space(text, _space(text, at) + 1)  # the colon
        else:
            name = str(number)
            number += 1
        if name in tree:
            escaped = name.replace("~", "~0").replace("/", "~1")
            at = _descend(text, at, tree[name], f"{pointer}/{escaped}", found)
        else:
            at = _SKIP.raw_decode(text, at)[1]
        at = _space(text, at)
        if text[at] == ",":
            at = _space(text, at + 1)
    return at + 1
