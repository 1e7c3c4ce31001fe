"""What a way to a system must offer: run a command, and move small and large files."""

from __future__ import annotations

import stat as stat_bits
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from hpc.commands import DEFAULT_MAX_OUTPUT, DEFAULT_TIMEOUT, MIB, Command, CommandResult
from hpc.errors import FileForbidden, FileMissing, RemoteFileError

T = TypeVar("T")

MAX_READ = 64 * MIB
"""The most that ``Transport.read`` returns; larger files go through ``get``, which streams."""

FILE_TIMEOUT = 30.0
TRANSFER_TIMEOUT = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a system is. ``kind`` is "ssh" or "local"; ``host_keys`` are lines "type base64"."""

    kind: str
    host: str = ""
    port: int = 22
    host_keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.kind == "ssh" else "this machine"


@dataclass(frozen=True, slots=True)
class FileStat:
    """One file: ``mode`` as in stat(2), ``size`` in bytes, ``mtime`` aware UTC in whole seconds."""

    name: str
    mode: int
    size: int
    uid: int
    gid: int
    mtime: datetime

    @property
    def is_dir(self) -> bool:
        return stat_bits.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return stat_bits.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        return stat_bits.S_ISLNK(self.mode)


class Transport(ABC):
    """One host as one user. Safe for use by several threads at once.

    Callers may assume: ``run`` returns only complete answers (both marker lines of both streams seen);
    anything else is a ``TransportError``. ``ConnectFailed`` and its subclasses mean that the command
    certainly did not run; after every other ``TransportError`` its outcome is unknown. Paths and
    arguments are str in which bytes that are not UTF-8 stand as surrogate escapes (PEP 383).
    """

    @abstractmethod
    def run(
        self,
        argv: Iterable[str],
        *,
        stdin: bytes | None = None,
        cwd: str | None = None,
        env: Iterable[tuple[str, str]] = (),
        timeout: float = DEFAULT_TIMEOUT,
        max_output: int = DEFAULT_MAX_OUTPUT,
    ) -> CommandResult:
        """Run one command to its end, within ``timeout`` seconds in all, waiting for a channel included.

        Raises ``ValueError`` for an argv that no system can run, ``FileMissing``, ``FileForbidden`` or
        ``RemoteFileError`` when ``cwd`` cannot be entered, ``CommandTimeout``, ``OutputTooLarge`` and the
        other ``TransportError`` classes. The exit code of the command is data, never an exception.
        """

    @abstractmethod
    def pipe(
        self,
        command: Command[T],
        *,
        source: Iterator[bytes] | None = None,
        sink: Callable[[bytes], object] | None = None,
    ) -> T:
        """Like ``execute`` with flat memory: input comes from ``source``, stdout goes to ``sink`` in pieces.

        The command's own ``stdin`` is not used; with a sink ``parse`` sees an empty stdout. ``max_output``
        below 0 is no cap. The sink may have got a part when an error comes.
        """

    @abstractmethod
    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file from ``offset``; without ``length`` up to its end, at most ``MAX_READ``.

        Raises ``OutputTooLarge`` above ``MAX_READ``, else the ``RemoteFileError`` family.
        """

    @abstractmethod
    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Put the whole content in place at once: a temporary name beside it, then a rename."""

    def replace(self, path: str, data: bytes) -> bool:
        """Make a small content that of a file, at once and whole, where this is quicker than a command.

        False, and nothing changed, where it is not, or where the case is not plain: an existing file that
        is a link, not ours or not writable. A path may be relative to the home directory here. Raises the
        ``RemoteFileError`` family, without saying which.
        """
        return False

    @abstractmethod
    def get(self, path: str, local_path: Path, timeout: float = TRANSFER_TIMEOUT) -> int:
        """Stream a file to a local path with flat memory; the number of bytes.

        The local file appears complete or not at all.
        """

    @abstractmethod
    def put(
        self, local_path: Path, path: str, mode: int = 0o600, timeout: float = TRANSFER_TIMEOUT
    ) -> int:
        """Stream a local file to the system: temporary name, size checked there, rename; its bytes."""

    @abstractmethod
    def stat(self, path: str, *, follow: bool = True) -> FileStat:
        """One file; ``follow=False`` describes a symbolic link itself."""

    @abstractmethod
    def listdir(self, path: str) -> list[FileStat]:
        """The entries of a directory in name order, links not followed, without "." and ".."."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove one file or link, not a directory."""

    @abstractmethod
    def close(self) -> None:
        """Give up the connection; running commands end in ``ConnectionLost``. May be called twice."""

    @property
    @abstractmethod
    def is_usable(self) -> bool:
        """False once the connection broke, was closed, or was given up after a deadline."""

    @abstractmethod
    def abandon(self) -> None:
        """Forget the connection in a forked child without saying goodbye on the parent's socket."""

    def execute(self, command: Command[T]) -> T:
        """Run a ``Command`` and return what its parse function makes of the result."""
        return command.parse(
            self.run(
                command.argv,
                stdin=command.stdin,
                cwd=command.cwd,
                env=command.env,
                timeout=command.timeout,
                max_output=command.max_output,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def file_error(path: str, reason: str) -> RemoteFileError:
    """The error class for a refusal in the words of the C locale or of an SFTP server."""
    if "No such file" in reason or "Directory nonexistent" in reason:  # the latter is dash's
        return FileMissing(path, "no such file or directory")
    if "ermission denied" in reason or "not permitted" in reason:
        return FileForbidden(path, "permission denied")
    return RemoteFileError(path, reason or "refused without a reason")


def check_path(path: str) -> str:
    """A path that can be sent: absolute, without NUL. Raises ``ValueError``."""
    if not path.startswith("/"):
        raise ValueError(f"path {path!r} is not absolute")
    if "\0" in path:
        raise ValueError(f"path {path!r} contains a NUL byte")
    return path
