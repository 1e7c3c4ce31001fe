"""One question to a cluster for many people who ask the same within a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One question on its way, or its answer."""

    def __init__(self, stamp: object, begun: float) -> None:
        self.stamp = stamp
        self.begun = begun
        self.ended: float | None = None
        self.done = threading.Event()
        self.answer: T | None = None
        self.error: BaseException | None = None
        self.previous: Flight[T] | None = None
        """What was known before, while this one is on its way."""
        self._lock = threading.Lock()
        self._afterwards: list[Callable[[], object]] = []

    def result(self) -> T:
        """The answer; raises what the question raised."""
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]  # set before done, None may be an answer

    def afterwards(self, action: Callable[[], object]) -> None:
        """Have ``action`` done at the end, in the thread that asks, or now if the end has come. It must be
        short and must not raise."""
        with self._lock:
            if not self.done.is_set():
                self._afterwards.append(action)
                return
        action()

    def end(self, now: float) -> None:
        """To be called by whoever asked, once the answer or the error is set."""
        self.previous = None
        self.ended = now
        with self._lock:
            self.done.set()
            actions, self._afterwards = self._afterwards, []
        for action in actions:
            action()


class Coalesced(Generic[T]):
    """Answers kept for ``fresh`` seconds, at most ``most`` of them; safe for threads.

    Threads that ask while the same question is on its way wait for its answer; an error is theirs too, and
    is not kept. For those who would rather not wait an answer counts for up to ``stale`` seconds, while
    somebody asks for a newer one.
    """

    def __init__(
        self,
        fresh: float,
        stale: float = 0.0,
        most: int = 256,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh = fresh
        self._stale = max(fresh, stale)
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Flight[T]] = {}

    def get(
        self,
        key: Hashable,
        ask: Callable[[], T],
        *,
        stamp: object = None,
        since: float = float("-inf"),
    ) -> T:
        """The answer to the question ``key``: a kept one, that of a question on its way, or by ``ask()``.

        Only one counts that was asked with the same ``stamp`` and not before ``since``, a time of the clock.
        Raises what ``ask`` raises.
        """
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None or not self._counts(flight, stamp, since)
            if flight is None or mine:
                before, flight = flight, Flight(stamp, self._clock())
                if before is not None and before.ended is not None and before.error is None:
                    flight.previous = before
                self._flights[key] = flight
                self._forget_old()
        if not mine:
            flight.done.wait()
            return flight.result()
        try:
            flight.answer = ask()
        except BaseException as error:
            flight.error = error
            raise
        finally:
            flight.end(self._clock())
        return flight.answer

    def kept(self, key: Hashable, *, stamp: object = None) -> T | None:
        """An answer without asking or waiting, or None; at most ``stale`` seconds old."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and flight.ended is None:
                flight = flight.previous
                allowed = self._stale
            else:
                allowed = self._fresh
            if flight is None or flight.ended is None or flight.error is not None:
                return None
            young = self._clock() - flight.ended < allowed
            return flight.answer if young and flight.stamp == stamp else None

    def on_its_way(self, key: Hashable, *, stamp: object = None) -> Flight[T] | None:
        """The question that somebody is asking at this moment, or None."""
        with self._lock:
            flight = self._flights.get(key)
            return flight if flight and flight.ended is None and flight.stamp == stamp else None

    def now(self) -> float:
        """The clock's time, for ``since``."""
        return self._clock()

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._flights.clear()

    def _counts(self, flight: Flight[T], stamp: object, since: float) -> bool:
        if flight.stamp != stamp or flight.begun < since:
            return False
        if flight.ended is None:
            return True
        return flight.error is None and self._clock() - flight.ended < self._fresh

    def _forget_old(self) -> None:
        if len(self._flights) <= self._most:
            return
        now = self._clock()
        self._flights = {
            key: flight
            for key, flight in self._flights.items()
            if flight.ended is None or now - flight.ended < self._fresh
        }
