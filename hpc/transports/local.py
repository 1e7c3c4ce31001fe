"""This machine as a system: commands as child processes, files by the operating system.

Commands go through the same script and markers as over SSH, so that both answer alike.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from hpc.commands import DEFAULT_MAX_OUTPUT, DEFAULT_TIMEOUT, Command, CommandResult
from hpc.errors import (
    CommandTimeout,
    ConnectFailed,
    ConnectionLost,
    OutputTooLarge,
    RemoteFileError,
)
from hpc.transports.base import (
    MAX_READ,
    TRANSFER_TIMEOUT,
    FileStat,
    T,
    Transport,
    check_path,
    file_error,
)
from hpc.transports.framing import BOOTSTRAP, Frame, FrameReader, frame

_CHUNK = 64 * 1024
_TIDY_UP = 1.0

_KEPT_VARIABLES = (
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "SLURM_CONF", "XDG_RUNTIME_DIR",
)  # fmt: skip
"""What a command may inherit: an SSH log-in gives no more, and our own environment holds secrets."""


class LocalTransport(Transport):
    """Runs commands as the user of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    @property
    def is_usable(self) -> bool:
        return not self._closed

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
        out: list[bytes] = []
        framed = frame(argv, has_stdin=stdin is not None, cwd=cwd, env=env)
        source = iter([stdin] if stdin else [])
        result = self._transact(framed, source, out.append, timeout, max_output)
        return replace(result, stdout=b"".join(out))

    def pipe(
        self,
        command: Command[T],
        *,
        source: Iterator[bytes] | None = None,
        sink: Callable[[bytes], object] | None = None,
    ) -> T:
        out: list[bytes] = []
        framed = frame(command.argv, has_stdin=source is not None, cwd=command.cwd, env=command.env)
        result = self._transact(
            framed, source or iter(()), sink or out.append, command.timeout, command.max_output
        )
        return command.parse(replace(result, stdout=b"".join(out)))

    def _transact(
        self,
        framed: Frame,
        source: Iterator[bytes],
        sink: Callable[[bytes], object],
        timeout: float,
        max_output: int,
    ) -> CommandResult:
        started = time.monotonic()
        err: list[bytes] = []
        readers = framed.readers(sink, err.append)
        with self._process() as process:
            pending = itertools.chain([framed.head], source)
            _exchange(process, pending, readers, started + timeout, max_output)
        code = self._result(framed, readers)
        return CommandResult(code, b"", b"".join(err), time.monotonic() - started)

    def _result(self, framed: Frame, readers: tuple[FrameReader, FrameReader]) -> int:
        if self._closed and readers[0].end is None:
            raise ConnectionLost("the transport was closed under a running command")
        return framed.exit_code(*readers)

    @contextlib.contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        """A shell in its own process group; on an error the whole group is killed."""
        if self._closed:
            raise ConnectFailed("the transport is closed")
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        try:
            process = subprocess.Popen(  # noqa: S603 - a constant command line
                ["/bin/sh", "-c", BOOTSTRAP],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=kept,
                cwd=_home(),
            )
        except OSError as error:
            raise ConnectFailed(f"no shell could be started: {error}") from error
        with self._lock:
            self._running.add(process)
        try:
            yield process
        except BaseException:
            _hang_up(process)
            _kill_group(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            process.wait()

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        with _errors(path), open(check_path(path), "rb") as file:
            if length is None and os.fstat(file.fileno()).st_size - offset > MAX_READ:
                raise OutputTooLarge(f"{path} has more than {MAX_READ} bytes: use get")
            file.seek(offset)
            return file.read(MAX_READ if length is None else length)

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        with _errors(path), _beside(check_path(path), mode) as file:
            file.write(data)

    def get(self, path: str, local_path: Path, timeout: float = TRANSFER_TIMEOUT) -> int:
        with _errors(path), open(check_path(path), "rb") as source:
            return _copy(source, str(local_path), 0o600, timeout)

    def put(
        self, local_path: Path, path: str, mode: int = 0o600, timeout: float = TRANSFER_TIMEOUT
    ) -> int:
        with open(local_path, "rb") as source, _errors(path):
            return _copy(source, check_path(path), mode, timeout)

    def stat(self, path: str, *, follow: bool = True) -> FileStat:
        with _errors(path):
            return _file_stat(
                os.path.basename(path), os.stat(check_path(path), follow_symlinks=follow)
            )

    def listdir(self, path: str) -> list[FileStat]:
        entries: list[FileStat] = []
        with _errors(path), os.scandir(check_path(path)) as found:
            for entry in found:
                with contextlib.suppress(FileNotFoundError):  # went away while we were listing
                    entries.append(_file_stat(entry.name, entry.stat(follow_symlinks=False)))
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))

    def remove(self, path: str) -> None:
        with _errors(path):
            os.unlink(check_path(path))

    def close(self) -> None:
        self._closed = True
        with self._lock:
            running = list(self._running)
        for process in running:
            _kill_group(process)

    def abandon(self) -> None:
        self._closed = True


