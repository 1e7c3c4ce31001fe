"""Files on a system, as the account's user, at once.

Each function is one round trip over the connections that this process keeps; none takes longer than the
system's ``command_timeout`` but for the content of an upload or a download. Paths are absolute or relative
to the account's home directory; bytes that are not UTF-8 stand in them as surrogate escapes (PEP 383). All
raise the ``HpcError`` tree, and ``ValueError`` for an argument that cannot be meant. Whatever changes
something names the ``user`` who asked for it and goes to the audit trail.
"""

from __future__ import annotations

import io
import posixpath
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from django.contrib.auth.models import User

from hpc.commands import MIB
from hpc.errors import FileTooLarge, NotText
from hpc.files import archives, changes, content
from hpc.files import identity as identities
from hpc.files import listing as listings
from hpc.files import status as states
from hpc.files.identity import Identity
from hpc.files.listing import Entry
from hpc.files.names import NameBook
from hpc.files.status import FileStatus
from hpc.files.tool import far_path
from pipeline_management.models import SystemAccount
from pipeline_management.services.clients import client_for, limits_of
from pipeline_management.services.file_audit import change, recorded

_IN_MEMORY = MIB
_CHUNK = 256 * 1024
_books: dict[int, NameBook] = {}
"""What this process knows of the names on each system, by the system's id."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file's whole content: its base name, its size in bytes, and the pieces, to be taken once."""

    name: str
    size: int
    chunks: Iterator[bytes]


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

    ``numeric``: numbers in place of the names of users and groups.
    Raises ``FileMissing``, ``NotADirectory``, ``ParentForbidden``, ``FileForbidden``, ``OutputTooLarge``.
    """
    seconds = _seconds(account)
    client = client_for(account)
    entries = client.run(
        listings.listing(path, hidden=hidden, recursive=recursive, follow=follow, timeout=seconds)
    )
    if not numeric:
        _books.setdefault(account.system_id, NameBook()).name(entries, client.run)
    return entries


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
    change(account, "files.mkdir", path, command, user, address)


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
    change(account, "files.rename", source, command, user, address, target=target)


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
    change(account, "files.copy", source, command, user, address, target=target)


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
    return change(account, "files.chmod", path, command, user, address, mode=mode)


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
    return change(account, "files.chown", path, command, user, address, owner=owner, group=group)


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
    change(account, "files.symlink", path, command, user, address, target=target)


def remove(
    account: SystemAccount, path: str, *, user: User | None, address: str | None = None
) -> None:
    """Remove whatever it is, with all below. Raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``."""
    command = changes.remove(path, timeout=_seconds(account))
    change(account, "files.rm", path, command, user, address)


def compress(
    account: SystemAccount,
    source: str,
    target: str,
    *,
    user: User | None,
    dereference: bool = False,
    address: str | None = None,
) -> None:
    """A gzip tar; ``target`` is replaced when it is complete, and stays as it was after a time-out.

    Raises ``FileMissing`` (source), ``ParentMissing`` (target), ``FileForbidden``, ``IsADirectory``
    (target), ``NotADirectory``, ``CommandTimeout``.
    """
    seconds = _seconds(account)
    command = archives.compress(source, target, dereference=dereference, timeout=seconds)
    change(account, "files.compress", source, command, user, address, target=target)


def extract(
    account: SystemAccount,
    archive: str,
    target: str,
    *,
    user: User | None,
    extension: str = "auto",
    address: str | None = None,
) -> None:
    """Unpack into an existing directory. After a ``CommandTimeout`` a part is unpacked.

    Raises ``UnsupportedArchive``, ``BadArchive``, ``FileMissing`` (archive), ``ParentMissing`` (target),
    ``NotADirectory``, ``IsADirectory``, ``NotRegular``, ``FileForbidden``, ``CommandTimeout``.
    """
    seconds = _seconds(account)
    command = archives.extract(archive, target, extension=extension, timeout=seconds)
    change(account, "files.extract", archive, command, user, address, target=target)


def head(
    account: SystemAccount,
    path: str,
    *,
    lines: str | None = None,
    count: str | None = None,
    skip_ending: bool = False,
    grep: str | None = None,
) -> str:
    """The first ``lines`` lines or ``count`` bytes (ten lines), or all but the last so many.

    Raises ``InvalidCount``, ``FileMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``,
    ``PatternNotFound``, ``NotText``, and ``OutputTooLarge`` above the system's limit of a file.
    """
    command = content.head(
        path,
        lines=lines,
        count=count,
        skip_ending=skip_ending,
        grep=grep,
        timeout=_seconds(account),
        max_output=_bytes(account),
    )
    return _text(path, client_for(account).run(command))


def tail(
    account: SystemAccount,
    path: str,
    *,
    lines: str | None = None,
    count: str | None = None,
    skip_beginning: bool = False,
    grep: str | None = None,
) -> str:
    """The last lines or bytes, or all from number so many on, counted from 1; the errors of ``head``."""
    command = content.tail(
        path,
        lines=lines,
        count=count,
        skip_beginning=skip_beginning,
        grep=grep,
        timeout=_seconds(account),
        max_output=_bytes(account),
    )
    return _text(path, client_for(account).run(command))


def view(account: SystemAccount, path: str) -> str:
    """The whole content as text.

    Raises ``FileTooLarge`` above the system's limit, ``NotText``, ``FileMissing``, ``FileForbidden``,
    ``IsADirectory``, ``NotADirectory``, ``NotRegular``.
    """
    command = content.view(path, _bytes(account), timeout=_seconds(account))
    return _text(path, client_for(account).run(command))


def download(account: SystemAccount, path: str, *, limit: int | None = None) -> Download:
    """The whole content, complete before this returns, so that every error comes first.

    ``limit`` in bytes takes the place of the system's; the errors are those of ``view``, but for the text.
    """
    most = _bytes(account) if limit is None else limit
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the iterator closes it
    try:
        client_for(account).fetch(content.download(path, most), spool)
        size = spool.tell()
        if size > most:
            raise FileTooLarge(path, most)
    except BaseException:
        spool.close()
        raise
    return Download(posixpath.basename(path), size, _pieces(spool))


def upload(
    account: SystemAccount,
    path: str,
    source: IO[bytes],
    size: int,
    *,
    user: User | None,
    address: str | None = None,
) -> None:
    """Make ``source``, ``size`` bytes from where it stands, the content of the file ``path``.

    It appears at once and whole; an existing file keeps its permissions. The caller judges the size.
    Raises ``ParentMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``, ``NotRegular``.
    """
    client = client_for(account)
    command = content.upload(path, size)

    def work() -> None:
        if size > _IN_MEMORY:
            client.feed(command, source)
            return
        data = source.read(size)
        if len(data) != size or not client.replace(far_path(path), data):
            client.feed(command, io.BytesIO(data))

    recorded(account, "files.upload", path, work, user, address, size=str(size))


def _seconds(account: SystemAccount) -> float:
    return limits_of(account.system).command_timeout


def _bytes(account: SystemAccount) -> int:
    return limits_of(account.system).max_file_size_mb * MIB


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotText(path, f"the content is not UTF-8 text (byte {error.start})") from error


def _pieces(spool: IO[bytes]) -> Iterator[bytes]:
    with spool:
        spool.seek(0)
        while chunk := spool.read(_CHUNK):
            yield chunk
