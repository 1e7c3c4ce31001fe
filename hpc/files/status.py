"""Looking at one file: its numbers, its type, its checksum."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpc.commands import Command, CommandResult
from hpc.errors import RemoteFileError
from hpc.files.tool import INTERACTIVE, NO_TOOL, accept, far_path, quick, script, tool

_STAT = "%f %i %d %h %u %g %s %X %Y %Z"
_SHA256 = re.compile(r"\\?([0-9a-f]{64}) ")

# file(1) answers "cannot open" as if that were a type, so others complain first, in the usual words
_KIND = (
    '[ -e "$1" ] || [ -L "$1" ] || stat -- "$1" >/dev/null || exit 1; '
    '[ -L "$1" ] || [ -d "$1" ] || [ -r "$1" ] || head -c 1 -- "$1" >/dev/null || exit 1; '
    f"command -v file >/dev/null || {{ echo 'no program file(1)' >&2; exit {NO_TOOL}; }}; "
    'exec file -b -- "$1"'
)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """stat(2) of one file: ``mode`` with its type bits, ``size`` in bytes, times in seconds since 1970."""

    mode: int
    ino: int
    dev: int
    nlink: int
    uid: int
    gid: int
    size: int
    atime: int
    mtime: int
    ctime: int


def status(path: str, *, follow: bool = False, timeout: float = INTERACTIVE) -> Command[FileStatus]:
    """The numbers of one file; of a link itself unless ``follow``.

    The command raises ``FileMissing``, ``FileForbidden`` (a directory on the way may not be searched),
    ``NotADirectory`` (one on the way is none).
    """

    def parse(result: CommandResult) -> FileStatus:
        numbers = accept(path, result).text.split()
        try:
            return FileStatus(int(numbers[0], 16), *map(int, numbers[1:]))
        except (ValueError, TypeError, IndexError) as error:
            raise RemoteFileError(path, f"stat answered {result.text[:200]!r}") from error

    options = ("-L",) if follow else ()
    return quick(("stat", *options, "-c", _STAT, "--", far_path(path)), parse, timeout=timeout)


def kind(path: str, *, timeout: float = INTERACTIVE) -> Command[str]:
    """What file(1) makes of a file, in its words, one line; of a link itself.

    The command raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``, ``ToolMissing``.
    """

    def parse(result: CommandResult) -> str:
        return accept(path, result).text.removesuffix("\n")

    return tool(script("kind", _KIND, (far_path(path),)), parse, timeout=timeout, read_only=True)


def checksum(path: str, *, timeout: float = INTERACTIVE) -> Command[str]:
    """The SHA-256 of a file's content, 64 hexadecimal digits.

    The command raises ``FileMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``.
    """

    def parse(result: CommandResult) -> str:
        # a name with a backslash or a newline puts a backslash before the digits
        found = _SHA256.match(accept(path, result).text)
        if found is None:
            raise RemoteFileError(path, f"sha256sum answered {result.text[:200]!r}")
        return found[1]

    return tool(("sha256sum", "--", far_path(path)), parse, timeout=timeout, read_only=True)
