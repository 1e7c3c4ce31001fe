"""Changing what is there: directories, names, rights, links."""

from __future__ import annotations

from collections.abc import Callable

from hpc.commands import Command, CommandResult
from hpc.errors import (
    FileMissing,
    HpcError,
    InvalidGroup,
    InvalidMode,
    InvalidOwner,
    ParentMissing,
)
from hpc.files.tool import INTERACTIVE, Refusals, accept, far_path, nothing, refusal, script, tool

_NO_PARENT: Refusals = {FileMissing: ParentMissing}
# mv and cp say "cannot stat" of a bad source and of a bad target alike, so stat(1) looks at the source
_SOURCE = '[ -e "$1" ] || [ -L "$1" ] || stat -- "$1" >/dev/null || exit 1; '
_MOVE = _SOURCE + 'exec mv -f -- "$1" "$2"'
_COPY = _SOURCE + 'exec cp -a -f -- "$1" "$2"'


def make_directory(
    path: str, *, parents: bool = False, timeout: float = INTERACTIVE
) -> Command[None]:
    """A new directory; with ``parents`` also those above it, and one that exists is then no error.

    The command raises ``FileExists``, ``ParentMissing``, ``NotADirectory``, ``FileForbidden``.
    """
    options = ("-p",) if parents else ()
    return tool(
        ("mkdir", *options, "--", far_path(path)), nothing(path, _NO_PARENT), timeout=timeout
    )


def rename(source: str, target: str, *, timeout: float = INTERACTIVE) -> Command[None]:
    """Move a file, directory or link; a file of the target's name is replaced, a directory entered.

    The command raises ``FileMissing`` (no source), ``ParentMissing`` (no directory for the target),
    ``FileForbidden``, ``NotADirectory``; ``path`` of the error says which of the two it was.
    """
    argv = script("rename", _MOVE, (far_path(source), far_path(target)))
    return tool(argv, _two(source, target), timeout=timeout)


def copy(source: str, target: str, *, timeout: float = INTERACTIVE) -> Command[None]:
    """Copy a file, a link as a link, or a directory with all below it, keeping times and rights.

    Into the target where that is a directory. The errors are those of ``rename``; a copy that was ended
    by its time-out leaves what it had copied by then.
    """
    argv = script("copy", _COPY, (far_path(source), far_path(target)))
    return tool(argv, _two(source, target), timeout=timeout)


def _two(source: str, target: str) -> Callable[[CommandResult], None]:
    """Tell a bad source from a bad target."""

    def parse(result: CommandResult) -> None:
        if result.exit_code == 0:
            return
        if result.error_text.startswith(("stat: ", "cp: cannot open ", "cp: cannot access ")):
            raise refusal(source, result)
        raise refusal(target, result, _NO_PARENT)

    return parse


def change_mode(path: str, mode: str, *, timeout: float = INTERACTIVE) -> Command[str]:
    """Set permissions, ``mode`` in any form of chmod(1); its sentence about what it did.

    The command raises ``InvalidMode``, ``FileMissing``, ``FileForbidden`` (not the owner),
    ``NotADirectory``.
    """

    def parse(result: CommandResult) -> str:
        text = result.error_text
        if result.exit_code != 0 and text.startswith("chmod: invalid mode"):
            raise InvalidMode(path, text.split("\n", 1)[0].removeprefix("chmod: "))
        if result.exit_code != 0 and text.startswith("chmod: cannot operate on dangling symlink"):
            raise FileMissing(path, "the link points to nothing")
        return accept(path, result).text.strip()

    return tool(("chmod", "-v", "--", _word("mode", mode), far_path(path)), parse, timeout=timeout)


def change_owner(
    path: str, owner: str = "", group: str = "", *, timeout: float = INTERACTIVE
) -> Command[str]:
    """Set the owner, the group, or both, by name or number; chown's sentence about what it did.

    Raises ``ValueError`` where neither is given, ``InvalidOwner`` or ``InvalidGroup`` for a name with a
    colon. The command raises these two, ``FileMissing``, ``FileForbidden``, ``NotADirectory``.
    """
    if not owner and not group:
        raise ValueError("group or owner must be set")
    if ":" in owner:
        raise InvalidOwner(path, f"invalid user: {owner!r}")
    if ":" in group:
        raise InvalidGroup(path, f"invalid group: {group!r}")
    who = _word("owner or group", f"{owner}:{group}" if group else owner)

    def parse(result: CommandResult) -> str:
        error = _no_such_name(path, result)
        if error is not None:
            raise error
        return accept(path, result).text.strip()

    return tool(("chown", "-v", "--", who, far_path(path)), parse, timeout=timeout)


def _no_such_name(path: str, result: CommandResult) -> HpcError | None:
    first = result.error_text.split("\n", 1)[0].removeprefix("chown: ")
    if result.exit_code == 0 or not first.startswith("invalid "):
        return None
    kind = InvalidGroup if first.startswith("invalid group") else InvalidOwner
    return kind(path, first)


def link(target: str, path: str, *, timeout: float = INTERACTIVE) -> Command[None]:
    """A symbolic link ``path`` that holds ``target``, which need not exist.

    The command raises ``FileExists``, ``ParentMissing``, ``NotADirectory``, ``FileForbidden``, all about
    the link.
    """
    argv = ("ln", "-s", "-T", "--", _word("target", target), far_path(path))
    return tool(argv, nothing(path, _NO_PARENT), timeout=timeout)


def remove(path: str, *, timeout: float = INTERACTIVE) -> Command[None]:
    """Remove a file, a link, or a directory with all below it, without a question.

    The command raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``. One that was ended by its
    time-out has removed a part.
    """
    argv = ("rm", "-r", "--interactive=never", "--", far_path(path))
    return tool(argv, nothing(path), timeout=timeout)


def _word(name: str, value: str) -> str:
    if not value or "\0" in value:
        raise ValueError(f"{name} is {value!r}, expected text without NUL")
    return value
