"""How one try to deliver ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """``arrived``; or ``final`` (no further try would help), ``unwanted`` (not to be sent any more), or
    to be tried again. ``unreachable``: the server itself did not answer, so others for it need not try now.

    ``status_code`` and ``answer`` are an HTTP server's, ``error`` says in a sentence what went wrong.
    """

    arrived: bool = False
    final: bool = False
    unwanted: bool = False
    unreachable: bool = False
    status_code: int | None = None
    answer: str = ""
    error: str = ""

    @classmethod
    def failed(cls, error: str, *, final: bool = False, unreachable: bool = False) -> Outcome:
        """Nothing arrived, and why."""
        return cls(error=error, final=final, unreachable=unreachable)

    @classmethod
    def dropped(cls, why: str) -> Outcome:
        """It is not wanted any more."""
        return cls(unwanted=True, error=why)
