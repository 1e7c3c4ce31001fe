"""Reading what Slurm's commands print. An answer is taken whole or not at all."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from hpc.errors import IncompleteAnswer
from hpc.jobs import JobInfo, JobState, NodeInfo, QueueInfo, WaitingJob
from hpc.schedulers.base import UNIT
from hpc.schedulers.slurm_tables import CODES, HELD_REASONS, STATES

RECORD_END = "\x1e"
"""Ends each squeue record: a job name or directory may contain a newline, and then the row has two lines."""

JOB_ID = re.compile(r"[0-9]+([_+][0-9]+)?")
"""A job, a task of an array ("40_2") or a part of a heterogeneous job ("40+1")."""
_MAX_EPOCH = 253402300800  # year 10000
_DURATION = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,6}):(\d{2})(?:\.\d+)?")

QUEUE_FIELDS = "iTjruVSelPaNCMZ"
"""squeue -o letters in order: id, state, name, reason, user, submit, start, end, limit, partition,
account, nodes, cpus, elapsed, work dir."""

HISTORY_FIELDS = (
    "JobID,State,ExitCode,Submit,Start,End,ElapsedRaw,Timelimit,Partition,Account,User,NodeList,"
    "AllocCPUS,Reason,WorkDir,JobName,JobIDRaw"
)
"""Free text stands in the middle, so that the last field tells a whole record from a cut one."""


# Thousands of rows hold few different words and times; remembering them halves the cost of a poll.
_remembered = lru_cache(maxsize=4096)


@_remembered
def job_state(native: str, reason: str = "") -> JobState:
    """The state for Slurm's word; ``UNKNOWN`` for anything not in the table.

    Takes what the commands make of it: "CANCELLED by 1001", "OUT_OF_ME+" (cut by sacct), "CG".
    """
    word = native.split(" ", 1)[0]
    if word.endswith("+"):
        stem = word[:-1]
        names = [name for name in STATES if name.startswith(stem)] if len(stem) > 2 else []
        word = names[0] if len(names) == 1 else ""
    state = STATES.get(CODES.get(word, word), JobState.UNKNOWN)
    if state is JobState.QUEUED and reason in HELD_REASONS:
        return JobState.HELD
    return state


def parse_queue(text: str) -> list[JobInfo]:
    """The rows of squeue. Raises ``IncompleteAnswer``."""
    records = text.split(RECORD_END + "\n")
    if records.pop() != "":
        raise IncompleteAnswer("the answer of squeue ends within a row")
    return [_queue_row(record) for record in records]


def _queue_row(record: str) -> JobInfo:
    fields = record.split(UNIT)
    if len(fields) != len(QUEUE_FIELDS) or not JOB_ID.fullmatch(fields[0]):
        raise IncompleteAnswer(f"a row of squeue has {len(fields)} fields: {record[:200]!r}")
    job_id, native, name, reason, user, submit, start, end, limit = fields[:9]
    partition, account, nodes, cpus, elapsed, workdir = fields[9:]
    state = job_state(native, reason)
    waiting = state.is_waiting or state is JobState.REQUEUED
    return JobInfo(
        job_id=job_id,
        name=name,
        user=user,
        state=state,
        native_state=native,
        source="queue",
        queue=partition,
        account="" if account == "(null)" else account,
        reason="" if reason == "None" else reason,
        nodes=nodes,
        submit_time=_time(submit),
        # of a waiting job these are the scheduler's plans, not facts
        start_time=None if waiting else _time(start),
        end_time=_time(end) if state.is_final else None,
        walltime=duration(limit),
        elapsed=duration(elapsed),
        workdir=workdir,
        cpus=_number(cpus),
    )


def parse_history(text: str) -> list[JobInfo]:
    """The records of sacct, array stubs left out. Raises ``IncompleteAnswer``."""
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the answer of sacct ends within a line")
    width = HISTORY_FIELDS.count(",") + 1
    jobs: list[JobInfo] = []
    held = ""
    for line in text.split("\n")[:-1]:
        held = f"{held}\n{line}" if held else line
        fields = held.split(UNIT)
        if len(fields) > width:
            raise IncompleteAnswer(f"a record of sacct has {len(fields)} fields: {held[:200]!r}")
        if len(fields) == width:
            jobs += _history_record(fields)
            held = ""
    if held:
        raise IncompleteAnswer(f"the last record of sacct is cut: {held[:200]!r}")
    return jobs


def _history_record(fields: list[str]) -> list[JobInfo]:
    job_id, native, exit_code, submit, start, end, elapsed, limit = fields[:8]
    partition, account, user, nodes, cpus, reason, workdir, name, raw_id = fields[8:]
    if "_[" in job_id and raw_id.isdigit():
        return []  # the rest of an array that has not started: one record for many tasks
    own_id = not job_id.isdigit() or raw_id == job_id
    if not (JOB_ID.fullmatch(job_id) and raw_id.isdigit() and own_id):
        raise IncompleteAnswer(f"a record of sacct has the ids {job_id!r} and {raw_id!r}")
    if name == "allocation":
        return []  # written before the job's own name is known; it is complete a moment later
    state = job_state(native, reason)
    code, signal = _exit_code(exit_code)
    if state is JobState.FAILED and (code, signal) == (0, 53):
        state = JobState.LAUNCH_FAILED  # the output file or its directory could not be made
    return [
        JobInfo(
            job_id=job_id,
            name=name,
            user=user,
            state=state,
            native_state=native,
            source="accounting",
            queue=partition,
            account=account,
            reason="" if reason == "None" else reason,
            exit_code=code if state.is_final else None,
            signal=signal if state.is_final else None,
            nodes="" if nodes == "None assigned" else nodes,
            submit_time=_time(submit),
            start_time=_time(start),
            end_time=_time(end),
            walltime=duration(limit),
            elapsed=_seconds(elapsed),
            workdir=workdir,
            cpus=_number(cpus),
        )
    ]


def parse_waiting(text: str) -> list[WaitingJob]:
    """The rows ``%i %Q %S %r`` of jobs that wait. Raises ``IncompleteAnswer``."""
    records = text.split(RECORD_END + "\n")
    if records.pop() != "":
        raise IncompleteAnswer("the answer of squeue ends within a row")
    found = []
    for record in records:
        fields = record.split(UNIT)
        if len(fields) != 4 or not JOB_ID.fullmatch(fields[0]):
            raise IncompleteAnswer(f"a row of squeue has {len(fields)} fields: {record[:200]!r}")
        job_id, priority, start, reason = fields
        plain = "" if reason == "None" else reason
        found.append(WaitingJob(job_id, plain, _number(priority), _time(start)))
    return found


def parse_queues(text: str) -> list[QueueInfo]:
    """The rows of sinfo by partition (``%P %a %l %F %C %m``); several rows of one are added up. After a record
    separator, if there is one, the number of jobs by state and partition."""
    found: dict[str, QueueInfo] = {}
    rows, counted, jobs = text.partition("\x1e")
    for line in rows.split("\n"):
        if not line:
            continue
        fields = line.split(UNIT)
        if len(fields) != 6:
            raise IncompleteAnswer(f"a row of sinfo has {len(fields)} fields: {line[:200]!r}")
        name = fields[0].rstrip("*")
        nodes, cpus = _counts(fields[3]), _counts(fields[4])
        before = found.get(name)
        found[name] = QueueInfo(
            name=name,
            is_default=fields[0].endswith("*"),
            state=fields[1],
            walltime_limit=duration(fields[2]),
            nodes_total=nodes[3] + (before.nodes_total if before else 0),
            nodes_idle=nodes[1] + (before.nodes_idle if before else 0),
            cpus_total=cpus[3] + (before.cpus_total if before else 0),
            cpus_idle=cpus[1] + (before.cpus_idle if before else 0),
            memory_mb=max(_number(fields[5].rstrip("+")) or 0, (before.memory_mb or 0) if before else 0),
        )
    if not counted:
        return list(found.values())
    waiting, running = _job_counts(jobs)
    return [
        replace(queue, jobs_waiting=waiting.get(name, 0), jobs_running=running.get(name, 0))
        for name, queue in found.items()
    ]


def _job_counts(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """Lines "12 PD part01,part02": a job that may run in several partitions waits in each of them."""
    waiting: dict[str, int] = {}
    running: dict[str, int] = {}
    for line in text.split("\n"):
        fields = line.split()
        if len(fields) == 3 and fields[0].isdecimal():
            counts = waiting if fields[1] == "PD" else running
            for name in fields[2].split(","):
                counts[name] = counts.get(name, 0) + int(fields[0])
    return waiting, running


def parse_nodes(text: str) -> list[NodeInfo]:
    """The rows of sinfo -N (``%N %P %T %C %m %E``): one a node and partition, one result a node."""
    found: dict[str, NodeInfo] = {}
    for line in text.splitlines():
        fields = line.split(UNIT)
        if len(fields) != 6:
            raise IncompleteAnswer(f"a row of sinfo has {len(fields)} fields: {line[:200]!r}")
        name, partition, state, cpus, memory, reason = fields
        counts = _counts(cpus)
        before = found.get(name)
        found[name] = NodeInfo(
            name=name,
            state=state,
            queues=(*(before.queues if before else ()), partition.rstrip("*")),
            cpus_total=counts[3],
            cpus_idle=counts[1],
            memory_mb=_number(memory.rstrip("+")) or 0,
            reason="" if reason == "none" else reason,
        )
    return list(found.values())


@_remembered
def duration(text: str) -> timedelta | None:
    """ "1-02:03:04", "02:03:04" or "03:04"; None for no limit, no value or anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """As sbatch --time takes it, rounded up to whole seconds."""
    seconds = -int(-value.total_seconds() // 1)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"


@_remembered
def _time(text: str) -> datetime | None:
    """Epoch seconds as aware UTC; None for "N/A", "NONE", "Unknown" and the like."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:13]) < _MAX_EPOCH:
        return None
    return datetime.fromtimestamp(int(text[:13]), UTC)


def _seconds(text: str) -> timedelta | None:
    return timedelta(seconds=int(text)) if re.fullmatch(r"[0-9]{1,12}", text) else None


@_remembered
def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def _exit_code(text: str) -> tuple[int | None, int | None]:
    match = re.fullmatch(r"([0-9]{1,3}):([0-9]{1,3})", text)
    return (int(match[1]), int(match[2])) if match else (None, None)


def _counts(text: str) -> tuple[int, int, int, int]:
    """Slurm's allocated/idle/other/total; above 9,999 it may write "12K"."""
    parts = text.split("/")
    if len(parts) != 4:
        raise IncompleteAnswer(f"sinfo counted {text!r}, expected four numbers")
    values = []
    for part in parts:
        match = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]))?([KM]?)", part)
        if match is None:
            raise IncompleteAnswer(f"sinfo counted {text!r}, expected four numbers")
        unit = {"": 1, "K": 1024, "M": 1024 * 1024}[match[3]]
        values.append(int(float(f"{match[1]}.{match[2] or 0}") * unit))
    return values[0], values[1], values[2], values[3]
