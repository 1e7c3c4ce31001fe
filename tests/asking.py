"""A clock and a question for tests of what remembers answers."""

from __future__ import annotations


class Clock:
    """A clock that goes when it is told to; seconds."""

    def __init__(self, time: float = 0.0) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time


class Question:
    """Counts how often it was asked; answers with the number."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked
