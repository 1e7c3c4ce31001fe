"""One thread per process that acts when a deadline passes.

Several calls of paramiko wait without a time limit of their own (the reply to an exec request, a write to
a peer that stopped reading). Only shutting the socket from another thread ends such a wait.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator


class Watchdog:
    """Calls back at deadlines, unless the guarded block ended before. Callbacks must not block."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._condition = threading.Condition()
        self._heap: list[tuple[float, int]] = []
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def guard(self, deadline: float, callback: Callable[[], None]) -> Iterator[None]:
        """Call ``callback`` if the block still runs at ``deadline`` (``time.monotonic`` seconds)."""
        if self._pid != os.getpid():  # a forked child has no such thread, and perhaps a held lock
            self._reset()
        with self._condition:
            number = next(self._numbers)
            self._callbacks[number] = callback
            heapq.heappush(self._heap, (deadline, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif self._heap[0][1] == number:
                self._condition.notify()
        try:
            yield
        finally:
            with self._condition:
                self._callbacks.pop(number, None)

    def _watch(self) -> None:
        while True:
            with self._condition:
                due = self._next_due()
            if due is not None:
                due()

    def _next_due(self) -> Callable[[], None] | None:
        """Wait for the next deadline; the lock is held by the caller."""
        while self._heap and self._heap[0][1] not in self._callbacks:
            heapq.heappop(self._heap)
        if not self._heap:
            self._condition.wait()
            return None
        left = self._heap[0][0] - time.monotonic()
        if left > 0:
            self._condition.wait(left)
            return None
        return self._callbacks.pop(heapq.heappop(self._heap)[1])


WATCHDOG = Watchdog()
