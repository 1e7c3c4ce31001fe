"""What waits to be sent on one websocket: bounded, so that a slow reader costs little and is told to come again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline_management.consumers.codes import TOO_SLOW

MESSAGES = 500
BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """A message, written once for all who get it. ``seq`` and ``state`` are of the event in it, if any."""

    text: str
    seq: int = 0
    state: str = ""


class Mailbox:
    """Filled by the hub, emptied by the websocket's own task, both in one event loop.

    ``on_end`` is called once, with the code with which the websocket is to be closed.
    """

    def __init__(self, on_end: Callable[[int], None]) -> None:
        self._on_end = on_end
        self._letters: deque[Letter] = deque()
        self._size = 0
        self._over = False
        self._wake = asyncio.Event()

    def put(self, letter: Letter) -> None:
        """Add a message. A box that is full ends the websocket: what was in it can be read again."""
        if self._over:
            return
        self._letters.append(letter)
        self._size += len(letter.text)
        if len(self._letters) > MESSAGES or self._size > BYTES:
            self.end(TOO_SLOW)
        self._wake.set()

    def end(self, code: int) -> None:
        """Have the websocket closed, whatever waits."""
        if not self._over:
            self._over = True
            self._letters.clear()
            self._on_end(code)

    async def take(self, seconds: float) -> list[Letter]:
        """All that waits, after waiting for it at most so long; empty when nothing came."""
        if not self._letters:
            self._wake.clear()
            try:
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._wake.wait()
            except TimeoutError:
                return []
        letters = list(self._letters)
        self._letters.clear()
        self._size = 0
        return letters
