"""The connections of one process, shared by all of its threads."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from hpc.errors import ChannelsBusy, ConnectFailed, ConnectionLost, TransportError
from hpc.jobs import SystemLimits
from hpc.transports.base import Endpoint, Transport
from hpc.transports.breaker import Breakers, record
from hpc.transports.credentials import Credential
from hpc.transports.local import LocalTransport
from hpc.transports.ssh import EXEC_CHANNELS, SSHTransport

T = TypeVar("T")

IDLE_CLOSE = 300.0
PING_AFTER = 60.0
PING_TIMEOUT = 5.0
OPEN_INTERVAL = 0.1
WAIT_FOR_CONNECTION = 30.0

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """Connections opened and leases served by a kept one since the start; connections open now."""

    opened: int
    reused: int
    open_now: int


@dataclass(slots=True)
class _Connection:
    transport: Transport
    leases: int = 0
    last_used: float = 0.0


@dataclass(slots=True)
class _Slot:
    """The connections of one log-in."""

    connections: list[_Connection] = field(default_factory=list)
    connecting: bool = False


class TransportPool:
    """Lends transports. Safe for threads; a forked child starts empty.

    At most ``limits.max_connections`` connections per (host, port, user, credential); a second one is
    opened only when all channels of the first are busy. One thread connects, the others wait for it.
    """

    def __init__(
        self,
        connect: Callable[[Endpoint, Credential, SystemLimits], Transport] | None = None,
        *,
        idle_close: float = IDLE_CLOSE,
        ping_after: float = PING_AFTER,
        open_interval: float = OPEN_INTERVAL,
    ) -> None:
        self._connect = connect or open_transport
        self._idle_close = idle_close
        self._ping_after = ping_after
        self._open_interval = open_interval
        self.breakers = Breakers()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._slots: dict[Key, _Slot] = {}
        self._last_open: dict[tuple[str, int], float] = {}
        self._opened = 0
        self._reused = 0

    def call(
        self,
        endpoint: Endpoint,
        credential: Credential,
        limits: SystemLimits,
        action: Callable[[Transport], T],
        *,
        read_only: bool,
    ) -> T:
        """Do something over a transport; once more if that is harmless and the connection broke.

        An action that certainly did not run (no channel on a connection that had died unnoticed) is
        tried again on a new connection; one that may have run only where ``read_only`` says so.
        """
        reached: list[Transport] = []
        try:
            with self.lease(endpoint, credential, limits) as transport:
                reached.append(transport)
                return action(transport)
        except ChannelsBusy:
            raise
        except ConnectFailed:
            if not reached:
                raise
        except ConnectionLost:
            if not read_only:
                raise
        with self.lease(endpoint, credential, limits) as transport:
            return action(transport)

    @contextlib.contextmanager
    def lease(
        self, endpoint: Endpoint, credential: Credential, limits: SystemLimits | None = None
    ) -> Iterator[Transport]:
        """A transport for the time of the block. Raises ``ConnectFailed`` and its subclasses."""
        if self._pid != os.getpid():
            self._forget_parent()
        key = (endpoint.kind, endpoint.host, str(endpoint.port), *endpoint.host_keys)
        key += (credential.username, credential.fingerprint)
        limits = limits or SystemLimits()
        connection = self._acquire(key, endpoint, credential, limits)
        try:
            yield connection.transport
        finally:
            self._release(key, connection)

    def prune(self) -> int:
        """Close what broke or was not used for a while; how many. Also done at every lease."""
        now = time.monotonic()
        gone: list[_Connection] = []
        with self._changed:
            for slot in self._slots.values():
                gone += self._drop_stale(slot, now)
        for connection in gone:
            connection.transport.close()
        return len(gone)

    def close(self) -> None:
        """Close all connections. The pool may be used again."""
        with self._changed:
            gone = [c for slot in self._slots.values() for c in slot.connections]
            self._slots.clear()
        for connection in gone:
            connection.transport.close()

    def statistics(self) -> PoolStatistics:
        with self._changed:
            now = sum(len(slot.connections) for slot in self._slots.values())
            return PoolStatistics(self._opened, self._reused, now)

    def _forget_parent(self) -> None:
        """In a forked child: the sockets belong to the parent, and its locks may be held for ever."""
        old = [c for slot in self._slots.values() for c in slot.connections]
        self.breakers = Breakers()
        self._reset()
        for connection in old:
            connection.transport.abandon()

    def _acquire(
        self, key: Key, endpoint: Endpoint, credential: Credential, limits: SystemLimits
    ) -> _Connection:
        deadline = time.monotonic() + WAIT_FOR_CONNECTION
        while True:
            self.prune()
            connection = self._choose(key, limits, deadline)
            if connection is None:
                return self._open(key, endpoint, credential, limits)
            if self._answers(connection):
                return connection
            self._release(key, connection)

    def _choose(self, key: Key, limits: SystemLimits, deadline: float) -> _Connection | None:
        """A kept connection with a lease on it, or None: the caller has to open one."""
        with self._changed:
            while True:
                slot = self._slots.setdefault(key, _Slot())
                usable = [c for c in slot.connections if c.transport.is_usable]
                best = min(usable, key=lambda c: c.leases, default=None)
                full = best is None or best.leases >= EXEC_CHANNELS
                # those given up only wait for their last command to end
                room = len(usable) < limits.max_connections
                room = room and len(slot.connections) < 2 * limits.max_connections
                if full and room and not slot.connecting:
                    slot.connecting = True
                    return None
                if best is not None:
                    best.leases += 1
                    self._reused += 1
                    return best
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise ChannelsBusy(
                        f"no connection became free within {WAIT_FOR_CONNECTION:.0f} s"
                    )

    def _open(
        self, key: Key, endpoint: Endpoint, credential: Credential, limits: SystemLimits
    ) -> _Connection:
        """Connect, outside the lock, and count the outcome. ``connecting`` is ours until we end."""
        transport: Transport | None = None
        try:
            transport = self._try_to_connect(key, endpoint, credential, limits)
        finally:
            with self._changed:
                slot = self._slots.setdefault(key, _Slot())
                slot.connecting = False
                if transport is not None:
                    connection = _Connection(transport, leases=1, last_used=time.monotonic())
                    slot.connections.append(connection)
                    self._opened += 1
                self._changed.notify_all()
        return connection

    def _try_to_connect(
        self, key: Key, endpoint: Endpoint, credential: Credential, limits: SystemLimits
    ) -> Transport:
        if endpoint.kind == "local":
            return self._connect(endpoint, credential, limits)
        address = (endpoint.host, endpoint.port)
        host = self.breakers.host(address)
        login = self.breakers.login(key, f"{credential.username}@{endpoint}")
        login.enter()
        try:
            host.enter()
        except ConnectFailed:
            login.released()
            raise
        error: BaseException | None = None
        try:
            self._pace(address)
            return self._connect(endpoint, credential, limits)
        except BaseException as caught:
            error = caught
            raise
        finally:
            record(host, login, error)

    def _pace(self, address: tuple[str, int]) -> None:
        """Keep a short distance between two log-ins on one host, whoever they are for."""
        with self._changed:
            now = time.monotonic()
            start = max(now, self._last_open.get(address, 0.0) + self._open_interval)
            self._last_open[address] = start
        if start > now:
            time.sleep(start - now)

    def _answers(self, connection: _Connection) -> bool:
        """Ask a connection that was idle for long whether it is still there."""
        now = time.monotonic()
        idle = now - connection.last_used
        if isinstance(connection.transport, LocalTransport) or idle < self._ping_after:
            return True
        try:
            connection.transport.run(("true",), timeout=PING_TIMEOUT)
        except TransportError:
            connection.transport.close()
            return False
        connection.last_used = time.monotonic()
        return True

    def _release(self, key: Key, connection: _Connection) -> None:
        with self._changed:
            connection.leases -= 1
            connection.last_used = time.monotonic()
            done = not connection.transport.is_usable and connection.leases == 0
            slot = self._slots.get(key)
            if done and slot is not None and connection in slot.connections:
                slot.connections.remove(connection)
            self._changed.notify_all()  # who waits may wait for another system
        if done:
            connection.transport.close()

    def _drop_stale(self, slot: _Slot, now: float) -> list[_Connection]:
        stale = [
            c
            for c in slot.connections
            if c.leases == 0 and (not c.transport.is_usable or now - c.last_used > self._idle_close)
        ]
        for connection in stale:
            slot.connections.remove(connection)
        return stale


def open_transport(endpoint: Endpoint, credential: Credential, limits: SystemLimits) -> Transport:
    """Connect by the endpoint's kind. Raises ``ValueError`` for an unknown one."""
    if endpoint.kind == "local":
        return LocalTransport()
    if endpoint.kind == "ssh":
        return SSHTransport(endpoint, credential, window_mib=limits.window_mib)
    raise ValueError(f"transport {endpoint.kind!r} is not known; known are local, ssh")
