"""One SSH connection to one host as one user, shared by threads."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko

from hpc.commands import DEFAULT_MAX_OUTPUT, DEFAULT_TIMEOUT, Command, CommandResult
from hpc.errors import ChannelsBusy, CommandTimeout, ConnectFailed, ConnectionLost
from hpc.transports.base import (
    TRANSFER_TIMEOUT,
    Endpoint,
    FileStat,
    T,
    Transport,
    check_path,
    file_error,
)
from hpc.transports.credentials import Credential
from hpc.transports.drain import CHUNK, Drain
from hpc.transports.framing import BOOTSTRAP, KEPT_SHELL, Frame, frame
from hpc.transports.kept import KeptShells
from hpc.transports.sftp import FIND_FORMAT, SftpFiles, close_quietly, parse_find
from hpc.transports.ssh_connect import CONNECT_TIMEOUT, open_connection, shut
from hpc.transports.watchdog import WATCHDOG

EXEC_CHANNELS = 4
SFTP_CHANNELS = 3
OPEN_TIMEOUT = 10.0

_REFUSED_FOR = 2.0  # seconds that a refused channel is asked for again
_GRACE = 1.0  # seconds after a deadline until the watchdog cuts the connection

_PUT = (
    'umask 077; cat >"$1" && [ "$(($(wc -c <"$1")))" -eq "$3" ] && chmod "$4" "$1" && mv -f "$1" "$2" '
    '|| { r=$?; rm -f "$1"; exit "$r"; }'
)


class SSHTransport(Transport):
    """The contract of ``Transport`` over paramiko.

    At most four commands and three file channels are open at once, below the ten sessions that a stock
    sshd allows; the rest waits. After a deadline passed the connection takes no new work: the far side may
    be frozen, and an abandoned command still holds one of its sessions.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credential: Credential,
        *,
        window_mib: int = 1,
        timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        """Connect and log in; the errors are those of ``open_connection``."""
        self.where = f"{credential.username}@{endpoint}"
        self._ssh, self._sock = open_connection(
            endpoint, credential, window_mib=window_mib, timeout=timeout
        )
        self._slots = threading.BoundedSemaphore(EXEC_CHANNELS)
        self._shells = KeptShells()
        self._refused = threading.Lock()
        self._ended = 0
        self._retired = False
        self._closed = False
        self._files = SftpFiles(self._open_channel, self.retire, self._sock, SFTP_CHANNELS)

    @property
    def is_usable(self) -> bool:
        return not (self._retired or self._closed) and self._ssh.is_active()

    def retire(self) -> None:
        """Take no new work; what runs may end."""
        self._retired = True

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
        source = None if stdin is None else iter([stdin])
        out: list[bytes] = []
        framed = frame(argv, has_stdin=stdin is not None, cwd=cwd, env=env)
        result = self._transact(framed, source, out.append, timeout, max_output)
        return replace(result, stdout=b"".join(out))

    def execute(self, command: Command[T]) -> T:
        """Run a command, in a kept shell where it may."""
        if not command.kept or command.stdin is not None:
            return super().execute(command)
        return self.pipe(command)

    def pipe(
        self,
        command: Command[T],
        *,
        source: Iterator[bytes] | None = None,
        sink: Callable[[bytes], object] | None = None,
    ) -> T:
        out: list[bytes] = []
        kept = command.kept and source is None
        framed = frame(
            command.argv,
            has_stdin=source is not None,
            cwd=command.cwd,
            env=command.env,
            nested=kept,
        )
        result = self._transact(
            framed, source, sink or out.append, command.timeout, command.max_output, kept
        )
        return command.parse(replace(result, stdout=b"".join(out)))

    def _transact(
        self,
        framed: Frame,
        source: Iterator[bytes] | None,
        sink: Callable[[bytes], object],
        timeout: float,
        max_output: int,
        kept: bool = False,
    ) -> CommandResult:
        started = time.monotonic()
        err: list[bytes] = []
        code = self._exchange(
            framed, source or iter(()), sink, err.append, started + timeout, max_output, kept
        )
        return CommandResult(code, b"", b"".join(err), time.monotonic() - started)

    def _exchange(
        self,
        framed: Frame,
        source: Iterator[bytes],
        out: Callable[[bytes], object],
        err: Callable[[bytes], object],
        deadline: float,
        max_output: int,
        kept: bool,
    ) -> int:
        """One command in a channel of its own, or in a kept shell; the exit code."""
        if not self._slots.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise ChannelsBusy(f"{self.where}: no free channel before the command's time was over")
        try:
            with WATCHDOG.guard(deadline + _GRACE, self._cut):
                channel = self._channel_for(kept, deadline)
                reusable = False
                try:
                    readers = framed.readers(out, err)
                    Drain(channel, readers, max_output).pump(framed, source, deadline, kept)
                    if self._ssh.is_active() or all(r.end for r in readers):
                        ends = {reader.end for reader in readers}
                        reusable = kept and len(ends) == 1 and None not in ends
                        return framed.exit_code(*readers)
                    raise self._lost("the connection broke under a running command", deadline)
                except (CommandTimeout, ConnectionLost):
                    self._retired = True
                    raise
                except (paramiko.SSHException, EOFError, OSError) as error:
                    self._retired = True
                    raise self._lost(str(error) or "the connection closed", deadline) from error
                finally:
                    self._put_away(channel, reusable)
        finally:
            self._slots.release()

    def _channel_for(self, kept: bool, deadline: float) -> paramiko.Channel:
        """A channel with a shell that waits for the command."""
        channel = self._shells.take() if kept else None
        if channel is not None:
            channel.settimeout(max(0.1, deadline - time.monotonic()))
            return channel
        channel = self._open_channel(deadline)
        try:
            channel.settimeout(max(0.1, deadline - time.monotonic()))
            channel.exec_command(KEPT_SHELL if kept else BOOTSTRAP)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._retired = True
            close_quietly(channel)
            raise self._lost(str(error) or "the connection closed", deadline) from error
        return channel

    def _put_away(self, channel: paramiko.Channel, reusable: bool) -> None:
        if reusable and not (self._closed or self._retired):
            self._shells.give(channel)
            return
        close_quietly(channel)
        self._ended += 1

    def _lost(self, reason: str, deadline: float) -> CommandTimeout | ConnectionLost:
        if time.monotonic() >= deadline:
            return CommandTimeout(
                f"{self.where}: no end within the command's time; its outcome is unknown"
            )
        return ConnectionLost(f"{self.where}: {reason}")

    def _open_channel(self, deadline: float) -> paramiko.Channel:
        """A new session. A refused one is asked for again for a short while: nothing has run yet."""
        with self._refused:  # those who were refused before us go first
            pass
        channel = self._try_to_open(deadline)
        if channel is not None:
            return channel
        with self._refused:
            return self._insist(deadline)

    def _insist(self, deadline: float) -> paramiko.Channel:
        """Ask again while sessions of ours still end, and for two seconds after the last one did."""
        pause = 0.005
        ended = self._ended
        give_up = time.monotonic() + _REFUSED_FOR
        while time.monotonic() + pause < min(give_up, deadline):
            # a kept channel is worth less than a command that waits
            if not self._shells.close_one():
                self._files.close_one_idle()
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, 0.1)
            channel = self._try_to_open(deadline)
            if channel is not None:
                return channel
            if ended != self._ended:
                ended = self._ended
                give_up = time.monotonic() + _REFUSED_FOR
        raise ChannelsBusy(f"{self.where}: the server refuses more sessions on this connection")

    def _try_to_open(self, deadline: float) -> paramiko.Channel | None:
        """None when the server refused, most often by its MaxSessions."""
        try:
            left = max(0.1, min(OPEN_TIMEOUT, deadline - time.monotonic()))
            return self._ssh.open_session(timeout=left)
        except paramiko.ChannelException:
            return None
        except (paramiko.SSHException, EOFError, OSError) as error:
            # paramiko hands the reason of a refusal to whichever thread asks first
            if self._ssh.is_active() and str(error) == "Unable to open channel.":
                return None
            self._retired = True
            raise ConnectFailed(f"{self.where}: no channel could be opened: {error}") from error

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._files.read(check_path(path), offset, length)

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        self._files.write(check_path(path), data, mode)

    def replace(self, path: str, data: bytes) -> bool:
        return self._files.replace(path, data)

    def stat(self, path: str, *, follow: bool = True) -> FileStat:
        return self._files.stat(check_path(path), follow)

    def listdir(self, path: str) -> list[FileStat]:
        try:
            return self._files.listdir(check_path(path))
        except UnicodeError:  # paramiko reads and writes names in UTF-8 only
            result = self.run(
                ("find", f"{path}/", "-mindepth", "1", "-maxdepth", "1", "-printf", FIND_FORMAT),
                env=(("LC_ALL", "C"),),
            )
            if result.exit_code != 0:
                raise file_error(path, result.error_text) from None
            return parse_find(result.stdout)

    def remove(self, path: str) -> None:
        self._files.remove(check_path(path))

    def get(self, path: str, local_path: Path, timeout: float = TRANSFER_TIMEOUT) -> int:
        part = local_path.with_name(f"{local_path.name}.part-{uuid.uuid4().hex[:12]}")
        argv = ("cat", "--", check_path(path))
        try:
            with open(part, "wb") as file:
                self.pipe(_copying(argv, path, timeout), sink=file.write)
                size = file.tell()
            part.replace(local_path)
        finally:
            part.unlink(missing_ok=True)
        return size

    def put(
        self, local_path: Path, path: str, mode: int = 0o600, timeout: float = TRANSFER_TIMEOUT
    ) -> int:
        part = f"{check_path(path)}.part-{uuid.uuid4().hex[:12]}"
        with open(local_path, "rb") as file:
            size = local_path.stat().st_size
            argv = ("/bin/sh", "-c", _PUT, "centro-put", part, path, str(size), f"{mode:04o}")
            self.pipe(_copying(argv, path, timeout), source=iter(lambda: file.read(CHUNK), b""))
        return size

    def _cut(self) -> None:
        self._retired = True
        shut(self._sock)

    def close(self) -> None:
        self._closed = True
        shut(self._sock)
        self._ssh.close()

    def abandon(self) -> None:
        self._closed = True
        self._ssh.atfork()


def _copying(argv: tuple[str, ...], path: str, timeout: float) -> Command[None]:
    def parse(result: CommandResult) -> None:
        code = result.exit_code
        if code != 0:
            text = result.error_text or f"the copy ended with exit code {code}: size differs"
            raise file_error(path, text)

    return Command(argv, parse, env=(("LC_ALL", "C"),), timeout=timeout, max_output=-1)
