"""The pool's and the breaker's rules, without a network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from hpc.commands import Command, CommandResult
from hpc.errors import (
    AuthenticationFailed,
    CircuitOpen,
    ConnectFailed,
    ConnectionLost,
    HpcError,
)
from hpc.jobs import SystemLimits
from hpc.transports.base import Endpoint, FileStat, T, Transport
from hpc.transports.breaker import Breaker
from hpc.transports.credentials import NoCredential
from hpc.transports.pool import TransportPool
from hpc.transports.watchdog import Watchdog

HERE = Endpoint("ssh", "host.example", 22, ())
USER = NoCredential("somebody")


class FakeTransport(Transport):
    """Remembers what happened to it; ``fail`` is raised by the next command."""

    def __init__(self) -> None:
        self.closed = False
        self.fail: HpcError | None = None
        self.commands: list[tuple[str, ...]] = []

    @property
    def is_usable(self) -> bool:
        return not self.closed

    def run(self, argv: Iterable[str], **_: object) -> CommandResult:  # type: ignore[override]
        self.commands.append(tuple(argv))
        if self.fail is not None:
            self.closed = True
            raise self.fail
        return CommandResult(0, b"", b"", 0.0)

    def pipe(self, command: Command[T], **_: object) -> T:  # type: ignore[override]  # nothing flows
        return command.parse(self.run(command.argv))

    def close(self) -> None:
        self.closed = True

    def abandon(self) -> None:
        self.closed = True

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        raise NotImplementedError

    def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        raise NotImplementedError

    def get(self, path: str, local_path: Path, timeout: float = 0) -> int:
        raise NotImplementedError

    def put(self, local_path: Path, path: str, mode: int = 0o600, timeout: float = 0) -> int:
        raise NotImplementedError

    def stat(self, path: str, *, follow: bool = True) -> FileStat:
        raise NotImplementedError

    def listdir(self, path: str) -> list[FileStat]:
        raise NotImplementedError

    def remove(self, path: str) -> None:
        raise NotImplementedError


class Connector:
    """Stands for ``open_transport``; counts, and fails on request."""

    def __init__(self) -> None:
        self.made: list[FakeTransport] = []
        self.error: Exception | None = None
        self.gate: threading.Event | None = None
        self.calls = 0

    def __call__(self, *_: object) -> Transport:
        self.calls += 1
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.made.append(FakeTransport())
        return self.made[-1]


@pytest.fixture
def connector() -> Connector:
    return Connector()


@pytest.fixture
def kept(connector: Connector) -> TransportPool:
    return TransportPool(connector, open_interval=0.0)


def test_a_connection_is_kept_and_shared(kept: TransportPool, connector: Connector) -> None:
    for _ in range(3):
        with kept.lease(HERE, USER), kept.lease(HERE, USER):
            pass
    assert connector.calls == 1
    statistics = kept.statistics()
    assert (statistics.opened, statistics.reused, statistics.open_now) == (1, 5, 1)


def test_users_and_keys_do_not_share(kept: TransportPool, connector: Connector) -> None:
    for credential in (USER, NoCredential("other")):
        with kept.lease(HERE, credential):
            pass
    assert connector.calls == 2


def test_a_second_connection_only_when_the_first_is_full(
    kept: TransportPool, connector: Connector
) -> None:
    leases = [kept.lease(HERE, USER, SystemLimits(max_connections=2)) for _ in range(12)]
    for lease in leases[:4]:
        lease.__enter__()
    assert connector.calls == 1
    for lease in leases[4:]:
        lease.__enter__()
    assert connector.calls == 2
    for lease in leases:
        lease.__exit__(None, None, None)


def test_one_thread_connects_for_all(kept: TransportPool, connector: Connector) -> None:
    connector.gate = threading.Event()
    done: list[Transport] = []

    def work() -> None:
        with kept.lease(HERE, USER) as transport:
            done.append(transport)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while connector.calls == 0:
        time.sleep(0.01)
    connector.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(done) == 4
    assert connector.calls == 1


def test_waiting_threads_try_themselves_when_the_first_fails(
    kept: TransportPool, connector: Connector
) -> None:
    connector.error = ConnectFailed("no")
    connector.gate = threading.Event()
    errors: list[Exception] = []

    def work() -> None:
        try:
            with kept.lease(HERE, USER):
                pass
        except ConnectFailed as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    connector.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 5
    assert connector.calls == 3  # then the circuit is open
    assert sum(isinstance(error, CircuitOpen) for error in errors) == 2


def test_a_broken_connection_is_not_lent_again(kept: TransportPool, connector: Connector) -> None:
    with kept.lease(HERE, USER) as transport:
        transport.close()
    with kept.lease(HERE, USER) as transport:
        assert transport.is_usable
    assert kept.statistics().open_now == 1


def test_idle_connections_are_closed(connector: Connector) -> None:
    pool = TransportPool(connector, idle_close=0.0)
    with pool.lease(HERE, USER):
        assert pool.prune() == 0  # in use
    time.sleep(0.01)
    assert pool.prune() == 1
    assert connector.made[0].closed


def test_a_long_idle_connection_is_asked_first(connector: Connector) -> None:
    pool = TransportPool(connector, ping_after=0.0, open_interval=0.0)
    with pool.lease(HERE, USER):
        pass
    with pool.lease(HERE, USER):
        pass
    assert connector.made[0].commands == [("true",)]
    connector.made[0].fail = ConnectionLost("gone")
    with pool.lease(HERE, USER) as transport:
        assert transport is connector.made[1]


@pytest.mark.parametrize(
    ("error", "read_only", "attempts"),
    [
        (ConnectionLost("cut"), True, 2),
        (ConnectionLost("cut"), False, 1),
        (ConnectFailed("no channel"), False, 2),
    ],
)
def test_only_what_is_harmless_is_done_again(
    kept: TransportPool, connector: Connector, error: HpcError, read_only: bool, attempts: int
) -> None:
    with kept.lease(HERE, USER):
        connector.made[0].fail = error
    ran: list[Transport] = []

    def action(transport: Transport) -> int:
        ran.append(transport)
        return transport.run(["x"]).exit_code

    if attempts == 1:
        with pytest.raises(type(error)):
            kept.call(HERE, USER, SystemLimits(), action, read_only=read_only)
    else:
        assert kept.call(HERE, USER, SystemLimits(), action, read_only=read_only) == 0
    assert len(ran) == attempts


def test_an_unknown_kind_of_transport() -> None:
    lease = TransportPool().lease(Endpoint("telnet", "host"), USER)
    with pytest.raises(ValueError, match="known are local, ssh"):
        lease.__enter__()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int = 1, error: Exception | None = None) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed(error or ConnectFailed("refused"))


def test_the_breaker_opens_probes_and_closes() -> None:
    clock = Clock()
    breaker = Breaker("host:22", clock=clock)
    fail(breaker, 3)
    with pytest.raises(CircuitOpen) as caught:
        breaker.enter()
    assert 3.9 < caught.value.retry_in < 6.1
    assert "refused" in str(caught.value)
    clock.now += 7
    breaker.enter()  # the one probe
    with pytest.raises(CircuitOpen):
        breaker.enter()
    breaker.failed(ConnectFailed("still"))
    with pytest.raises(CircuitOpen) as caught:
        breaker.enter()
    assert caught.value.retry_in > 7.9  # twice as long
    clock.now += 13
    breaker.enter()
    breaker.succeeded()
    breaker.enter()
    breaker.enter()


def test_the_pause_has_an_upper_end() -> None:
    clock = Clock()
    breaker = Breaker("host:22", clock=clock)
    fail(breaker, 3)
    for _ in range(10):
        clock.now += 100
        fail(breaker)
    with pytest.raises(CircuitOpen) as caught:
        breaker.enter()
    assert caught.value.retry_in < 73


def test_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker("host:22", clock=Clock())
    for _ in range(10):
        fail(breaker, 2)
        breaker.enter()
        breaker.succeeded()
    breaker.enter()


def test_a_probe_that_says_nothing_lets_the_next_one_through() -> None:
    clock = Clock()
    breaker = Breaker("host:22", clock=clock)
    fail(breaker, 3)
    clock.now += 100
    breaker.enter()
    breaker.released()
    breaker.enter()


def test_a_refused_login_stays_recognisable() -> None:
    breaker = Breaker("log-in", threshold=1, repeat=True, clock=Clock())
    fail(breaker, 1, AuthenticationFailed("key refused"))
    with pytest.raises(AuthenticationFailed, match="key refused"):
        breaker.enter()


def test_the_watchdog_acts_only_on_what_still_runs() -> None:
    watchdog = Watchdog()
    barked: list[str] = []
    bark: Callable[[str], Callable[[], None]] = lambda name: lambda: barked.append(name)  # noqa: E731
    with watchdog.guard(time.monotonic() + 60, bark("late")):
        with watchdog.guard(time.monotonic() + 0.02, bark("early")):
            until = time.monotonic() + 10
            while not barked and time.monotonic() < until:
                time.sleep(0.01)
        with watchdog.guard(time.monotonic() + 0.02, bark("ended")):
            pass
        time.sleep(0.1)
    assert barked == ["early"]
