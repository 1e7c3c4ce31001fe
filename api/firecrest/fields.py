"""Reading query parameters and form fields by FirecREST's rules, with its wording of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

FORBIDDEN = re.compile(r"""[<>|;"'&\\()`\x00-\x1f]""")
"""What no path, name or list may contain. ``$`` is allowed and means itself."""

_TRUE = ("true", "yes", "1")
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class Refuse(Protocol):
    """Makes the error to raise; see ``FirecrestView.refuse``."""

    def __call__(self, status: int, error: str | None = None) -> Exception: ...


class Fields:
    """The fields of one request. Every method raises what ``refuse`` makes: 400 naming the field.

    ``lossy`` says that bytes which are no UTF-8 came as U+FFFD: such a value would name another file.
    A field that is given more than once counts with its first value.
    """

    def __init__(
        self, values: Mapping[str, Sequence[str]], refuse: Refuse, *, lossy: bool = False
    ) -> None:
        self._values = values
        self._refuse = refuse
        self._lossy = lossy

    def has(self, name: str) -> bool:
        """Whether the field is there at all, with whatever value."""
        return name in self._values

    def raw(self, name: str) -> str | None:
        """The value as sent, unchecked; None if absent."""
        values = self._values.get(name)
        return values[0] if values else None

    def text(self, name: str, *, label: str | None = None) -> str:
        """A value that must be there: not empty, without forbidden characters.

        ``label`` stands for the quoted name in the error text.
        """
        value = self.raw(name)
        if value is None:
            raise self._refuse(400, f"{label or repr(name)} not specified")
        return self.checked(value, label or f"'{name}'")

    def optional(self, name: str, *, blank_is_absent: bool = False) -> str | None:
        """None if absent; empty is an error unless ``blank_is_absent``; else as ``text``."""
        value = self.raw(name)
        if value is None or (blank_is_absent and not value):
            return None
        return self.checked(value, f"'{name}'")

    def checked(self, value: str, label: str) -> str:
        """The value, if it is not empty and has no forbidden character."""
        if not value:
            raise self._refuse(400, f"{label} is empty")
        if FORBIDDEN.search(value) or not self._is_whole(value):
            raise self._refuse(400, f"{label} has invalid char")
        return value

    def _is_whole(self, value: str) -> bool:
        """Whether the value is what the client sent, and can be sent on as bytes."""
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return False
        return not (self._lossy and _REPLACED in value)

    def flag(self, name: str, default: bool = False) -> bool:
        """True for true, yes and 1 in any case; false for all else; ``default`` if absent."""
        value = self.raw(name)
        return default if value is None else value.strip().lower() in _TRUE

    def number(self, name: str) -> int | None:
        """A whole number, or None where the field is absent or unreadable, as upstream does."""
        value = self.raw(name)
        if value is None or not re.fullmatch(r"[+-]?[0-9]{1,15}", value.strip(), re.ASCII):
            return None
        return int(value)
