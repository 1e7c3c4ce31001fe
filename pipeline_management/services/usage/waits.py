"""How long runs waited in the queues lately."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Waits:
    """Of one system, over ``runs`` runs: half of them waited for at most ``median`` seconds, nine of ten for at most
    ``p90``."""

    system_id: int
    runs: int
    median: float
    p90: float


def by_system(runs: Iterable[tuple[int, datetime | None, datetime | None]]) -> list[Waits]:
    """From (system, submitted, started) of runs; those that were never submitted or started say nothing. The
    longest median first."""
    waited: dict[int, list[float]] = {}
    for system_id, submitted, started in runs:
        if submitted is not None and started is not None:
            seconds = max(0.0, (started - submitted).total_seconds())
            waited.setdefault(system_id, []).append(seconds)
    found = [
        Waits(system_id, len(all_), statistics.median(all_), _ninetieth(all_))
        for system_id, all_ in waited.items()
    ]
    return sorted(found, key=lambda waits: (-waits.median, waits.system_id))


def _ninetieth(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
