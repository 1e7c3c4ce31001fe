"""Listing directories: one find(1), whatever the names look like."""

from __future__ import annotations

from dataclasses import dataclass

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import FileForbidden, ParentForbidden
from hpc.files.tool import INTERACTIVE, far_path, quick, refusal, script, tool, worded

MAX_LISTING = 16 * MIB
"""Some 150,000 entries; more would fill the memory of the process that asks."""

_FIELDS = 7
_FORMAT = r"%P\0%M\0%U\0%G\0%T+\0%s\0%l\0"

# find -L leaves out links that lead nowhere but to themselves: those are added as they are
_FOLLOW = (
    "p=$1 f=$2; shift 2; "
    'find -L "$p" "$@" -printf "$f"; r=$?; find -P "$p" "$@" -type l -printf "$f" 2>/dev/null; exit $r'
)
_HARMLESS = (
    "No such file or directory",  # went away while we were looking
    "Too many levels of symbolic links",
)


@dataclass(slots=True)  # not frozen: that trebles the time to make one, and there may be thousands
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
    follow: bool = False,
    timeout: float = INTERACTIVE,
) -> Command[list[Entry]]:
    """What is in a directory, in the order of the names' bytes, without "." and "..".

    ``hidden``: also names that begin with a dot. ``recursive``: also what is in the directories below,
    named ``sub/name``. ``follow``: describe what links point to, where they point to something, also where
    the path itself is a link; without it a link to a directory is one entry, as for ``ls -l``.
    Users and groups come as numbers; ``hpc.files.names.NameBook`` knows their names.

    The command raises ``FileMissing``, ``NotADirectory`` (on the way), ``ParentForbidden``,
    ``FileForbidden`` (a directory may not be read, in a recursive listing also one below).
    """
    far = far_path(path)
    tests: tuple[str, ...] = () if recursive else ("-maxdepth", "1")
    if recursive and not hidden:  # not to look into them at all: think of .git
        tests += ("(", "!", "-samefile", far, "-name", ".*", "-prune", ")", "-o")

    def parse(result: CommandResult) -> list[Entry]:
        return _entries(path, result, hidden)

    plain = ("find", far, *tests, "-printf", _FORMAT)
    argv = script("list", _FOLLOW, (far, _FORMAT, *tests)) if follow else plain
    if recursive:
        return tool(argv, parse, timeout=timeout, read_only=True, max_output=MAX_LISTING)
    return quick(argv, parse, timeout=timeout, max_output=MAX_LISTING)


def _entries(path: str, result: CommandResult, hidden: bool) -> list[Entry]:
    fields = iter(result.stdout.decode("utf-8", "surrogateescape").split("\0"))
    found = [
        Entry(name, mode[0], target, user, group, mode[1:], f"{at[:10]}T{at[11:19]}", int(size))
        for name, mode, user, group, at, size, target in zip(*[fields] * _FIELDS, strict=False)
    ]
    root = next((entry for entry in found if not entry.name), None)
    if root is None:
        raise refusal(path, result, {FileForbidden: ParentForbidden})
    if root.kind != "d":
        root.name = path
        return [root]
    if result.exit_code != 0:
        _judge(path, result)
    below = {entry.name: entry for entry in reversed(found) if entry.name}
    names = sorted(below, key=None if result.stdout.isascii() else _wire)
    if not hidden:
        names = [name for name in names if name[0] != "." and "/." not in name]
    return [below[name] for name in names]


def _judge(path: str, result: CommandResult) -> None:
    """Tell what spoils the listing from what does not: loops, and files that just went away."""
    for line in result.error_text.splitlines():
        if not line.endswith(_HARMLESS) and "File system loop detected;" not in line:
            raise worded(path, line)
    if result.exit_code > 1:
        raise refusal(path, result)


def _wire(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
