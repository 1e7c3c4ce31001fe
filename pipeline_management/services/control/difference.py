"""What is other in one JSON document than in another, by RFC 6901 pointers."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    old one; ``before`` and ``after`` are JSON texts, "" where there is none."""

    pointer: str
    kind: Kind
    before: str
    after: str


def differences(old: Any, new: Any) -> list[Difference]:
    """All differences in the order of the documents, at most ``MOST``."""
    return list(islice(_walk(old, new, ""), MOST))


def _walk(old: Any, new: Any, at: str) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _objects(old, new, at)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(old, new, at)
    elif _text(old) != _text(new):
        yield Difference(at, Kind.CHANGED, _text(old), _text(new))


def _objects(old: dict[str, Any], new: dict[str, Any], at: str) -> Iterator[Difference]:
    for key, value in old.items():
        place = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
        if key in new:
            yield from _walk(value, new[key], place)
        else:
            yield Difference(place, Kind.REMOVED, _text(value), "")
    for key, value in new.items():
        if key not in old:
            place = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
            yield Difference(place, Kind.ADDED, "", _text(value))


def _lists(old: list[Any], new: list[Any], at: str) -> Iterator[Difference]:
    for begin, end, first, last in _changed_parts(old, new):
        common = min(end - begin, last - first)
        for n in range(common):
            yield from _walk(old[begin + n], new[first + n], f"{at}/{first + n}")
        for n in range(begin + common, end):
            yield Difference(f"{at}/{n}", Kind.REMOVED, _text(old[n]), "")
        for n in range(first + common, last):
            yield Difference(f"{at}/{n}", Kind.ADDED, "", _text(new[n]))


def _changed_parts(old: list[Any], new: list[Any]) -> list[tuple[int, int, int, int]]:
    if max(len(old), len(new)) > _LONGEST_ALIGNED:
        return [(0, len(old), 0, len(new))]
    matcher = SequenceMatcher(None, [_text(x) for x in old], [_text(x) for x in new], autojunk=False)
    return [part[1:] for part in matcher.get_opcodes() if part[0] != "equal"]


def _text(value: Any) -> str:
    """JSON, the same for the same value whatever the order of its keys; 1 and 1.0 and true are not the same."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
