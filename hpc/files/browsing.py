"""What a person sees of a system's files: a directory, one entry, a part of a file, files by pattern.

Each is one round trip. ``roots`` confines it: what lies outside of all these directories once every link is
followed is refused, even where somebody changes a link at that very moment, because the far side first opens
and then asks where it is (``/proc/self/fd``, so it needs Linux there). No roots: wherever the account may read.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import FileForbidden, RemoteFileError
from hpc.files.globs import find_pattern, glob_depth
from hpc.files.listing import MAX_LISTING, Entry
from hpc.files.tool import (
    FORBIDDEN,
    INTERACTIVE,
    IS_DIRECTORY,
    NO_DIRECTORY,
    NOT_REGULAR,
    accept,
    far_path,
    quick,
    refusal,
    script,
    tool,
    worded,
)
from hpc.protocol.reports import TOKEN_FILE

MOST_MATCHED = 2 * MIB
"""Bytes of names that files by pattern may have together; some 10,000 files."""

_OUTSIDE = 208
_FORMAT = r"%P\0%M\0%U\0%G\0%T@\0%s\0%l\0%Y\0"
_FIELDS = 8
# within roots the run's token is nobody's to read, whatever link leads to it
_INSIDE = (
    f"inside() {{ p=$1; shift; [ $# -gt 0 ] || return 0; case $p in */{TOKEN_FILE}) return 1;; esac; for r do "
    'r=$(cd -P -- "$r" 2>/dev/null && pwd -P && echo .) || continue; r=${r%??}; '
    'case $p/ in "${r%/}"/*) return 0;; esac; done; return 1; }; '
)
_ENTER = _INSIDE + (
    '[ -e "$d" ] || stat -L -- "$d" >/dev/null || exit 1; '
    f'[ -d "$d" ] || exit {NO_DIRECTORY}; [ -r "$d" ] && [ -x "$d" ] || exit {FORBIDDEN}; '
    f'cd -P -- "$d" || exit {FORBIDDEN}; p=$(pwd -P && echo .) || exit 1; p=${{p%??}}; '
)
_BROWSE = (
    "d=$1 f=$2; shift 2; " + _ENTER + f'inside "$p" "$@" || exit {_OUTSIDE}; printf "%s\\0" "$p"; '
    'exec find . -mindepth 1 -maxdepth 1 -printf "$f"'
)
_PEEK = _INSIDE + (
    f'f=$1 at=$2 n=$3; shift 3; [ ! -d "$f" ] || exit {IS_DIRECTORY}; '
    '[ -e "$f" ] || stat -L -- "$f" >/dev/null || exit 1; '
    f'[ -f "$f" ] || exit {NOT_REGULAR}; [ -r "$f" ] || head -c 1 -- "$f" >/dev/null || exit 1; exec 3<"$f" || exit 1; '
    f"if [ $# -gt 0 ]; then p=$(readlink -- /proc/self/fd/3 && echo .) || exit {_OUTSIDE}; "
    f'inside "${{p%??}}" "$@" || exit {_OUTSIDE}; fi; '
    'stat -L -c "%s %Y" - <&3 || exit 1; [ "$n" -gt 0 ] || exit 0; '
    'exec dd iflag=skip_bytes,count_bytes skip="$at" count="$n" bs=65536 status=none <&3'
)
# a file that ends while it is read, or a directory below that may not be read, spoils nothing
_MATCH = (
    "d=$1 f=$2 most=$3; shift 3; "
    + _ENTER
    + 'find . "$@" -printf "$f" 2>/dev/null | head -c "$most"'
)
_HARMLESS = ("No such file or directory", "Too many levels of symbolic links")


@dataclass(slots=True)
class Seen(Entry):
    """An entry with the time of its last change in seconds since 1970, and the type letter of what it leads to.

    ``leads_to`` is as ``kind`` of find(1)'s ``%Y``: "f", "d", … and "N", "L" or "?" for a link to nothing.
    ``last_modified`` is empty.
    """

    modified: float
    leads_to: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, or a link to one."""
        return self.leads_to == "d"

    @property
    def is_broken(self) -> bool:
        """Whether it is a link that leads nowhere."""
        return self.kind == "l" and self.leads_to in "NL?"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: its real path, links resolved, and what is in it, in no order, dot files included."""

    path: str
    entries: list[Seen]


@dataclass(frozen=True, slots=True)
class Peek:
    """Bytes from ``offset`` on of a file that had ``size`` bytes and was last changed at ``modified`` (epoch)."""

    data: bytes
    offset: int
    size: int
    modified: float

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Match:
    """A file that fits a pattern: its path below the directory that was searched; of a link no size is known."""

    path: str
    size: int | None
    modified: float


def browse(
    path: str, roots: Sequence[str] = (), *, timeout: float = INTERACTIVE
) -> Command[Directory]:
    """What is in a directory; a path that is a link to one is followed. Users and groups come as numbers.

    The command raises ``FileMissing``, ``NotADirectory``, ``FileForbidden`` (also: outside of the roots),
    ``OutputTooLarge`` beyond some 150,000 entries.
    """

    def parse(result: CommandResult) -> Directory:
        _inside(path, result)
        head, separator, rest = result.stdout.partition(b"\0")
        if not separator:
            raise refusal(path, result)
        if result.exit_code != 0:
            _judge(path, result)
        entries = _entries(rest)
        if roots:
            entries = [entry for entry in entries if entry.name != TOKEN_FILE]
        return Directory(os.fsdecode(head), entries)

    words = (far_path(path), _FORMAT, *map(far_path, roots))
    return quick(script("browse", _BROWSE, words), parse, timeout=timeout, max_output=MAX_LISTING)


def describe(path: str, *, timeout: float = INTERACTIVE) -> Command[Seen]:
    """One entry as it stands in its directory, a link as a link; ``name`` is its base name.

    The command raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``.
    """

    def parse(result: CommandResult) -> Seen:
        found = _entries(accept(path, result).stdout)
        if len(found) != 1:
            raise RemoteFileError(path, f"find answered {result.text[:200]!r}")
        found[0].name = posixpath.basename(path.rstrip("/"))
        return found[0]

    argv = ("find", far_path(path), "-maxdepth", "0", "-printf", _FORMAT)
    return quick(argv, parse, timeout=timeout)


def peek(
    path: str, offset: int, count: int, roots: Sequence[str] = (), *, timeout: float = INTERACTIVE
) -> Command[Peek]:
    """At most ``count`` bytes of a regular file from ``offset``, links followed; 0 asks for size and time only.

    The command raises ``FileMissing``, ``FileForbidden`` (also: outside of the roots), ``IsADirectory``,
    ``NotADirectory``, ``NotRegular``.
    """
    if offset < 0 or count < 0:
        raise ValueError(f"{count} bytes from {offset}: expected numbers from 0")

    def parse(result: CommandResult) -> Peek:
        _inside(path, result)
        head, _, data = accept(path, result).stdout.partition(b"\n")
        size, _, modified = head.partition(b" ")
        if not size.isdigit():
            raise RemoteFileError(path, f"stat answered {head[:200]!r}")
        return Peek(data, offset, int(size), float(modified))

    words = (far_path(path), str(offset), str(count), *map(far_path, roots))
    most = count + MIB
    return quick(script("peek", _PEEK, words), parse, timeout=timeout, max_output=most)


def matching(
    path: str, patterns: Sequence[str], *, timeout: float = INTERACTIVE
) -> Command[list[Match]]:
    """Files below a directory that may fit one of the patterns of ``hpc.files.globs``, by path; links to files, too.

    The far side knows ``**`` less exactly than ``globs.matches``, which the caller asks about each.
    More than fit into ``MOST_MATCHED`` bytes are left out. The command raises ``FileMissing``,
    ``NotADirectory``, ``FileForbidden``, ``CommandTimeout``.
    """

    def parse(result: CommandResult) -> list[Match]:
        found = _entries(accept(path, result).stdout)
        files = [
            Match(entry.name, None if entry.kind == "l" else entry.size, entry.modified)
            for entry in found
            if entry.leads_to == "f"
        ]
        return sorted(files, key=lambda match: match.path)

    tests: list[str] = []
    for pattern in patterns:
        tests += ["-o"] if tests else []
        tests += ["-path", find_pattern(pattern)]
    depth = max(map(glob_depth, patterns))
    words = ("-maxdepth", str(depth), "(", "-type", "f", "-o", "-type", "l", ")", "(", *tests, ")")
    argv = script("match", _MATCH, (far_path(path), _FORMAT, str(MOST_MATCHED), *words))
    return tool(argv, parse, timeout=timeout, read_only=True)


def _inside(path: str, result: CommandResult) -> None:
    if result.exit_code == _OUTSIDE:
        raise FileForbidden(path, "leads out of the directory that may be looked at")


def _entries(data: bytes) -> list[Seen]:
    fields = iter(data.decode("utf-8", "surrogateescape").split("\0"))
    return [
        Seen(name, mode[0], target, user, group, mode[1:], "", int(size), float(at), leads_to)
        for name, mode, user, group, at, size, target, leads_to in zip(
            *[fields] * _FIELDS, strict=False
        )
    ]


def _judge(path: str, result: CommandResult) -> None:
    """Tell what spoils the list from what does not: files that just went away."""
    for line in result.error_text.splitlines():
        if not line.endswith(_HARMLESS):
            raise worded(path, line)
