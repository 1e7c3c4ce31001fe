"""Plain processes told in the words of a batch scheduler: one partition and one node, called after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer, SchedulerError, SchedulerSilent
from hpc.jobs import JobInfo, QueueInfo
from hpc.rows import AccountingRow, EndAnswer, NodeRow, PartitionRow, QueueRow
from hpc.schedulers.sacct_times import sacct_time
from hpc.usage import JobUsage

T = TypeVar("T")

_REFUSED = {
    "over": "Job/step already completing or completed",
    "unknown": "Invalid job id specified",
}


def queue_rows(listing: Command[list[JobInfo]]) -> Command[list[QueueRow]]:
    """The listing of jobs as rows."""
    return _reading(listing, lambda result: [_queue_row(job) for job in listing.parse(result)])


def accounting_rows(
    listing: Command[list[JobInfo]], job_ids: Sequence[str], start: str, end: str
) -> Command[list[AccountingRow]]:
    """The listing of ended and open jobs as rows, those between two times that sacct would understand."""
    for job_id in job_ids:
        if not re.fullmatch(r"[0-9]{1,18}", job_id):
            raise SchedulerError(f"Bad job/step specified: {job_id}")
    now = datetime.now().astimezone()
    since = _moment(start, now)
    if since is None and not job_ids:
        since = now.replace(hour=0, minute=0, second=0, microsecond=0)
    until = _moment(end, now)

    def is_wanted(job: JobInfo) -> bool:
        return (since is None or (job.end_time or now) >= since) and (
            until is None or (job.submit_time or now) <= until
        )

    return _reading(
        listing,
        lambda result: [_accounting_row(job) for job in listing.parse(result) if is_wanted(job)],
    )


def _reading(listing: Command[list[JobInfo]], parse: Callable[[CommandResult], T]) -> Command[T]:
    """The same command with another reader of its answer."""
    return Command(listing.argv, parse, timeout=listing.timeout, read_only=True)


def ended(result: CommandResult, job_ids: Sequence[str]) -> dict[str, EndAnswer]:
    """What became of the wish to end each job."""
    if result.exit_code != 0:
        raise SchedulerSilent(result.error_text or "not cancelled", result.exit_code)
    words = dict(line.partition(" ")[::2] for line in result.text.splitlines())
    if set(words) != set(job_ids):
        raise IncompleteAnswer("not every job was answered for")
    return {
        job_id: EndAnswer(
            word == "taken", _REFUSED.get(word, f"Terminating job {job_id}"), is_over=word == "over"
        )
        for job_id, word in words.items()
    }


def usage_of(job: JobInfo, hundredths: int | None) -> JobUsage:
    """What the process and its waited-for children have used, ``hundredths`` of seconds of processor time. How
    much memory they held nobody has written down."""
    started, submitted = job.start_time, job.submit_time
    return JobUsage(
        job_id=job.job_id,
        is_over=job.state.is_final,
        wait_seconds=_whole(started - submitted) if started and submitted else None,
        elapsed_seconds=_whole(job.elapsed),
        cpus=job.cpus,
        gpus=0,
        nodes=1,
        walltime_seconds=_whole(job.walltime),
        cpu_seconds=None if hundredths is None else hundredths / 100,
        user=job.user,
    )


def _whole(span: timedelta | None) -> int | None:
    return None if span is None else max(0, int(span.total_seconds()))


def node_rows(queue: QueueInfo, host: str) -> list[NodeRow]:
    """This machine as the one node."""
    state = "IDLE" if queue.cpus_idle == queue.cpus_total else "MIXED"
    return [NodeRow(host, (), (queue.name,), (state if queue.cpus_idle else "ALLOCATED",))]


def partition_rows(queue: QueueInfo) -> list[PartitionRow]:
    """The one queue."""
    return [PartitionRow(queue.name, "UP", str(queue.cpus_total), "1", True)]


def _queue_row(job: JobInfo) -> QueueRow:
    now = datetime.now(UTC)
    used = (job.end_time or now) - job.start_time if job.start_time else timedelta()
    left = _duration(max(timedelta(), job.walltime - used)) if job.walltime else "UNLIMITED"
    return QueueRow(
        job_id=job.job_id,
        raw_id=job.job_id,
        tasks="",
        partition=job.queue,
        name=job.name,
        user=job.user,
        state=job.native_state,
        is_over=job.state.is_final,
        time_used=_duration(used),
        start_time=_stamp(job.start_time, "N/A"),
        time_left=left,
        nodes="1",
        nodelist=f"({job.reason})" if job.state.is_waiting else "localhost",
    )


def _accounting_row(job: JobInfo) -> AccountingRow:
    now = datetime.now(UTC)
    elapsed = (job.end_time or now) - job.start_time if job.start_time else timedelta()
    days, rest = divmod(int(elapsed.total_seconds()), 86400)
    text = f"{days}-" if days else ""
    text += f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return AccountingRow(
        job_id=job.job_id,
        partition=job.queue,
        name=job.name,
        user=job.user,
        state=job.native_state,
        start_time=_stamp(job.start_time, "Unknown"),
        cpu_time=text,
        elapsed=text,
        end_time=_stamp(job.end_time, "Unknown"),
        nodes="1",
        nodelist="localhost" if job.start_time else "None assigned",
        exit_code=f"{job.exit_code or 0}:0",
    )


def _duration(value: timedelta) -> str:
    """As squeue writes it: "0:05", "1:02:03", "1-02:03:04"."""
    days, rest = divmod(int(value.total_seconds()), 86400)
    hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _stamp(moment: datetime | None, without: str) -> str:
    return moment.astimezone().strftime("%Y-%m-%dT%H:%M:%S") if moment else without


def _moment(text: str, now: datetime) -> datetime | None:
    found = sacct_time(text, now)
    return found.astimezone() if found is not None else None
