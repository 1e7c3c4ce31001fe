"""Listing directories: one find(1), whatever the names look like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import FileForbidden, ParentForbidden
from hpc.files.tool import INTERACTIVE, far_path, quick, refusal, script, tool, worded

MAX_LISTING = 64 * MIB

_FIELDS = 7
_NAMES = r"%P\0%M\0%u\0%g\0%T+\0%s\0%l\0"
_IDS = r"%P\0%M\0%U\0%G\0%T+\0%s\0%l\0"

# find -L leaves out links that lead nowhere but to themselves: those are added as they are
_FOLLOW = (
    "p=$1 f=$2; shift 2; "
    'find -L "$p" "$@" -printf "$f"; r=$?; find -P "$p" "$@" -type l -printf "$f" 2>/dev/null; exit $r'
)
_HARMLESS = (
    "No such file or directory",  # went away while we were looking
    "Too many levels of symbolic links",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory.

    ``name`` is relative to the directory asked for; a path that is no directory gives one entry, named as
    asked. ``kind`` is the type letter of ls(1): one of ``-dlbcsp``. ``link_target`` is what a link holds,
    else "". ``permissions`` are nine characters. ``last_modified`` is YYYY-MM-DDTHH:MM:SS in the local
    time of the system. ``size`` is in bytes.
    """

    name: str
    kind: str
    link_target: str
    user: str
    group: str
    permissions: str
    last_modified: str
    size: int


def listing(
    path: str,
    *,
    hidden: bool = False,
    recursive: bool = False,
    numeric: bool = False,
    follow: bool = False,
    timeout: float = INTERACTIVE,
) -> Command[list[Entry]]:
    """What is in a directory, in the order of the names' bytes, without "." and "..".

    ``hidden``: also names that begin with a dot. ``recursive``: also what is in the directories below,
    named ``sub/name``. ``numeric``: ids in place of the names of users and groups. ``follow``: describe
    what links point to, where they point to something, and take a link for the path itself; without it
    a link to a directory is one entry, as for ``ls -l``.

    The command raises ``FileMissing``, ``NotADirectory`` (on the way), ``ParentForbidden``,
    ``FileForbidden`` (a directory may not be read, in a recursive listing also one below).
    """
    far = far_path(path)
    tests: tuple[str, ...] = () if recursive else ("-maxdepth", "1")
    if recursive and not hidden:  # not to look into them at all: think of .git
        tests += ("(", "!", "-samefile", far, "-name", ".*", "-prune", ")", "-o")
    output = _IDS if numeric else _NAMES

    def parse(result: CommandResult) -> list[Entry]:
        return _entries(path, result, hidden)

    plain = ("find", far, *tests, "-printf", output)
    argv = script("list", _FOLLOW, (far, output, *tests)) if follow else plain
    if recursive:
        return tool(argv, parse, timeout=timeout, read_only=True, max_output=MAX_LISTING)
    return quick(argv, parse, timeout=timeout, max_output=MAX_LISTING)


def _entries(path: str, result: CommandResult, hidden: bool) -> list[Entry]:
    records = list(_records(result.stdout))
    root = next((record for record in records if not record[0]), None)
    if root is None:
        raise refusal(path, result, {FileForbidden: ParentForbidden})
    if root[1][:1] != b"d":
        return [_entry((_bytes(path), *root[1:]))]
    if result.exit_code != 0:
        _judge(path, result)
    below = {record[0]: record for record in reversed(records) if record[0]}
    if not hidden:
        below = {
            name: r for name, r in below.items() if not name.startswith(b".") and b"/." not in name
        }
    return [_entry(below[name]) for name in sorted(below)]


def _records(output: bytes) -> Iterator[tuple[bytes, ...]]:
    fields: Iterable[bytes] = iter(output.split(b"\0"))
    return zip(*[fields] * _FIELDS, strict=False)


def _judge(path: str, result: CommandResult) -> None:
    """Tell what spoils the listing from what does not: loops, and files that just went away."""
    for line in result.error_text.splitlines():
        if not line.endswith(_HARMLESS) and "File system loop detected;" not in line:
            raise worded(path, line)
    if result.exit_code > 1:
        raise refusal(path, result)


def _entry(record: tuple[bytes, ...]) -> Entry:
    name, mode, user, group, changed, size, target = (_text(field) for field in record)
    return Entry(
        name,
        mode[0],
        target,
        user,
        group,
        mode[1:10],
        f"{changed[:10]}T{changed[11:19]}",
        int(size),
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
