"""What is other in one JSON document than in another, by RFC 6901 pointers.

Rows of a list are told apart by their position, or by columns that identify them: then a row that has only moved
is no difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import islice
from typing import Any

MOST = 200
"""Differences that are listed."""
_LONGEST_ALIGNED = 2000
"""Items of a list up to which an insertion in the middle is told from a change of all that follow."""


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is other. ``pointer`` leads into the new document, for one that was removed into the
    old one; ``before`` and ``after`` are JSON texts, "" where there is none. ``row`` is what identifies the row
    that it belongs to, as "fastqPath /data/a.fastq"; "" where rows are told by their position."""

    pointer: str
    kind: Kind
    before: str
    after: str
    row: str = ""


Columns = tuple[str, ...]
Keys = Mapping[str, Columns]
"""By the pointer of a list: the columns that together identify a row of it."""


def differences(old: Any, new: Any, keys: Keys | None = None) -> list[Difference]:
    """All differences in the order of the documents, at most ``MOST``."""
    return list(islice(_walk(old, new, "", "", keys or {}), MOST))


def _walk(old: Any, new: Any, at: str, row: str, keys: Keys) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _objects(old, new, at, row, keys)
    elif isinstance(old, list) and isinstance(new, list):
        by_key = _by_key(old, new, keys.get(at, ()))
        if by_key is not None:
            yield from _rows(*by_key, at, keys)
        else:
            yield from _lists(old, new, at, row, keys)
    elif _text(old) != _text(new):
        yield Difference(at, Kind.CHANGED, _text(old), _text(new), row)


def _objects(
    old: dict[str, Any], new: dict[str, Any], at: str, row: str, keys: Keys
) -> Iterator[Difference]:
    for key, value in old.items():
        place = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
        if key in new:
            yield from _walk(value, new[key], place, row, keys)
        else:
            yield Difference(place, Kind.REMOVED, _text(value), "", row)
    for key, value in new.items():
        if key not in old:
            place = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
            yield Difference(place, Kind.ADDED, "", _text(value), row)


def _lists(old: list[Any], new: list[Any], at: str, row: str, keys: Keys) -> Iterator[Difference]:
    for begin, end, first, last in _changed_parts(old, new):
        common = min(end - begin, last - first)
        for n in range(common):
            yield from _walk(old[begin + n], new[first + n], f"{at}/{first + n}", row, keys)
        for n in range(begin + common, end):
            yield Difference(f"{at}/{n}", Kind.REMOVED, _text(old[n]), "", row)
        for n in range(first + common, last):
            yield Difference(f"{at}/{n}", Kind.ADDED, "", _text(new[n]), row)


Rows = dict[str, tuple[int, Any]]


def _by_key(old: list[Any], new: list[Any], columns: Columns) -> tuple[Rows, Rows] | None:
    """The rows of both by what identifies them; None where it does not, for lack of columns or by doubles."""
    if not columns:
        return None
    found: list[Rows] = []
    for rows in (old, new):
        named: Rows = {}
        for number, row in enumerate(rows):
            if not isinstance(row, dict) or any(column not in row for column in columns):
                return None
            named[", ".join(f"{column} {_plain(row[column])}" for column in columns)] = (number, row)
        if len(named) != len(rows):
            return None
        found.append(named)
    return found[0], found[1]


def _rows(old: Rows, new: Rows, at: str, keys: Keys) -> Iterator[Difference]:
    for name, (number, row) in old.items():
        if name in new:
            place, value = new[name]
            yield from _walk(row, value, f"{at}/{place}", name, keys)
        else:
            yield Difference(f"{at}/{number}", Kind.REMOVED, _text(row), "", name)
    for name, (number, row) in new.items():
        if name not in old:
            yield Difference(f"{at}/{number}", Kind.ADDED, "", _text(row), name)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _text(value)


def _changed_parts(old: list[Any], new: list[Any]) -> list[tuple[int, int, int, int]]:
    if max(len(old), len(new)) > _LONGEST_ALIGNED:
        return [(0, len(old), 0, len(new))]
    matcher = SequenceMatcher(None, [_text(x) for x in old], [_text(x) for x in new], autojunk=False)
    return [part[1:] for part in matcher.get_opcodes() if part[0] != "equal"]


def _text(value: Any) -> str:
    """JSON, the same for the same value whatever the order of its keys; 1 and 1.0 and true are not the same."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
