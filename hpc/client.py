"""One system as one user: the only thing of this package that services need to see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Protocol, TypeVar

from hpc.commands import Command
from hpc.errors import NotSupported, RemoteFileError
from hpc.jobs import SystemLimits
from hpc.schedulers.base import Scheduler
from hpc.schedulers.registry import scheduler_for
from hpc.transports.base import TRANSFER_TIMEOUT, Endpoint, FileStat, Transport
from hpc.transports.credentials import Credential, NoCredential
from hpc.transports.hostkeys import parse_host_key
from hpc.transports.pool import TransportPool

T = TypeVar("T")

TRANSPORTS = ("local", "ssh")
_CHUNK = 256 * 1024
_USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """What is needed to reach a system as somebody.

    ``transport`` is "ssh" or "local"; ``host_keys`` are lines "type base64", at least one for ssh;
    ``scheduler_options`` go to the scheduler's adapter (``bin_dir`` is known to all of them).
    """

    name: str
    transport: str
    scheduler: str
    username: str
    credential: Credential
    host: str = ""
    port: int = 22
    host_keys: tuple[str, ...] = ()
    scheduler_options: Mapping[str, str] = field(default_factory=dict)
    limits: SystemLimits = field(default_factory=SystemLimits)

    def check(self) -> None:
        """Raises ``ValueError`` naming the field and what was expected."""
        prefix = f"system {self.name!r}: "
        if self.transport not in TRANSPORTS:
            known = " or ".join(TRANSPORTS)
            raise ValueError(f"{prefix}transport is {self.transport!r}, expected {known}")
        if not _USERNAME.fullmatch(self.username):
            raise ValueError(f"{prefix}username is {self.username!r}, expected a Unix user name")
        if self.limits.max_connections < 1:
            raise ValueError(f"{prefix}limits.max_connections must be at least 1")
        if not 1 <= self.limits.window_mib <= 8:
            # above 8 MiB paramiko's own bookkeeping makes transfers slower, measured
            raise ValueError(f"{prefix}limits.window_mib must be between 1 and 8")
        if self.transport == "ssh":
            self._check_ssh(prefix)

    def _check_ssh(self, prefix: str) -> None:
        if not self.host or any(c.isspace() for c in self.host):
            raise ValueError(f"{prefix}host is {self.host!r}, expected a host name or an address")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{prefix}port is {self.port}, expected 1 to 65535")
        if not self.host_keys:
            raise ValueError(f"{prefix}host_keys is empty, expected at least one host key to pin")
        for line in self.host_keys:
            try:
                parse_host_key(line)
            except ValueError as error:
                raise ValueError(f"{prefix}host_keys: {error}") from error
        if isinstance(self.credential, NoCredential):
            raise ValueError(f"{prefix}credential is missing, transport ssh needs a key")
        if self.credential.username != self.username:
            raise ValueError(
                f"{prefix}username is {self.username!r} but the credential logs in as "
                f"{self.credential.username!r}"
            )


class Readable(Protocol):
    """Gives bytes piece by piece, b"" at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class SystemClient:
    """A system's scheduler and a transport to it, borrowed from the pool for each call.

    All methods raise the ``HpcError`` tree; see ``Transport`` for what each says about the outcome.
    """

    def __init__(self, pool: TransportPool, spec: SystemSpec, scheduler: Scheduler) -> None:
        self._pool = pool
        self._spec = spec
        self._scheduler = scheduler
        self._endpoint = Endpoint(spec.transport, spec.host, spec.port, tuple(spec.host_keys))
        env = {"CENTRO_USER": spec.username}
        if scheduler.config.bin_dir:
            env["CENTRO_BIN"] = scheduler.config.bin_dir.rstrip("/")
        self._env = tuple(env.items())

    @classmethod
    def open(cls, pool: TransportPool, spec: SystemSpec) -> SystemClient:
        """Check the spec and bind it to a pool; nothing is connected yet. Raises ``ValueError``."""
        spec.check()
        try:
            scheduler = scheduler_for(spec.scheduler, spec.scheduler_options)
        except ValueError as error:
            raise ValueError(f"system {spec.name!r}: {error}") from error
        return cls(pool, spec, scheduler)

    @property
    def scheduler(self) -> Scheduler:
        return self._scheduler

    @property
    def username(self) -> str:
        """The cluster user that all commands run as."""
        return self._spec.username

    @property
    def limits(self) -> SystemLimits:
        return self._spec.limits

    def run(self, command: Command[T]) -> T:
        """Run a command with ``CENTRO_USER`` and ``CENTRO_BIN`` in its environment."""
        bound = replace(command, env=self._env + command.env)
        return self._pool.call(
            self._endpoint,
            self._spec.credential,
            self._spec.limits,
            lambda transport: transport.execute(bound),
            read_only=command.read_only,
        )

    def fetch(self, command: Command[T], target: IO[bytes]) -> T:
        """Run a command that only reads, its stdout going to ``target``, which is emptied first.

        ``parse`` sees an empty stdout. Flat memory; ``target`` holds a part when an error comes.
        """

        def action(transport: Transport) -> T:
            target.seek(0)
            target.truncate()
            return transport.pipe(command, sink=target.write)

        return self._call(action, read_only=True)

    def stream(self, command: Command[T], sink: Callable[[bytes], object]) -> T:
        """Run a command, its stdout going to ``sink`` piece by piece, once: never again by itself. Flat memory."""
        return self._call(lambda t: t.pipe(command, sink=sink), read_only=False)

    def feed(self, command: Command[T], source: Readable) -> T:
        """Run a command whose input is ``source`` from where it stands to its end. Flat memory."""

        def chunks() -> Iterator[bytes]:
            while chunk := source.read(_CHUNK):
                yield chunk

        return self._call(lambda t: t.pipe(command, source=chunks()), read_only=False)

    def replace(self, path: str, data: bytes) -> bool:
        """See ``Transport.replace``; a refusal of the system is a False here: the command says why."""
        try:
            return self._call(lambda t: t.replace(path, data), read_only=False)
        except (RemoteFileError, NotSupported):
            return False

    def connect(self) -> None:
        """Make sure that a connection is open. Raises the ``ConnectFailed`` family: nothing has run then."""
        self._call(lambda t: None, read_only=True)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        return self._call(lambda t: t.read(path, offset, length), read_only=True)

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        # the same content under the same name twice is the same file
        self._call(lambda t: t.write(path, data, mode), read_only=True)

    def stat(self, path: str, *, follow: bool = True) -> FileStat:
        return self._call(lambda t: t.stat(path, follow=follow), read_only=True)

    def listdir(self, path: str) -> list[FileStat]:
        return self._call(lambda t: t.listdir(path), read_only=True)

    def remove(self, path: str) -> None:
        self._call(lambda t: t.remove(path), read_only=False)

    def get(self, path: str, local_path: Path, timeout: float = TRANSFER_TIMEOUT) -> int:
        return self._call(lambda t: t.get(path, local_path, timeout), read_only=True)

    def put(
        self, local_path: Path, path: str, mode: int = 0o600, timeout: float = TRANSFER_TIMEOUT
    ) -> int:
        return self._call(lambda t: t.put(local_path, path, mode, timeout), read_only=True)

    def _call(self, action: Callable[[Transport], T], *, read_only: bool) -> T:
        return self._pool.call(
            self._endpoint,
            self._spec.credential,
            self._spec.limits,
            action,
            read_only=read_only,
        )
