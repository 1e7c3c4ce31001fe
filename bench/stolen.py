"""What a hypervisor takes of the processors while something is measured: proc_stat(5), "steal".

On a shared machine a page that needs 60 ms of work takes 200 ms while half of the processor is somebody else's. That
is told beside each figure, and such a figure is measured again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

MUCH = 0.04
"""A share of the time wanted from the processors; above it a figure says more of the neighbours than of Centro."""
PAUSE = 3.0
"""Seconds until the next try."""
_STAT = Path("/proc/stat")
_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq
_STEAL = 7

Result = TypeVar("Result")


def counters() -> tuple[int, int]:
    """Ticks of all processors since boot: busy, stolen. Zeros where there is no such file."""
    try:
        numbers = [int(word) for word in _STAT.read_text().split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0, 0
    return sum(numbers[place] for place in _BUSY), numbers[_STEAL]


def undisturbed(
    measure: Callable[[], Result], *, tries: int, pause: float = PAUSE
) -> tuple[Result, float]:
    """Measure until at most ``MUCH`` was stolen meanwhile, or ``tries`` times.

    Returns what was disturbed least, and the share of the wanted time that was stolen from it.
    """
    best: tuple[Result, float] | None = None
    for number in range(tries):
        if number:
            time.sleep(pause)
        busy, stolen = counters()
        result = measure()
        now_busy, now_stolen = counters()
        wanted = now_busy - busy + now_stolen - stolen
        share = (now_stolen - stolen) / wanted if wanted else 0.0
        if best is None or share < best[1]:
            best = result, share
        if share <= MUCH:
            break
    if best is None:
        raise ValueError("tries: at least 1")
    return best
