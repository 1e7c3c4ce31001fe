"""Strict reading of query parameters: an unknown name or a bad value is an error that names it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import UTC, datetime

from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from api.exceptions import BadParameter


def refuse_unknown(query: QueryDict, allowed: Iterable[str]) -> None:
    """Raises ``BadParameter`` for the first parameter that the address does not know."""
    known = sorted(allowed)
    for name in query:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean “{near[0]}”?" if near else ""
        listed = f" Known: {', '.join(known)}." if known else " This address takes none."
        raise BadParameter(
            name[:100],
            f"Unknown query parameter “{name[:100]}”.{hint}{listed}",
            "unknown_parameter",
        )


class Parameters:
    """The query parameters of one request. Every method raises ``BadParameter`` naming the parameter.

    A parameter that takes one value and is given twice is an error too.
    """

    def __init__(self, query: QueryDict) -> None:
        self._query = query

    def text(self, name: str, longest: int = 200) -> str | None:
        """A value of 1 to ``longest`` printable characters, or None if not given."""
        value = self.whole(name)
        if value is None:
            return None
        if not value or len(value) > longest or not value.isprintable():
            raise BadParameter(name, f"“{name}” must be 1 to {longest} printable characters.")
        return value

    def whole(self, name: str) -> str | None:
        """A value whatever it holds, or None if not given."""
        values = self._query.getlist(name)
        if len(values) > 1:
            raise BadParameter(name, f"“{name}” is given {len(values)} times; give it once.")
        return values[0] if values else None

    def choice(self, name: str, allowed: Iterable[str]) -> str | None:
        """One of the allowed words, or None."""
        value = self.text(name)
        if value is not None:
            self._require(name, value, list(allowed))
        return value

    def several(self, name: str, allowed: Iterable[str]) -> list[str]:
        """Any number of the allowed words, by repeating the parameter or with commas between."""
        words = [word for value in self._query.getlist(name) for word in value.split(",")]
        choices = list(allowed)
        for word in words:
            self._require(name, word, choices)
        return words

    @staticmethod
    def _require(name: str, value: str, allowed: list[str]) -> None:
        if value not in allowed:
            shown = value[:60]
            raise BadParameter(
                name, f"“{name}” is “{shown}”; expected one of {', '.join(allowed)}."
            )

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        """A whole number in the range, or None."""
        value = self.text(name, 20)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit() and lowest <= int(value) <= highest:
            return int(value)
        raise BadParameter(
            name, f"“{name}” is “{value}”; expected a whole number from {lowest} to {highest}."
        )

    def flag(self, name: str) -> bool:
        """1 or true, 0 or false; False if not given."""
        return self.choice(name, ("1", "true", "0", "false")) in ("1", "true")

    def moment(self, name: str) -> datetime | None:
        """An aware time; a date alone is its midnight in UTC. A time without a zone is an error."""
        value = self.text(name, 40)
        if value is None:
            return None
        # In a query "+" is a space, and nobody remembers to write %2B.
        candidate = value.replace(" ", "+") if "T" in value else value
        try:
            moment = parse_datetime(candidate) if len(candidate) > 10 else None
            day = parse_date(candidate) if moment is None else None
        except ValueError:
            moment = day = None
        if day is not None:
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        if moment is None or moment.tzinfo is None:
            raise BadParameter(
                name,
                f"“{name}” is “{value}”; expected a date (2026-11-22) or a time with its zone "
                "(2026-11-22T10:00:00Z).",
            )
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise BadParameter(
                name, f"“{name}” is “{value}”; that is outside the calendar."
            ) from None
