"""What Python's JSON reader lets pass and Centro does not: depth, duplicate keys, NaN, odd characters.

Called only for texts in which a fault is known to be. Every search is linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pipeline_management.errors import InvalidRequest, Problem
from pipeline_management.services.json_places import Place, problem_at
from pipeline_management.services.json_syntax import SPACES, STRING, STRUCTURE, not_a_number

MAX_DEPTH = 100
"""Levels of objects and lists within each other."""

MAX_INTEGER_DIGITS = 300
"""Longest integer; every such number is still finite as a double (1.8e308)."""

MAX_PROBLEMS = 100

_STRINGS = re.compile(STRING, re.DOTALL)
_NUMBERS = re.compile(STRING + r"|-?(?:NaN|Infinity|[0-9][0-9.eE+-]*+)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def check_depth(text: str) -> None:
    """Raises ``InvalidRequest`` where brackets are nested more than ``MAX_DEPTH`` deep."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in STRUCTURE.finditer(text):
        sign = match[0]
        if sign in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                message = f"Objects and lists are nested more than {MAX_DEPTH} levels deep."
                raise InvalidRequest([problem_at(text, match.start(), "too_deep", message)])
        elif sign in "]}":
            depth -= 1


def bad_numbers(text: str) -> list[Problem]:
    """Every NaN, infinity and number that is too large, in a text that is otherwise well formed."""
    problems = []
    for match in _NUMBERS.finditer(text):
        found = match[0]
        if found.startswith('"'):
            continue
        if found[-1] in "Ny":
            problems.append(problem_at(text, match.start(), "nan", not_a_number(found)))
        elif _is_out_of_range(found):
            shown = found if len(found) <= 30 else f"{found[:20]}… ({len(found)} characters)"
            problems.append(
                problem_at(
                    text,
                    match.start(),
                    "number",
                    f"The number {shown} is out of range: numbers go up to 1.7e308, integers up to "
                    f"{MAX_INTEGER_DIGITS} digits. Longer identifiers are strings.",
                )
            )
        if len(problems) == MAX_PROBLEMS:
            break
    return problems


def _is_out_of_range(number: str) -> bool:
    if number.lstrip("-").isdigit():
        return len(number) > MAX_INTEGER_DIGITS
    return float(number) in (float("inf"), float("-inf"))


def bad_characters(text: str) -> list[Problem]:
    """Strings with half of a surrogate pair or a NUL: neither can be stored, nor given to a job."""
    problems = []
    for match in _STRINGS.finditer(text):
        if "\\u" not in match[0]:
            continue
        value = json.loads(match[0])
        if "\0" in value:
            message = "A string contains \\u0000 (NUL), which no job script can receive."
            problems.append(
                problem_at(text, match.start() + _offset(match[0], "u0000"), "nul", message)
            )
        elif not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            message = (
                "A string contains half of a surrogate pair (\\ud800 to \\udfff); characters beyond "
                "U+FFFF need both halves."
            )
            problems.append(problem_at(text, match.start(), "surrogate", message))
        if len(problems) == MAX_PROBLEMS:
            break
    return problems


def _offset(literal: str, escape: str) -> int:
    return next((m.start() for m in _ESCAPE.finditer(literal) if m[1] == escape), 0)


def duplicate_keys(text: str, ordinals: list[int]) -> list[Problem]:
    """The keys given twice, in the objects whose ends are the n-th closing braces of the text."""
    problems: list[Problem] = []
    for start in _objects(text, set(ordinals)):
        first: dict[str, int] = {}
        for name, at in _keys(text, start):
            if name in first:
                earlier = Place.of(text, first[name])
                message = (
                    f"The key {_short(name)} is given twice in the same object: "
                    f"first in line {earlier.line}, again in line {Place.of(text, at).line}."
                )
                problems.append(problem_at(text, at, "duplicate_key", message))
                if len(problems) == MAX_PROBLEMS:
                    break
            first.setdefault(name, at)
        if len(problems) >= MAX_PROBLEMS:
            break
    return sorted(problems, key=lambda p: (p.line or 0, p.column or 0))[:MAX_PROBLEMS]


def _short(name: str) -> str:
    return json.dumps(name if len(name) <= 60 else name[:60] + "…", ensure_ascii=False)


def _objects(text: str, ordinals: set[int]) -> Iterator[int]:
    stack: list[int] = []
    closed = 0
    for match in STRUCTURE.finditer(text):
        if match[0] == "{":
            stack.append(match.start())
        elif match[0] == "}":
            closed += 1
            start = stack.pop()
            if closed in ordinals:
                yield start


def _keys(text: str, start: int) -> Iterator[tuple[str, int]]:
    """The keys of the object that begins at ``start``, each with its place; values are skipped."""
    reader = json.JSONDecoder()
    at = start + 1
    while True:
        while text[at] in SPACES + ",":
            at += 1
        if text[at] == "}":
            return
        key_at = at
        name, at = reader.raw_decode(text, at)
        while text[at] in SPACES + ":":
            at += 1
        _, at = reader.raw_decode(text, at)
        yield name, key_at
