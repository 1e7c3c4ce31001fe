"""What can be wrong with a request, in the words of the domain; ``api.exceptions`` turns it into HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration or request.

    ``code`` is a stable word ("syntax", "duplicate_key", "required", "enum", …); ``message`` a plain
    sentence that says what was expected; ``pointer`` an RFC 6901 JSON pointer ("" is the whole document);
    ``row`` counts from 1 inside the nearest array; ``line`` and ``column`` count from 1 and are given
    where the text could be located.
    """

    code: str
    message: str
    pointer: str = ""
    row: int | None = None
    line: int | None = None
    column: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: all fields, the unknown ones as null."""
        return asdict(self)


class DomainError(Exception):
    """Base of all refusals; ``message`` says what to do about it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(DomainError):
    """The request is wrong in itself; ``problems`` lists every fault found, ``warnings`` what else was noticed."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__(problems[0].message if problems else "The request is invalid.")
        self.problems = list(problems)
        self.warnings = list(warnings)


class TooLarge(InvalidRequest):
    """The body is over the limit."""


class NotAllowed(DomainError):
    """The person may see the thing but may not do this to it."""


class Missing(DomainError):
    """There is no such thing, or the person may not know of it."""


class Conflict(DomainError):
    """The request contradicts what is already there."""


class Unavailable(DomainError):
    """Something that the request needs does not answer now; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: int = 10) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Closed(Unavailable):
    """The system takes no jobs for a while, as was announced."""


class TooOften(DomainError):
    """More requests than are allowed; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
