"""A circuit breaker: after repeated failures a system is left alone for a while."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from hpc.errors import AuthenticationFailed, CircuitOpen, ConnectFailed, HostKeyMismatch

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 60.0
REFUSED_PAUSE = 60.0
THRESHOLD = 3


class Breaker:
    """State of one thing that can be unreachable. Thread-safe.

    Closed: everything passes. After ``threshold`` failures in a row it is open: ``enter`` raises
    ``CircuitOpen`` until the pause is over. Then one caller may probe; the others still wait for its
    result. A failed probe doubles the pause up to ``longest``. With ``repeat`` the last error's own class
    is raised while open, so that callers still see what is wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        threshold: int = THRESHOLD,
        first: float = FIRST_PAUSE,
        longest: float = LONGEST_PAUSE,
        repeat: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._threshold = threshold
        self._first = first
        self._longest = longest
        self._repeat = repeat
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0
        self._probing = False
        self._last: Exception | None = None

    def enter(self) -> None:
        """Ask to try. Raises ``CircuitOpen``; otherwise ``succeeded`` or ``failed`` must follow."""
        with self._lock:
            if self._failures < self._threshold:
                return
            left = self._open_until - self._clock()
            if left > 0 or self._probing:
                retry_in = max(left, 0.5)
                raise self._still_open(retry_in)
            self._probing = True

    def _still_open(self, retry_in: float) -> Exception:
        again = f"next try in {retry_in:.0f} s"
        if self._repeat and isinstance(self._last, AuthenticationFailed | HostKeyMismatch):
            return type(self._last)(f"{self._last} ({again})")
        times = f"{self._name} failed {self._failures} times in a row"
        return CircuitOpen(f"{times} ({again}): {self._last}", retry_in)

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._pause = 0.0
            self._probing = False

    def failed(self, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            self._probing = False
            self._last = error
            if self._failures >= self._threshold:
                self._pause = min(self._pause * 2, self._longest) if self._pause else self._first
                # jitter, so that many processes do not come back in the same instant
                spread = random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
                self._open_until = self._clock() + self._pause * spread

    def released(self) -> None:
        """The try ended without saying anything about the system."""
        with self._lock:
            self._probing = False


class Breakers:
    """The breakers of one pool: one per host and port, one per log-in.

    A refused log-in or a wrong host key says nothing about the host, and asking again every few seconds
    can lock an account: it opens its own breaker at once, for ``REFUSED_PAUSE`` seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, int], Breaker] = {}
        self._logins: dict[tuple[str, ...], Breaker] = {}

    def host(self, address: tuple[str, int]) -> Breaker:
        with self._lock:
            if address not in self._hosts:
                self._hosts[address] = Breaker(f"{address[0]}:{address[1]}")
            return self._hosts[address]

    def login(self, key: tuple[str, ...], name: str) -> Breaker:
        with self._lock:
            if key not in self._logins:
                self._logins[key] = Breaker(
                    f"log-in {name}",
                    threshold=1,
                    first=REFUSED_PAUSE,
                    longest=REFUSED_PAUSE * 5,
                    repeat=True,
                )
            return self._logins[key]

    def forget(self) -> None:
        """Close all breakers, for example after an administrator changed a setting."""
        with self._lock:
            self._hosts.clear()
            self._logins.clear()


def record(host: Breaker, login: Breaker, error: BaseException | None) -> None:
    """Tell both breakers how a try to connect ended."""
    if error is None:
        host.succeeded()
        login.succeeded()
    elif isinstance(error, AuthenticationFailed | HostKeyMismatch):
        host.succeeded()  # it answered
        login.failed(error)
    elif isinstance(error, ConnectFailed):
        host.failed(error)
        login.released()
    else:
        host.released()
        login.released()
