"""What jobs have used, as the scheduler's accounting says; None stands for what it does not say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([KMGTP]?)(?:i?[Bb])?", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,6}):(\d{2}(?:\.\d+)?)")
_MEBIBYTES = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2, "P": 1024.0**3}
MOST = 2**53
"""Larger numbers are not believed: they fit into no column and no float."""


@dataclass(frozen=True, slots=True)
class JobUsage:
    """One job, or one task of an array. Seconds; mebibytes.

    ``cpus`` and ``gpus`` were allocated in all, ``memory_mb`` was asked for on each of its ``nodes``.
    ``max_memory_mb`` is the most that one task of one step held (Slurm), or the job's total divided by its
    nodes (PBS). ``is_over``: the numbers will not change any more. ``user`` is the Unix user whose job it was.
    """

    job_id: str
    is_over: bool
    wait_seconds: int | None = None
    elapsed_seconds: int | None = None
    cpus: int | None = None
    gpus: int | None = None
    nodes: int | None = None
    memory_mb: int | None = None
    walltime_seconds: int | None = None
    cpu_seconds: float | None = None
    max_memory_mb: int | None = None
    user: str = ""

    @property
    def core_seconds(self) -> int | None:
        """Allocated cores times elapsed time."""
        return _times(self.cpus, self.elapsed_seconds)

    @property
    def gpu_seconds(self) -> int | None:
        return _times(self.gpus, self.elapsed_seconds)


@dataclass(frozen=True, slots=True)
class Total:
    """What a head job and the jobs that it submitted have used together.

    ``of`` is the job with the highest share of its memory in use, or the one with the most cores where no memory is
    known: what was asked for is compared with what that one used. Sums are None where no part is known.
    """

    jobs: int = 0
    is_over: bool = True
    of: JobUsage = field(default_factory=lambda: JobUsage("", is_over=True))
    elapsed_seconds: int | None = None
    wait_seconds: int | None = None
    walltime_seconds: int | None = None
    cpu_seconds: float | None = None
    core_seconds: int | None = None
    gpu_seconds: int | None = None


def total(head: Iterable[JobUsage], others: Iterable[JobUsage] = ()) -> Total:
    """Add up: ``head`` are the records of the run's own job (several for an array), ``others`` its jobs'."""
    own, rest = list(head), list(others)
    jobs = own + rest
    if not jobs:
        return Total()
    waits = [job.wait_seconds for job in own if job.wait_seconds is not None]
    limits = [job.walltime_seconds for job in own if job.walltime_seconds is not None]
    elapsed = [job.elapsed_seconds for job in own if job.elapsed_seconds is not None]
    processor = [job.cpu_seconds for job in jobs if job.cpu_seconds is not None]
    return Total(
        jobs=len(jobs),
        is_over=all(job.is_over for job in jobs),
        of=max(jobs, key=_weight),
        elapsed_seconds=max(elapsed, default=None),
        wait_seconds=min(waits, default=None),
        walltime_seconds=max(limits, default=None),
        cpu_seconds=math.fsum(processor) if processor else None,
        core_seconds=_sum(job.core_seconds for job in jobs),
        gpu_seconds=_sum(job.gpu_seconds for job in jobs),
    )


def _weight(job: JobUsage) -> tuple[int, int]:
    return (job.max_memory_mb or 0, job.cpus or 0)


def _sum(parts: Iterable[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _times(count: int | None, seconds: int | None) -> int | None:
    return None if count is None or seconds is None else count * seconds


def mebibytes(text: str, unit: str = "M") -> int | None:
    """ "1.52M", "932704K", "7212kb", "4Gn": rounded up; a bare number is in ``unit``. None for anything else."""
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    size = math.ceil(float(match[1]) * _MEBIBYTES[(match[2] or unit).upper()])
    return size if size <= MOST else None


def seconds(text: str) -> float | None:
    """ "1-02:03:04", "02:03:04", "03:04.125"; None for anything else."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups()[:3])
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(match[4])
