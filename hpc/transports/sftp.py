"""File operations over kept SFTP channels of one connection.

One thread per channel at a time: a channel shared by threads deadlocks (measured with paramiko 5.1).
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat as stat_bits
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import paramiko

from hpc.errors import (
    ChannelsBusy,
    CommandTimeout,
    ConnectionLost,
    NotSupported,
    OutputTooLarge,
    RemoteFileError,
)
from hpc.transports.base import FILE_TIMEOUT, MAX_READ, FileStat, file_error
from hpc.transports.ssh_connect import shut
from hpc.transports.watchdog import WATCHDOG

FIND_FORMAT = r"%y %m %s %U %G %T@ %f\0"
_KINDS = {
    b"f": stat_bits.S_IFREG,
    b"d": stat_bits.S_IFDIR,
    b"l": stat_bits.S_IFLNK,
    b"p": stat_bits.S_IFIFO,
    b"s": stat_bits.S_IFSOCK,
    b"c": stat_bits.S_IFCHR,
    b"b": stat_bits.S_IFBLK,
}
_SMALL = 32 * 1024  # one packet: no read-ahead needed


class SftpFiles:
    """At most ``limit`` channels, opened when first needed and kept for the life of the connection."""

    def __init__(
        self,
        open_channel: Callable[[float], paramiko.Channel],
        retire: Callable[[], None],
        sock: socket.socket,
        limit: int,
    ) -> None:
        self._open_channel = open_channel
        self._retire = retire
        self._sock = sock
        self._slots = threading.BoundedSemaphore(limit)
        self._idle: list[paramiko.SFTPClient] = []
        self._lock = threading.Lock()

    def read(self, path: str, offset: int, length: int | None) -> bytes:
        with self._session(path) as sftp, sftp.open(_wire(path), "rb") as file:
            found = file.stat()
            if stat_bits.S_ISDIR(found.st_mode or 0):
                raise RemoteFileError(path, "is a directory")
            size = found.st_size or 0
            wanted = max(0, size - offset) if length is None else min(length, max(0, size - offset))
            if length is None and wanted > MAX_READ:
                raise OutputTooLarge(f"{path} has {size} bytes, more than {MAX_READ}: use get")
            if wanted == 0 and size > 0:
                return b""
            if wanted <= _SMALL:
                file.seek(offset)
                # a size of 0 is also what files of /proc report: read to the end
                return file.read(wanted or length or MAX_READ)
            return b"".join(file.readv([(offset, wanted)]))

    def write(self, path: str, data: bytes, mode: int) -> None:
        part = f"{path}.part-{uuid.uuid4().hex[:12]}"
        with self._session(path) as sftp:
            try:
                with sftp.open(_wire(part), "wx") as file:
                    file.chmod(mode)
                    file.set_pipelined(len(data) > _SMALL)
                    file.write(data)
                # pipelined writes hide a full disk, so the size decides
                if sftp.stat(_wire(part)).st_size != len(data):
                    raise file_error(path, "the file system did not take all bytes: is it full?")
                sftp.posix_rename(_wire(part), _wire(path))
            except BaseException:
                with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
                    sftp.remove(_wire(part))
                raise

    def replace(self, path: str, data: bytes) -> bool:
        """Put a small content in place at once where that is plainly allowed; False where it is not plain.

        Plain is: nothing of that name, or a regular file of our own that we may write, whose mode is kept.
        """
        folder, slash, _ = path.rpartition("/")
        part = _wire(f"{folder}{slash}.centro-{uuid.uuid4().hex[:16]}.part")
        with self._session(path) as sftp:
            found = _lstat(sftp, _wire(path))
            try:
                with sftp.open(part, "wx") as file:
                    mine = file.stat()
                    if found is not None and not _may_replace(found, mine):
                        sftp.remove(part)
                        return False
                    if found is not None:
                        file.chmod(stat_bits.S_IMODE(found.st_mode or 0))
                    file.set_pipelined(True)
                    file.write(data)
                if sftp.stat(part).st_size != len(data):
                    raise file_error(path, "the file system did not take all bytes: is it full?")
                sftp.posix_rename(part, _wire(path))
            except BaseException:
                with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
                    sftp.remove(part)
                raise
        return True

    def stat(self, path: str, follow: bool) -> FileStat:
        with self._session(path) as sftp:
            found = sftp.stat(_wire(path)) if follow else sftp.lstat(_wire(path))
            return _file_stat(os.path.basename(path), found)

    def listdir(self, path: str) -> list[FileStat]:
        with self._session(path) as sftp:
            found = sftp.listdir_attr(path)
        entries = [_file_stat(entry.filename, entry) for entry in found]
        return sorted(entries, key=lambda entry: _wire(entry.name))

    def remove(self, path: str) -> None:
        with self._session(path) as sftp:
            sftp.remove(_wire(path))

    def close_one_idle(self) -> None:
        """Give one kept channel back to the server, if there is one."""
        with self._lock:
            sftp = self._idle.pop(0) if self._idle else None
        if sftp is not None:
            close_quietly(sftp)

    @contextlib.contextmanager
    def _session(self, path: str) -> Iterator[paramiko.SFTPClient]:
        """A channel for this thread alone; returned to the kept ones unless its state is in doubt."""
        deadline = time.monotonic() + FILE_TIMEOUT
        if not self._slots.acquire(timeout=FILE_TIMEOUT):
            raise ChannelsBusy(f"no free file channel within {FILE_TIMEOUT:.0f} s")
        keep = False  # only after an operation that ended as it should
        sftp: paramiko.SFTPClient | None = None
        try:
            with WATCHDOG.guard(deadline, self._give_up):
                sftp = self._take(deadline)
                yield sftp
                keep = True
        except (RemoteFileError, OutputTooLarge):
            keep = True
            raise
        except (TimeoutError, EOFError, paramiko.SSHException, paramiko.SFTPError) as error:
            raise self._broken(path, error, deadline) from error
        except OSError as error:
            if isinstance(error, ConnectionError) or "Socket is closed" in str(error):
                raise self._broken(path, error, deadline) from error
            keep = True
            raise file_error(path, error.strerror or str(error)) from error
        finally:
            self._release(sftp, keep)

    def _broken(
        self, path: str, error: Exception, deadline: float
    ) -> CommandTimeout | ConnectionLost:
        self._retire()
        if time.monotonic() >= deadline - 0.5:
            return CommandTimeout(f"{path}: no answer within {FILE_TIMEOUT:.0f} s")
        return ConnectionLost(f"{path}: the connection broke: {error}")

    def _take(self, deadline: float) -> paramiko.SFTPClient:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        channel = self._open_channel(deadline)
        try:
            channel.invoke_subsystem("sftp")
            sftp = paramiko.SFTPClient(channel)
        except (paramiko.SSHException, EOFError) as error:
            close_quietly(channel)
            raise NotSupported(f"the system offers no SFTP subsystem: {error}") from error
        channel.settimeout(FILE_TIMEOUT)
        return sftp

    def _release(self, sftp: paramiko.SFTPClient | None, keep: bool) -> None:
        if sftp is not None:
            if keep:
                with self._lock:
                    self._idle.append(sftp)
            else:
                close_quietly(sftp)
        self._slots.release()

    def _give_up(self) -> None:
        self._retire()
        shut(self._sock)


def close_quietly(thing: paramiko.Channel | paramiko.SFTPClient) -> None:
    """Close, also over a connection that is gone: paramiko tries to say goodbye there."""
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        thing.close()


def _wire(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _lstat(sftp: paramiko.SFTPClient, path: bytes) -> paramiko.SFTPAttributes | None:
    try:
        return sftp.lstat(path)
    except FileNotFoundError:
        return None


def _may_replace(found: paramiko.SFTPAttributes, mine: paramiko.SFTPAttributes) -> bool:
    mode = found.st_mode or 0
    return bool(
        stat_bits.S_ISREG(mode) and found.st_uid == mine.st_uid and mode & stat_bits.S_IWUSR
    )


def parse_find(output: bytes) -> list[FileStat]:
    """Read what find(1) printed with ``FIND_FORMAT``."""
    entries = []
    for record in output.split(b"\0")[:-1]:
        kind, mode, size, uid, gid, mtime, name = record.split(b" ", 6)
        entries.append(
            FileStat(
                name=name.decode("utf-8", "surrogateescape"),
                mode=_KINDS.get(kind, 0) | int(mode, 8),
                size=int(size),
                uid=int(uid),
                gid=int(gid),
                mtime=datetime.fromtimestamp(int(float(mtime)), UTC),
            )
        )
    return sorted(entries, key=lambda entry: _wire(entry.name))


def _file_stat(name: str, found: paramiko.SFTPAttributes) -> FileStat:
    return FileStat(
        name=name,
        mode=found.st_mode or stat_bits.S_IFREG,
        size=found.st_size or 0,
        uid=found.st_uid or 0,
        gid=found.st_gid or 0,
        mtime=datetime.fromtimestamp(found.st_mtime or 0, UTC),
    )
