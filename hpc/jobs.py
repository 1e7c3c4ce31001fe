"""The vocabulary of batch jobs, the same for every scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class JobState(StrEnum):
    """The state of a job as its scheduler reports it. It is evidence, not the outcome of a run."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETING = "completing"
    REQUEUED = "requeued"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_FAIL = "node_fail"
    BOOT_FAIL = "boot_fail"
    PREEMPTED = "preempted"
    LAUNCH_FAILED = "launch_failed"
    REVOKED = "revoked"
    UNKNOWN = "unknown"

    @property
    def is_waiting(self) -> bool:
        return self in _WAITING

    @property
    def is_active(self) -> bool:
        return self in _ACTIVE

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def may_return(self) -> bool:
        """Final or ending by its word, but the scheduler may put the job back into the queue."""
        return self in _MAY_RETURN


_WAITING = frozenset({JobState.QUEUED, JobState.HELD})
_ACTIVE = frozenset({JobState.RUNNING, JobState.SUSPENDED, JobState.COMPLETING})
_MAY_RETURN = frozenset(
    {
        JobState.COMPLETING,
        JobState.REQUEUED,
        JobState.NODE_FAIL,
        JobState.BOOT_FAIL,
        JobState.PREEMPTED,
        JobState.REVOKED,
    }
)
_FINAL = frozenset(
    {
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.TIMEOUT,
        JobState.DEADLINE,
        JobState.OUT_OF_MEMORY,
        JobState.NODE_FAIL,
        JobState.BOOT_FAIL,
        JobState.PREEMPTED,
        JobState.LAUNCH_FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What is asked of the scheduler for one job. ``memory_mb`` is per node, in MiB.

    ``native`` are scheduler options already checked against the adapter's allow-list, as (name, value);
    a value of "" is a bare switch. ``stdout``/``stderr`` are paths for the scheduler's own output files.
    """

    name: str
    script_path: str
    workdir: str
    queue: str | None = None
    account: str | None = None
    walltime: timedelta | None = None
    nodes: int | None = None
    tasks: int | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None
    qos: str | None = None
    reservation: str | None = None
    comment: str = ""
    stdout: str = "job.%j.out"
    native: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One job as last seen in one answer of the scheduler. Times are aware UTC.

    ``source`` is "queue" or "accounting". ``reason`` is the scheduler's word for why it waits or failed.
    ``exit_code`` and ``signal`` are None where the scheduler gave none.
    """

    job_id: str
    name: str
    user: str
    state: JobState
    native_state: str
    source: str
    queue: str = ""
    account: str = ""
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    nodes: str = ""
    submit_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    walltime: timedelta | None = None
    elapsed: timedelta | None = None
    workdir: str = ""
    restarts: int = 0
    cpus: int | None = None


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """What the scheduler says of a job that has not started: why it waits, with which priority (None where
    there is none), and when it expects to start it (aware UTC, None where it does not say)."""

    job_id: str
    reason: str
    priority: int | None = None
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """One queue (Slurm partition): cpus, nodes and jobs as counted by the scheduler; jobs are None where it does not
    say. Jobs on hold are among the waiting ones."""

    name: str
    is_default: bool
    state: str
    walltime_limit: timedelta | None
    nodes_total: int
    nodes_idle: int
    cpus_total: int
    cpus_idle: int
    memory_mb: int | None = None
    jobs_waiting: int | None = None
    jobs_running: int | None = None


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One compute node."""

    name: str
    state: str
    queues: tuple[str, ...]
    cpus_total: int
    cpus_idle: int
    memory_mb: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SubmitErrorPatterns:
    """How a refused submission reads, as extended regular expressions for ``grep -E`` and Python alike.

    ``rejected``: the scheduler surely did not take the job. ``transient``: a subset of rejected that can
    pass later (limits, full queue). Everything else is UNKNOWN: a job may exist.
    """

    rejected: str
    transient: str


@dataclass(frozen=True, slots=True)
class SystemLimits:
    """Per-system limits: connections kept per process, seconds for an interactive command, MiB for small files."""

    max_connections: int = 2
    command_timeout: float = 5.0
    max_file_size_mb: int = 5
    window_mib: int = 1
