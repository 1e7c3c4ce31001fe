"""Where a transfer may begin and end: looked at before any byte travels, in one round trip."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass

from hpc.commands import Command, CommandResult
from hpc.errors import FileMissing, ParentMissing, RemoteFileError
from hpc.files.tool import (
    FORBIDDEN,
    INTERACTIVE,
    IS_DIRECTORY,
    NO_DIRECTORY,
    NO_PARENT,
    NOT_REGULAR,
    accept,
    far_path,
    quick,
    script,
)

# $1 as asked, $2 the name of the file within it if it is a directory. Looks only, and writes nothing.
# stat says in its own words why a path cannot be looked at.
_TARGET = (
    't=$1; if [ -d "$t" ]; then d=$t n=$2; else '
    f'case $t in */) [ -e "${{t%/}}" ] && exit {NO_DIRECTORY}; exit {NO_PARENT};; esac; '
    "d=${t%/*} n=${t##*/}; d=${d:-/}; "
    f'[ -d "$d" ] || {{ stat -L -- "$d" >/dev/null || exit 1; exit {NO_DIRECTORY}; }}; fi; '
    f'[ -w "$d" ] && [ -x "$d" ] || exit {FORBIDDEN}; cd -- "$d" || exit 1; '
    f'[ ! -d "./$n" ] || exit {IS_DIRECTORY}; '
    f'[ ! -e "./$n" ] || [ -f "./$n" ] || exit {NOT_REGULAR}; '
    f'[ ! -e "./$n" ] || [ -w "./$n" ] || exit {FORBIDDEN}; '
    'd=$(pwd && echo .) || exit 1; d=${d%??}; printf "%s/%s" "${d%/}" "$n"'
)
_SOURCE = (
    'stat -L -- "$1" >/dev/null || exit 1; '
    f'if [ -d "$1" ]; then [ -r "$1" ] && [ -x "$1" ] || exit {FORBIDDEN}; '
    'd=$(cd -- "$1" && pwd && echo .) || exit 1; printf "directory 0 %s" "${d%??}"; exit 0; fi; '
    f'[ -f "$1" ] || exit {NOT_REGULAR}; [ -r "$1" ] || head -c 0 -- "$1" || exit 1; '
    's=$(stat -L -c %s -- "$1") || exit 1; d=${1%/*}; n=${1##*/}; d=${d:-/}; '
    'd=$(cd -- "$d" && pwd && echo .) || exit 1; d=${d%??}; '
    'printf "file %s %s/%s" "$s" "${d%/}" "$n"'
)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be fetched: the absolute path, the size in bytes (0 of a directory)."""

    path: str
    size: int
    is_directory: bool


def upload_target(path: str, name: str, *, timeout: float = INTERACTIVE) -> Command[str]:
    """The absolute path that a file called ``name`` gets: within ``path`` if that is a directory, else it.

    Raises ``ValueError`` for a name that is none. The command raises ``ParentMissing``, ``FileForbidden``
    (the directory, or what is to be replaced in it), ``NotADirectory``, ``IsADirectory`` (the file itself
    is one), ``NotRegular``.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a file")
    if posixpath.basename(path) in (".", ".."):
        path += "/"

    def parse(result: CommandResult) -> str:
        return os.fsdecode(accept(path, result, {FileMissing: ParentMissing}).stdout)

    return quick(script("target", _TARGET, (far_path(path), name)), parse, timeout=timeout)


def download_source(path: str, *, timeout: float = INTERACTIVE) -> Command[Source]:
    """What a path leads to, links followed.

    The command raises ``FileMissing``, ``FileForbidden``, ``NotADirectory`` (one on the way), ``NotRegular``.
    """

    def parse(result: CommandResult) -> Source:
        kind, _, rest = os.fsdecode(accept(path, result).stdout).partition(" ")
        size, _, found = rest.partition(" ")
        if kind not in ("file", "directory") or not size.isdigit():
            raise RemoteFileError(path, f"the system answered {rest[:200]!r}")
        return Source(found, int(size), kind == "directory")

    return quick(script("source", _SOURCE, (far_path(path),)), parse, timeout=timeout)