def _home() -> str:
    """Where commands start, as after a log-in."""
    home = os.path.expanduser("~")
    return home if os.access(home, os.X_OK) and os.path.isdir(home) else "/"


def _exchange(
    process: subprocess.Popen[bytes],
    source: Iterator[bytes],
    readers: tuple[FrameReader, FrameReader],
    deadline: float,
    max_output: int,
) -> None:
    """Feed the process and drain both streams until both END lines came, or both streams ended."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ConnectFailed("the shell was started without its pipes")
    data = memoryview(next(source, b""))
    with selectors.DefaultSelector() as selector:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE, None)
        selector.register(process.stdout, selectors.EVENT_READ, readers[0])
        selector.register(process.stderr, selectors.EVENT_READ, readers[1])
        while any(reader.end is None for reader in readers):
            left = deadline - time.monotonic()
            if left <= 0:
                raise CommandTimeout(
                    "the command did not end in time; it was killed, what it did is unknown"
                )
            for key, _ in selector.select(left):
                if key.data is None:
                    data = _feed(key.fd, data) or memoryview(next(source, b""))
                    if not data:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                chunk = os.read(key.fd, _CHUNK)
                key.data.feed(chunk)
                if 0 <= max_output < readers[0].size + readers[1].size:
                    raise OutputTooLarge(f"the command printed more than {max_output} bytes")
                if not chunk:
                    selector.unregister(key.fileobj)
            if not any(
                reader in (k.data for k in selector.get_map().values()) for reader in readers
            ):
                return


def _feed(descriptor: int, data: memoryview) -> memoryview:
    try:
        return data[os.write(descriptor, data[:_CHUNK]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:  # the command does not want the rest
        return data[:0]


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    """Let a command that still reads its input notice the early end and tidy up."""
    if process.stdin is not None and not process.stdin.closed:
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TIDY_UP)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except RemoteFileError:
        raise
    except OSError as error:
        raise file_error(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def _beside(path: str, mode: int) -> Iterator[IO[bytes]]:
    """A file under a temporary name in the same directory, renamed to ``path`` when all went well."""
    part = f"{path}.part-{uuid.uuid4().hex[:12]}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _copy(source: IO[bytes], target: str, mode: int, timeout: float) -> int:
    deadline = time.monotonic() + timeout
    with _beside(target, mode) as file:
        while chunk := source.read(1024 * 1024):
            file.write(chunk)
            if time.monotonic() > deadline:
                raise CommandTimeout(f"copying to {target} took longer than {timeout:.0f} s")
        return file.tell()


def _file_stat(name: str, found: os.stat_result) -> FileStat:
    return FileStat(
        name=name,
        mode=found.st_mode,
        size=found.st_size,
        uid=found.st_uid,
        gid=found.st_gid,
        mtime=datetime.fromtimestamp(int(found.st_mtime), UTC),
    )
