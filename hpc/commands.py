"""A command as data: what to run, what to feed it, how to read its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MIB = 1024 * 1024
DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_OUTPUT = 8 * MIB


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What came back: exit code, both streams as bytes, wall seconds.

    The streams hold only what the command itself printed, never the login shell's noise.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration: float

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Standard error as text, stripped."""
        return self.stderr.decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class Command(Generic[T]):
    """One command line and the function that reads its result.

    ``argv`` is never joined by the author of a command; ``stdin`` is what the command reads; ``cwd`` is
    an absolute directory or None; ``env`` is added to the environment. ``timeout`` is in seconds in total.
    ``max_output`` caps stdout and stderr together, in bytes. ``read_only`` says that running it twice does
    no harm, so that a broken connection may be retried once. ``parse`` raises only ``HpcError``.

    ``kept``: may run in a shell that is kept for many commands, which saves the far side a log-in shell each.
    Only for programs that leave nothing running behind, and that may run twice.
    """

    argv: tuple[str, ...]
    parse: Callable[[CommandResult], T]
    stdin: bytes | None = None
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    max_output: int = DEFAULT_MAX_OUTPUT
    read_only: bool = False
    kept: bool = False
