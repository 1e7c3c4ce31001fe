"""Files on a system, as the account's user, at once.

Each function is one round trip over the connections that this process keeps; none takes longer than the
system's ``command_timeout`` but for the content of an upload or a download. Paths are absolute or relative
to the account's home directory. All raise the ``HpcError`` tree, and ``ValueError`` for an argument that
cannot be meant. Whatever changes something is written to the audit trail: who, where, what, and whether the
outcome is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.models import User

from hpc.errors import CommandTimeout, ConnectionLost
from hpc.files import changes
from hpc.files import identity as identities
from hpc.files import listing as listings
from hpc.files import status as states
from hpc.files.identity import Identity
from hpc.files.listing import Entry
from hpc.files.status import FileStatus
from pipeline_management.models import SystemAccount
from pipeline_management.services import audit
from pipeline_management.services.clients import client_for, limits_of

T = TypeVar("T")


def listing(
    account: SystemAccount,
    path: str,
    *,
    hidden: bool = False,
    recursive: bool = False,
    numeric: bool = False,
    follow: bool = False,
) -> list[Entry]:
    """What is in a directory, by name; a path that is none gives itself. See ``hpc.files.listing``.

    Raises ``FileMissing``, ``NotADirectory``, ``ParentForbidden``, ``FileForbidden``, ``OutputTooLarge``.
    """
    command = listings.listing(
        path,
        hidden=hidden,
        recursive=recursive,
        numeric=numeric,
        follow=follow,
        timeout=_seconds(account),
    )
    return client_for(account).run(command)


def status(account: SystemAccount, path: str, *, follow: bool = False) -> FileStatus:
    """The ten numbers of stat(2), of a link itself unless ``follow``.

    Raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``.
    """
    return client_for(account).run(states.status(path, follow=follow, timeout=_seconds(account)))


def kind(account: SystemAccount, path: str) -> str:
    """What file(1) says. Raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``, ``ToolMissing``."""
    return client_for(account).run(states.kind(path, timeout=_seconds(account)))


def checksum(account: SystemAccount, path: str) -> str:
    """SHA-256, 64 hexadecimal digits.

    Raises ``FileMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``, ``CommandTimeout``.
    """
    return client_for(account).run(states.checksum(path, timeout=_seconds(account)))


def user_name(account: SystemAccount) -> str:
    """Who the account is on the system, asked there."""
    return client_for(account).run(identities.user_name(timeout=_seconds(account)))


def identity(account: SystemAccount) -> Identity:
    """The account's user and groups, asked on the system."""
    return client_for(account).run(identities.identity(timeout=_seconds(account)))


def make_directory(
    account: SystemAccount,
    path: str,
    *,
    user: User | None,
    parents: bool = False,
    address: str | None = None,
) -> None:
    """Raises ``FileExists``, ``ParentMissing``, ``NotADirectory``, ``FileForbidden``."""
    command = changes.make_directory(path, parents=parents, timeout=_seconds(account))
    act = _Act(account, user, address, "files.mkdir", path)
    act.run(lambda: client_for(account).run(command))


def rename(
    account: SystemAccount,
    source: str,
    target: str,
    *,
    user: User | None,
    address: str | None = None,
) -> None:
    """Raises ``FileMissing`` (source), ``ParentMissing`` (target), ``FileForbidden``, ``NotADirectory``."""
    command = changes.rename(source, target, timeout=_seconds(account))
    act = _Act(account, user, address, "files.rename", source, target=target)
    act.run(lambda: client_for(account).run(command))


def copy(
    account: SystemAccount,
    source: str,
    target: str,
    *,
    user: User | None,
    address: str | None = None,
) -> None:
    """The errors of ``rename``, and ``CommandTimeout``: a part may have been copied."""
    command = changes.copy(source, target, timeout=_seconds(account))
    act = _Act(account, user, address, "files.copy", source, target=target)
    act.run(lambda: client_for(account).run(command))


def change_mode(
    account: SystemAccount,
    path: str,
    mode: str,
    *,
    user: User | None,
    address: str | None = None,
) -> str:
    """What was done, in chmod's words.

    Raises ``InvalidMode``, ``FileMissing``, ``FileForbidden``, ``NotADirectory``.
    """
    command = changes.change_mode(path, mode, timeout=_seconds(account))
    act = _Act(account, user, address, "files.chmod", path, mode=mode)
    return act.run(lambda: client_for(account).run(command))


def change_owner(
    account: SystemAccount,
    path: str,
    owner: str = "",
    group: str = "",
    *,
    user: User | None,
    address: str | None = None,
) -> str:
    """What was done, in chown's words. ``ValueError`` where neither owner nor group is given.

    Raises ``InvalidOwner``, ``InvalidGroup``, ``FileMissing``, ``FileForbidden``, ``NotADirectory``.
    """
    command = changes.change_owner(path, owner, group, timeout=_seconds(account))
    act = _Act(account, user, address, "files.chown", path, owner=owner, group=group)
    return act.run(lambda: client_for(account).run(command))


def link(
    account: SystemAccount,
    target: str,
    path: str,
    *,
    user: User | None,
    address: str | None = None,
) -> None:
    """A symbolic link ``path`` that holds ``target``.

    Raises ``FileExists``, ``ParentMissing``, ``NotADirectory``, ``FileForbidden``.
    """
    command = changes.link(target, path, timeout=_seconds(account))
    act = _Act(account, user, address, "files.symlink", path, target=target)
    act.run(lambda: client_for(account).run(command))


def remove(
    account: SystemAccount, path: str, *, user: User | None, address: str | None = None
) -> None:
    """Remove whatever it is, with all below. Raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``."""
    command = changes.remove(path, timeout=_seconds(account))
    act = _Act(account, user, address, "files.rm", path)
    act.run(lambda: client_for(account).run(command))


def _seconds(account: SystemAccount) -> float:
    return limits_of(account.system).command_timeout


class _Act:
    """One change of somebody's files, and its line in the audit trail."""

    def __init__(
        self,
        account: SystemAccount,
        user: User | None,
        address: str | None,
        action: str,
        path: str,
        **more: str,
    ) -> None:
        self._actor = user
        self._address = address
        self._action = action
        self._target = f"{account.system.name}:{_printable(path)}"
        said = {name: _printable(value) for name, value in more.items() if value}
        self._data = {"path": _printable(path), "as": account.username, **said}

    def run(self, work: Callable[[], T]) -> T:
        """Do it and write it down; what was refused changed nothing and is not written."""
        try:
            done = work()
        except (CommandTimeout, ConnectionLost):
            self._write(outcome="unknown")
            raise
        self._write()
        return done

    def _write(self, **more: str) -> None:
        audit.record(
            self._actor,
            self._action,
            self._target,
            address=self._address,
            data={**self._data, **more},
        )


def _printable(text: str) -> str:
    """Bytes that are not UTF-8 as ``\\xNN``: a database takes only text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
