"""How a file operation becomes a command that cannot outlive its time, and how its refusal is classified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hpc.commands import DEFAULT_MAX_OUTPUT, Command, CommandResult
from hpc.errors import (
    CommandTimeout,
    FileExists,
    FileForbidden,
    FileMissing,
    HpcError,
    IsADirectory,
    NotADirectory,
    NotRegular,
    ParentMissing,
    RemoteFileError,
    ToolMissing,
)

T = TypeVar("T")
Refusals = Mapping[type[RemoteFileError], type[RemoteFileError]]

C_LOCALE = (("LC_ALL", "C"),)
INTERACTIVE = 5.0

IS_DIRECTORY = 201
NO_DIRECTORY = 202
NOT_REGULAR = 203
TOO_LARGE = 204
NO_TOOL = 205
FORBIDDEN = 206
NO_PARENT = 207
"""What our own scripts exit with. Programs stay below 129, and a shell tells signals by 129 to 192."""

_OUR_CODES: dict[int, tuple[type[RemoteFileError], str]] = {
    IS_DIRECTORY: (IsADirectory, "is a directory"),
    NO_DIRECTORY: (NotADirectory, "is not a directory"),
    NOT_REGULAR: (NotRegular, "is not a regular file"),
    FORBIDDEN: (FileForbidden, "permission denied"),
    NO_PARENT: (ParentMissing, "no such directory"),
}
_CLOSING_WORDS: dict[str, type[RemoteFileError]] = {
    "No such file or directory": FileMissing,
    "No such file": FileMissing,  # dash, of a file that it opens for reading
    "Directory nonexistent": FileMissing,  # dash, of one that it creates
    "Permission denied": FileForbidden,
    "Operation not permitted": FileForbidden,
    "File exists": FileExists,
    "Is a directory": IsADirectory,
    "Not a directory": NotADirectory,
}
_OVER_TIME = 124  # timeout(1) ended the command
_KILLED = 137  # … which did not heed TERM, so KILL took timeout(1) as well
_NOT_FOUND = 127
_MORE = 2.0  # seconds that we wait longer than the far side, so that the connection stays usable


def far_path(path: str) -> str:
    """The path as an argument that no program takes for an option.

    Raises ``ValueError`` for an empty one, one with a NUL, or one that cannot be encoded.
    """
    if not path or "\0" in path:
        raise ValueError(f"path {path!r} is empty or contains a NUL byte")
    path.encode("utf-8", "surrogateescape")
    return path if path.startswith("/") else f"./{path}"


def tool(
    argv: tuple[str, ...],
    parse: Callable[[CommandResult], T],
    *,
    timeout: float = INTERACTIVE,
    read_only: bool = False,
    max_output: int = DEFAULT_MAX_OUTPUT,
) -> Command[T]:
    """A program that the far side itself ends after ``timeout`` seconds, with all its children.

    Closing the channel would not end it: a process without a terminal gets no signal from sshd.
    """
    limit = ("timeout", "-k", "1", f"{timeout:.3f}", *argv)
    return Command(
        limit, parse, None, None, C_LOCALE, timeout + _MORE, max_output, read_only, read_only
    )


def quick(
    argv: tuple[str, ...],
    parse: Callable[[CommandResult], T],
    *,
    timeout: float = INTERACTIVE,
    max_output: int = DEFAULT_MAX_OUTPUT,
) -> Command[T]:
    """A program that only looks: no guard, which would cost a process, as it ends when nobody reads it."""
    return Command(argv, parse, None, None, C_LOCALE, timeout, max_output, True, True)


def script(name: str, text: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """The argv of a constant script; ``words`` are its parameters from ``$1`` on."""
    return ("/bin/sh", "-c", text, f"centro-{name}", *words)


def accept(path: str, result: CommandResult, instead: Refusals | None = None) -> CommandResult:
    """The result of a command that succeeded, else its refusal is raised; see ``refusal``."""
    if result.exit_code != 0:
        raise refusal(path, result, instead)
    return result


def nothing(path: str, instead: Refusals | None = None) -> Callable[[CommandResult], None]:
    """A parse function for commands that have nothing to say when all is well."""

    def parse(result: CommandResult) -> None:
        accept(path, result, instead)

    return parse


def refusal(path: str, result: CommandResult, instead: Refusals | None = None) -> HpcError:
    """Why a command failed, in a class of ours; ``instead`` gives another class where it is known better.

    ``path`` is the one that the caller asked for. The first line decides: what follows it follows from it.
    """
    if result.exit_code == _OVER_TIME or result.exit_code == _KILLED:
        return CommandTimeout(f"{path}: the command did not end in time and was ended")
    first = result.error_text.split("\n", 1)[0]
    if result.exit_code in (_NOT_FOUND, NO_TOOL):
        return ToolMissing(path, first or "the system lacks a program for this")
    if result.exit_code in _OUR_CODES:
        kind, reason = _OUR_CODES[result.exit_code]
        return kind(path, reason)
    return worded(path, first or f"failed with exit code {result.exit_code}", instead)


def worded(path: str, line: str, instead: Refusals | None = None) -> RemoteFileError:
    """The class for what a program of coreutils or find(1) said in the C locale."""
    closing = line.rsplit(": ", 1)[-1].removesuffix(")")
    kind = _CLOSING_WORDS.get(closing)
    if kind is None:
        return RemoteFileError(path, line)
    return (instead or {}).get(kind, kind)(path, closing[0].lower() + closing[1:])
