"""Regular expressions of configuration schemas, run on values that people post, within a time limit.

Python's ``re`` cannot be stopped, and one nested quantifier makes it run for years on 40 characters;
the ``regex`` package takes a time-out. Patterns follow ECMA 262, as JSON Schema asks: ``$`` is the very
end (in Python it also matches before a final line break), ``\\d`` and ``\\w`` are ASCII.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import regex  # type: ignore[import-untyped]  # the package has no type information

SEARCH_SECONDS = 0.5
TOTAL_SECONDS = 2.0


class PatternTooSlow(Exception):
    """A pattern took too long on a value. ``pattern`` is its text."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.pattern = pattern


class _Spent(threading.local):
    seconds = 0.0


_spent = _Spent()


@contextmanager
def limited() -> Iterator[None]:
    """Within the block all searches of this thread together get ``TOTAL_SECONDS``."""
    _spent.seconds = 0.0
    try:
        yield
    finally:
        _spent.seconds = 0.0


@lru_cache(maxsize=2000)
def compiled(pattern: str) -> Any:
    """The pattern ready to search. Raises ``ValueError`` saying what is wrong with it."""
    try:
        return regex.compile(_with_strict_end(pattern), flags=regex.ASCII)
    except regex.error as error:
        raise ValueError(f"the pattern {pattern!r} is not valid: {error}") from error


def _with_strict_end(pattern: str) -> str:
    r"""``$`` outside of brackets and not escaped becomes ``\Z``."""
    result: list[str] = []
    in_class = escaped = False
    for sign in pattern:
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign == "$":
            sign = r"\Z"
        result.append(sign)
    return "".join(result)


def found(pattern: str, value: str) -> bool:
    """Whether the pattern matches anywhere in the value.

    Raises ``PatternTooSlow`` after ``SEARCH_SECONDS`` for this search or ``TOTAL_SECONDS`` for all
    searches of the ``limited`` block.
    """
    started = time.perf_counter()
    try:
        return compiled(pattern).search(value, timeout=SEARCH_SECONDS) is not None
    except TimeoutError:
        raise PatternTooSlow(pattern) from None
    finally:
        _spent.seconds += time.perf_counter() - started
        if _spent.seconds > TOTAL_SECONDS:
            raise PatternTooSlow(pattern)
