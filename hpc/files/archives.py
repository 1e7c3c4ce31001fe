"""Packing and unpacking, on the system."""

from __future__ import annotations

import posixpath
from typing import Literal

from hpc.commands import Command, CommandResult
from hpc.errors import (
    BadArchive,
    FileForbidden,
    HpcError,
    RemoteFileError,
    UnsupportedArchive,
)
from hpc.files.content import part_name
from hpc.files.tool import (
    FORBIDDEN,
    INTERACTIVE,
    IS_DIRECTORY,
    NO_DIRECTORY,
    NO_PARENT,
    NO_TOOL,
    NOT_REGULAR,
    far_path,
    refusal,
    script,
    tool,
)

ArchiveKind = Literal["zip", "tar", "tgz", "gz", "bz2"]

_KINDS: dict[str, ArchiveKind] = {
    "zip": "zip", "tar": "tar", "tgz": "tgz", "gz": "gz", "tar.gz": "gz",
    "bz2": "bz2", "tar.bz2": "bz2", "tbz2": "bz2",
}  # fmt: skip
_TAR_FLAGS: dict[ArchiveKind, str] = {"tar": "-x", "tgz": "-xz", "gz": "-xz", "bz2": "-xj"}

# The archive goes through stdout and stdin, so that a colon in its name means nothing to tar. On a time-out
# the shell gets TERM as well and takes the half archive away. 1 is "a file changed as we read it".
_COMPRESS = (
    '[ -e "$1/$2" ] || [ -L "$1/$2" ] || stat -- "$1/$2" >/dev/null || exit 1; '
    f'[ -d "$3" ] || {{ [ ! -e "$3" ] || exit {NO_DIRECTORY}; exit {NO_PARENT}; }}; '
    f'[ ! -d "$4" ] || exit {IS_DIRECTORY}; '
    "p=$3/$5; trap 'rm -f -- \"$p\"; exit 143' HUP INT TERM; set -C; "
    'tar -c -z $6 --exclude="$5" -f - -C "$1" -- "$2" >"$p"; r=$?; '
    '[ $r -le 1 ] && mv -f -T -- "$p" "$4" || { rm -f -- "$p"; exit 1; }'
)
_OPEN = (
    '[ -e "$1" ] || stat -L -- "$1" >/dev/null || exit 1; '
    f'[ ! -d "$1" ] || exit {IS_DIRECTORY}; [ -f "$1" ] || exit {NOT_REGULAR}; '
    f'[ -d "$2" ] || {{ [ ! -e "$2" ] || exit {NO_DIRECTORY}; exit {NO_PARENT}; }}; '
    f'[ -w "$2" ] && [ -x "$2" ] || exit {FORBIDDEN}; '
    '[ -r "$1" ] || head -c 1 -- "$1" >/dev/null || exit 1; exec 3<"$1"; cd -- "$2" || exit 1; '
)
_TAR = _OPEN + 'exec tar "$3" --no-same-owner -f - <&3'
# unzip takes wildcards in the name of an archive, so it is not told the name
_ZIP = _OPEN + (
    "if command -v unzip >/dev/null; then unzip -q -o /dev/fd/3 >&2; r=$?; [ $r -eq 1 ] && exit 0; exit $r; fi; "
    f'command -v python3 >/dev/null || exit {NO_TOOL}; exec python3 -I -c "$3" <&3'
)
_PROGRAMS_END = (
    100  # tar ends with 2, unzip with 82 at most; above it speak timeout(1) and our scripts
)
_PYTHON_UNZIP = "import sys, zipfile; zipfile.ZipFile(sys.stdin.buffer).extractall()"


def compress(
    source: str, target: str, *, dereference: bool = False, timeout: float = INTERACTIVE
) -> Command[None]:
    """A gzip tar of a file or a directory; its members begin with the base name of ``source``.

    ``dereference``: what links point to in place of links. The target is replaced at once when the
    archive is complete; after a time-out it is what it was.

    Raises ``RemoteFileError`` for a source without a name of its own ("/", "..."). The command raises
    ``FileMissing`` (source), ``ParentMissing`` (target), ``FileForbidden``, ``IsADirectory`` (target),
    ``NotADirectory``; ``path`` of the error says which of the two it was.
    """
    parent, base = posixpath.split(far_path(source).rstrip("/"))
    if base in ("", ".", ".."):
        raise RemoteFileError(source, "has no name of its own to be archived under")
    far = far_path(target)
    folder = posixpath.dirname(far) or "/"
    words = (parent or "/", base, folder, far, part_name(), "-h" if dereference else "")

    def parse(result: CommandResult) -> None:
        if result.exit_code == 0:
            return
        about_source = result.error_text.startswith(("stat: ", "tar: "))
        raise refusal(source if about_source else target, result)

    return tool(script("compress", _COMPRESS, words), parse, timeout=timeout)


def kind_of(path: str, extension: str = "auto") -> ArchiveKind:
    """The kind of an archive by ``extension``, with or without the dot, else by the name's last one.

    Raises ``UnsupportedArchive`` where neither is known.
    """
    asked = extension.strip().lower().removeprefix(".")
    if asked in _KINDS:
        return _KINDS[asked]
    last = posixpath.splitext(path)[1].lower().removeprefix(".")
    if last in _KINDS:
        return _KINDS[last]
    raise UnsupportedArchive(path, "unsupported file format, expected zip, tar, tgz, gz or bz2")


def extract(
    archive: str, target: str, *, extension: str = "auto", timeout: float = INTERACTIVE
) -> Command[None]:
    """Unpack an archive into an existing directory; files of the same names are replaced.

    Members whose names lead out of the directory are not put there: tar and unzip cut such names or
    refuse them. One that was ended by its time-out has unpacked a part.

    Raises ``UnsupportedArchive`` for an unknown extension. The command raises ``FileMissing`` (archive),
    ``ParentMissing`` (target), ``NotADirectory`` (target), ``IsADirectory`` (archive), ``NotRegular``,
    ``FileForbidden``, ``BadArchive``, ``UnsupportedArchive`` (a zip where the system has neither unzip
    nor python3); ``path`` of the error says which of the two it was.
    """
    chosen = kind_of(archive, extension)
    last = _PYTHON_UNZIP if chosen == "zip" else _TAR_FLAGS[chosen]
    words = (far_path(archive), far_path(target), last)

    def parse(result: CommandResult) -> None:
        if result.exit_code != 0:
            raise _no_extraction(archive, target, result)

    text = _ZIP if chosen == "zip" else _TAR
    return tool(script("extract", text, words), parse, timeout=timeout)


def _no_extraction(archive: str, target: str, result: CommandResult) -> HpcError:
    """About the target, about the archive, or in the unpacking program's own words."""
    text = result.error_text
    if result.exit_code == NO_TOOL:
        return UnsupportedArchive(archive, "the system has neither unzip nor python3 for it")
    if result.exit_code in (NO_DIRECTORY, NO_PARENT, FORBIDDEN):
        return refusal(target, result)
    known = refusal(archive, result)
    if result.exit_code > _PROGRAMS_END or text.startswith(("stat: ", "head: ")):
        return known
    if isinstance(known, FileForbidden):
        return FileForbidden(target, text.split("\n", 1)[0])
    return BadArchive(archive, " ".join(text.split())[-500:] or f"exit code {result.exit_code}")
