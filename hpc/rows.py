"""What a scheduler's own tables say, as text in its own words.

For callers who speak the scheduler's language themselves; ``hpc.jobs`` has the vocabulary that is the
same for all. Time stamps are ``YYYY-MM-DDTHH:MM:SS`` in the system's local time, or a word like "N/A".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One job in the queue, or one that ended a moment ago (then ``is_over``).

    ``job_id`` is "40", "40_1", or "40_[2-5%2]" for tasks of an array that wait together; ``raw_id`` the
    number that Slurm gives each job besides; ``tasks`` the numbers of its tasks ("2-5%2") or "".
    ``nodelist`` is the reason in brackets while it waits. ``script``, ``stdout``, ``stderr`` are absolute
    paths or "". ``stdout_tail`` and ``stderr_tail`` are the ends of those files, "" while it waits.
    """

    job_id: str
    raw_id: str
    tasks: str
    partition: str
    name: str
    user: str
    state: str
    is_over: bool
    time_used: str
    start_time: str
    time_left: str
    nodes: str
    nodelist: str
    script: str = ""
    stdout: str = ""
    stderr: str = ""
    stdout_tail: str = ""
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class AccountingRow:
    """One job as accounting knows it, its steps left out."""

    job_id: str
    partition: str
    name: str
    user: str
    state: str
    start_time: str
    cpu_time: str
    elapsed: str
    end_time: str
    nodes: str
    nodelist: str
    exit_code: str


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node; ``states`` are its state and flags, like ("IDLE", "DRAIN")."""

    name: str
    features: tuple[str, ...]
    partitions: tuple[str, ...]
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One partition (queue)."""

    name: str
    state: str
    total_cpus: str
    total_nodes: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class ReservationRow:
    """One reservation of nodes; ``accounts`` and ``users`` are those who may use it."""

    name: str
    state: str
    nodes: str
    node_count: str
    start_time: str
    end_time: str
    features: tuple[str, ...]
    partition: str
    accounts: tuple[str, ...]
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReservationSpec:
    """What is asked for in a reservation; ``feature`` "" means any node. Times as in the rows."""

    name: str
    nodes: int
    feature: str
    start_time: str
    end_time: str


@dataclass(frozen=True, slots=True)
class EndAnswer:
    """What the scheduler said to the wish to end one job; ``is_taken`` is no evidence of an end.

    ``is_over``: it refused because the job ends or has ended.
    """

    is_taken: bool
    text: str
    is_over: bool = False
