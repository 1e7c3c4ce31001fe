"""Reading parts of files on a system, several in one command.

For a single small file ``SystemClient.read`` is quicker; these are for logs: they may be huge, grow or be
cut while they are read, and many are wanted at once. A slice costs the same wherever it lies in the file.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from hpc.commands import DEFAULT_MAX_OUTPUT, DEFAULT_TIMEOUT, MIB, Command, CommandResult
from hpc.errors import BadFrame, FileForbidden, FileMissing, RemoteFileError
from hpc.transports.base import check_path

MAX_SLICES = 500

_SCRIPT = r"""
nonce=$1; shift
while [ $# -ge 3 ]; do
  path=$1 offset=$2 limit=$3; shift 3
  if [ ! -e "$path" ]; then printf '\n@%s missing\n' "$nonce"; continue; fi
  if [ ! -f "$path" ]; then printf '\n@%s other\n' "$nonce"; continue; fi
  if [ ! -r "$path" ]; then printf '\n@%s forbidden\n' "$nonce"; continue; fi
  size=$(stat -L -c %s -- "$path") || { printf '\n@%s missing\n' "$nonce"; continue; }
  if [ "$offset" -lt 0 ]; then offset=$((size + offset)); fi
  if [ "$offset" -lt 0 ]; then offset=0; fi
  printf '\n@%s slice %s %s\n' "$nonce" "$size" "$offset"
  dd if="$path" iflag=skip_bytes,count_bytes skip="$offset" count="$limit" bs=65536 status=none
done
printf '\n@%s end\n' "$nonce"
"""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """``data`` starts at byte ``offset`` of a file that had ``size`` bytes when it was looked at.

    A ``size`` below the offset that was asked for means that the file was cut; ``data`` is then empty.
    """

    data: bytes
    size: int
    offset: int


def read_range(
    path: str, offset: int, limit: int, *, timeout: float = DEFAULT_TIMEOUT
) -> Command[FileSlice]:
    """At most ``limit`` bytes from ``offset``; a negative offset counts from the end.

    The command raises ``FileMissing``, ``FileForbidden`` or ``RemoteFileError`` (no regular file).
    """

    def pick(slices: list[FileSlice | RemoteFileError]) -> FileSlice:
        if isinstance(slices[0], RemoteFileError):
            raise slices[0]
        return slices[0]

    nonce = secrets.token_hex(16)
    return Command(
        argv=_argv(nonce, [(path, offset, limit)]),
        parse=lambda result: pick(_slices(result, nonce, [path])),
        timeout=timeout,
        max_output=limit + MIB,
        read_only=True,
        kept=True,
    )


def tails(wanted: Sequence[tuple[str, int]]) -> Command[list[FileSlice | None]]:
    """The last bytes of several files, (path, bytes) each, in one command.

    In the order asked for; None for a file that is missing, unreadable or not a regular file.
    """
    return pieces([(path, -limit, limit) for path, limit in wanted])


def pieces(wanted: Sequence[tuple[str, int, int]]) -> Command[list[FileSlice | None]]:
    """Parts of several files, (path, offset, bytes) each as for ``read_range``, in one command; as ``tails``."""
    if not 0 < len(wanted) <= MAX_SLICES:
        raise ValueError(f"{len(wanted)} files asked for, expected 1 to {MAX_SLICES}")
    nonce = secrets.token_hex(16)
    paths = [path for path, _, _ in wanted]

    def parse(result: CommandResult) -> list[FileSlice | None]:
        found = _slices(result, nonce, paths)
        return [item if isinstance(item, FileSlice) else None for item in found]

    return Command(
        argv=_argv(nonce, wanted),
        parse=parse,
        max_output=max(DEFAULT_MAX_OUTPUT, sum(limit for _, _, limit in wanted) + MIB),
        read_only=True,
        kept=True,
    )


def _argv(nonce: str, wanted: Sequence[tuple[str, int, int]]) -> tuple[str, ...]:
    arguments: list[str] = []
    for path, offset, limit in wanted:
        if limit < 0:
            raise ValueError(f"limit is {limit}, expected a number of bytes from 0")
        arguments += [check_path(path), str(offset), str(limit)]
    return ("/bin/sh", "-c", _SCRIPT, "centro-read", nonce, *arguments)


def _slices(
    result: CommandResult, nonce: str, paths: Sequence[str]
) -> list[FileSlice | RemoteFileError]:
    """Cut the answer at its marker lines: one a file, then the end."""
    parts = re.split(rb"\n@" + nonce.encode("ascii") + rb" ([a-z]+[ 0-9]*)\n", result.stdout)
    heads, bodies = parts[1::2], parts[2::2]
    if result.exit_code != 0 or len(heads) != len(paths) + 1 or heads[-1] != b"end":
        raise BadFrame(f"the files could not be read whole: {result.error_text[:300]}")
    return [
        _slice(path, head, body) for path, head, body in zip(paths, heads, bodies, strict=False)
    ]


def _slice(path: str, head: bytes, body: bytes) -> FileSlice | RemoteFileError:
    match head.split():
        case [b"slice", size, offset]:
            return FileSlice(body, int(size), int(offset))
        case [b"missing"]:
            return FileMissing(path, "no such file or directory")
        case [b"forbidden"]:
            return FileForbidden(path, "permission denied")
        case _:
            return RemoteFileError(path, "is not a regular file")
