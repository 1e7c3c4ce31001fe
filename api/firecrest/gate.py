"""How many threads of this web process may wait for one system at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SLOW = 1.0
"""Seconds: a system with an operation that is older than this, and none that ended within this, is slow."""
PATIENCE = 1.0
"""Seconds that a request waits for a place at a system that is quick but has many requests."""
SPARE = 2
"""Threads that one system never takes."""


class Crowded(Exception):
    """No place is free; ``slow`` says whether because the system does not answer."""

    def __init__(self, system: str, slow: bool) -> None:
        why = "answers slowly" if slow else "has many requests"
        super().__init__(f"{system} {why} at the moment; try again shortly")
        self.slow = slow


@dataclass(slots=True)
class _System:
    started: dict[int, float] = field(default_factory=dict)
    answered: float = float("-inf")


class Gate:
    """Lets requests through to systems. Safe for threads.

    A quick system may use all threads but ``SPARE``; who comes then waits for a moment. A slow one gets
    half of them and further requests are refused at once, so that the other systems are served.
    """

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = max(1, threads - SPARE)
        self._most_if_slow = max(1, threads // 2)
        self._clock = clock
        self._changed = threading.Condition()
        self._systems: dict[str, _System] = {}
        self._tickets = 0

    def enter(self, name: str) -> Callable[[bool], None]:
        """Take a place; the result gives it back and is told whether the system answered.

        Giving back twice does no harm. Raises ``Crowded``.
        """
        with self._changed:
            system = self._systems.setdefault(name, _System())
            self._wait(name, system)
            self._tickets += 1
            ticket = self._tickets
            system.started[ticket] = self._clock()

        def leave(answered: bool) -> None:
            with self._changed:
                if system.started.pop(ticket, None) is None:
                    return
                if answered:
                    system.answered = self._clock()
                self._changed.notify_all()

        return leave

    def _wait(self, name: str, system: _System) -> None:
        deadline = self._clock() + PATIENCE
        while True:
            slow = self._is_slow(system)
            if slow:
                everywhere = sum(len(other.started) for other in self._systems.values())
                full = len(system.started) >= self._most_if_slow or everywhere >= self._most
            else:
                full = len(system.started) >= self._most
            if not full:
                return
            left = deadline - self._clock()
            if slow or left <= 0:
                raise Crowded(name, slow)
            self._changed.wait(min(left, 0.1))

    def _is_slow(self, system: _System) -> bool:
        now = self._clock()
        oldest = min(system.started.values(), default=now)
        return now - oldest > SLOW and now - system.answered > SLOW
