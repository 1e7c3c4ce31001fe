"""Who the account is on the system."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpc.commands import Command, CommandResult
from hpc.errors import RemoteFileError
from hpc.files.tool import INTERACTIVE, accept, quick

# names may hold blanks ("domain users"), so the brackets decide
_ONE = r"(\d+)(?:\((.*?)\))?"
_ID = re.compile(
    rf"uid={_ONE} gid={_ONE}(?: euid=\S+)?(?: egid=\S+)?(?: groups=(.*?))?(?: context=.*)?"
)
_NEXT = re.compile(r",(?=\d+(?:\(|,|$))")


@dataclass(frozen=True, slots=True)
class Name:
    """A user or a group; where the system knows no name for the number, ``name`` is the number."""

    name: str
    id: int


@dataclass(frozen=True, slots=True)
class Identity:
    """The user, the primary group, and all groups, the primary one among them."""

    user: Name
    group: Name
    groups: tuple[Name, ...]


def user_name(*, timeout: float = INTERACTIVE) -> Command[str]:
    """The name of the user that commands run as."""

    def parse(result: CommandResult) -> str:
        return accept("whoami", result).text.strip()

    return quick(("id", "-un"), parse, timeout=timeout)


def identity(*, timeout: float = INTERACTIVE) -> Command[Identity]:
    """The user with the groups that commands run with."""
    return quick(("id",), _identity, timeout=timeout)


def _identity(result: CommandResult) -> Identity:
    # an exit code of 1 means only that a number has no name
    found = _ID.fullmatch(result.stdout.decode("utf-8", "surrogateescape").strip())
    if found is None:
        raise RemoteFileError("id", result.error_text or f"id answered {result.text[:200]!r}")
    group = _name(found[3], found[4])
    others = [_group(part) for part in _NEXT.split(found[5])] if found[5] else []
    groups = others if group in others else [group, *others]
    return Identity(_name(found[1], found[2]), group, tuple(groups))


def _name(number: str, name: str | None) -> Name:
    return Name(name or number, int(number))


def _group(part: str) -> Name:
    number, _, name = part.partition("(")
    return _name(number, name.removesuffix(")"))
