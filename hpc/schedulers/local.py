"""Jobs as plain processes of the machine's user, for one machine without a batch scheduler.

A shell program (``local.sh``) keeps a spool directory and one small supervisor process a job; there is no
daemon. Jobs wait for one of N slots, survive the process that submitted them, and end by their walltime.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import ClassVar

from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer, SchedulerError, SchedulerSilent
from hpc.jobs import JobInfo, JobSpec, JobState, QueueInfo, SubmitErrorPatterns
from hpc.quoting import shell_words
from hpc.rows import AccountingRow, EndAnswer, NodeRow, PartitionRow, QueueRow
from hpc.schedulers import local_queries
from hpc.schedulers.base import UNIT, Scheduler, SchedulerConfig
from hpc.usage import JobUsage

PROGRAM = resources.files("hpc.schedulers").joinpath("local.sh").read_text(encoding="utf-8")

MAX_IDS = 500
_FIELDS = 14
_JOB_ID = re.compile(r"[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RUN = 'eval "$1"'

_STATES: dict[str, JobState] = {
    "PENDING": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "TIMEOUT": JobState.TIMEOUT,
    "LAUNCH_FAILED": JobState.LAUNCH_FAILED,
    "NODE_FAIL": JobState.NODE_FAIL,
}


class LocalScheduler(Scheduler):
    """Options: ``spool`` (absolute directory, default ``~/.local/state/centro/jobs`` on the system) and
    ``slots`` (jobs that run at once, default the number of processors of this machine).

    ``cpus`` and ``memory_mb`` of a job are not reserved or enforced: the job finds them in
    ``CENTRO_CPUS`` and ``CENTRO_MEMORY_MB``. Processes that leave the job's process group are not
    followed. A job whose supervisor was killed shows as running while its first process lives.
    """

    name: ClassVar[str] = "local"
    capabilities: ClassVar[frozenset[str]] = frozenset({"cancel", "history", "rows", "usage"})
    job_id_pattern: ClassVar[str] = r"[0-9]{1,18}"
    job_id_variable: ClassVar[str] = "CENTRO_JOB_ID"
    restart_variable: ClassVar[str] = "CENTRO_RESTARTS"
    submit_errors: ClassVar[SubmitErrorPatterns] = SubmitErrorPatterns(
        rejected=r"centro-local: refused: |flock: not found|setsid: not found",
        transient=r"centro-local: refused: (busy|no space):",
    )
    option_names: ClassVar[frozenset[str]] = frozenset({"spool", "slots"})

    def __init__(self, config: SchedulerConfig | None = None) -> None:
        super().__init__(config)
        options = self.config.options
        self._spool = options.get("spool", "").rstrip("/")
        if self._spool and (not self._spool.startswith("/") or _CONTROL.search(self._spool)):
            raise ValueError(
                f"scheduler option spool is {self._spool!r}, expected an absolute path"
            )
        slots = options.get("slots", "") or str(os.cpu_count() or 1)
        if not re.fullmatch(r"[1-9][0-9]{0,3}", slots):
            raise ValueError(
                f"scheduler option slots is {slots!r}, expected a number from 1 to 9999"
            )
        self._slots = slots
        self.find_functions = self._functions()

    def submit_argv(self, spec: JobSpec) -> tuple[str, ...]:
        self._check_supported(spec)
        for field in ("name", "workdir", "stdout", "script_path"):
            value = getattr(spec, field)
            if not value or _CONTROL.search(value):
                raise ValueError(f"{field} is {value!r}, expected text without control characters")
        if not spec.workdir.startswith("/"):
            raise ValueError(f"workdir is {spec.workdir!r}, expected an absolute directory")
        seconds = 0
        if spec.walltime is not None:
            seconds = -int(-spec.walltime.total_seconds() // 1)
            if seconds < 1:
                raise ValueError(f"walltime is {spec.walltime}, expected more than zero")
        cpus, memory = str(spec.cpus or 1), str(spec.memory_mb or 0)
        arguments = (self._slots, str(seconds), cpus, memory, spec.name, spec.workdir, spec.stdout)
        return self._argv("submit", *arguments, spec.script_path)

    def active_argv(self, user: str) -> tuple[str, ...]:
        return self._argv("list")

    def parse_active(self, text: str, exit_code: int, error_text: str) -> list[JobInfo]:
        if exit_code != 0:
            raise SchedulerSilent(error_text or f"the list ended with code {exit_code}", exit_code)
        return _rows(text, "queue")

    def history(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobInfo]]]:
        if not job_ids:
            return Command(argv=("true",), parse=lambda _: {}, read_only=True)

        listing = self._listing("history", *_ids(job_ids))

        def parse(result: CommandResult) -> dict[str, list[JobInfo]]:
            return {job.job_id: [job] for job in listing.parse(result)}

        return Command(argv=listing.argv, parse=parse, read_only=True)

    def usage(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobUsage]]]:
        listing = self._listing("history", *_ids(job_ids))

        def parse(result: CommandResult) -> dict[str, list[JobUsage]]:
            jobs = listing.parse(result)
            spent = (line.split(UNIT)[12] for line in result.text.split("\n"))
            return {
                job.job_id: [local_queries.usage_of(job, _number(hundredths))]
                for job, hundredths in zip(jobs, spent, strict=False)
            }

        return Command(argv=listing.argv, parse=parse, read_only=True)

    def cancel(self, job_ids: Sequence[str]) -> Command[None]:
        def parse(result: CommandResult) -> None:
            if result.exit_code != 0:
                raise SchedulerError(result.error_text or "not cancelled", result.exit_code)

        return Command(argv=self._argv("cancel", "", *_ids(job_ids)), parse=parse)

    def queue_rows(self, user: str | None) -> Command[list[QueueRow]]:
        return local_queries.queue_rows(self.active(user or ""))

    def accounting_rows(
        self, user: str, job_ids: Sequence[str] = (), start: str = "", end: str = ""
    ) -> Command[list[AccountingRow]]:
        listing = self._listing("history", *job_ids) if job_ids else self._listing("since", "0")
        return local_queries.accounting_rows(listing, job_ids, start, end)

    def node_rows(self) -> Command[list[NodeRow]]:
        def parse(result: CommandResult) -> list[NodeRow]:
            return local_queries.node_rows(_queue(result)[0], result.text.split()[2])

        return Command(argv=self._argv("load", self._slots), parse=parse, read_only=True)

    def partition_rows(self) -> Command[list[PartitionRow]]:
        def parse(result: CommandResult) -> list[PartitionRow]:
            return local_queries.partition_rows(_queue(result)[0])

        return Command(argv=self._argv("load", self._slots), parse=parse, read_only=True)

    def end_jobs(self, job_ids: Sequence[str]) -> Command[dict[str, EndAnswer]]:
        argv = self._argv("end", *_ids(job_ids))
        return Command(argv=argv, parse=lambda result: local_queries.ended(result, job_ids))

    def queues(self) -> Command[list[QueueInfo]]:
        return Command(argv=self._argv("load", self._slots), parse=_queue, read_only=True)

    def ping(self) -> Command[str]:
        def parse(result: CommandResult) -> str:
            queue = _queue(result)[0]
            host = result.text.split()[2]
            return f"processes on {host}, {queue.cpus_idle} of {queue.cpus_total} slots free"

        return Command(argv=self._argv("load", self._slots), parse=parse, read_only=True)

    def _listing(self, verb: str, *arguments: str) -> Command[list[JobInfo]]:
        def parse(result: CommandResult) -> list[JobInfo]:
            if result.exit_code != 0:
                raise SchedulerSilent(result.error_text or "no history", result.exit_code)
            return _rows(result.text, "accounting")

        return Command(argv=self._argv(verb, *arguments), parse=parse, read_only=True)

    def _argv(self, verb: str, *arguments: str) -> tuple[str, ...]:
        return ("/bin/sh", "-c", _RUN, "centro-local", PROGRAM, verb, self._spool, *arguments)

    def _functions(self) -> str:
        spool = (
            shell_words([self._spool]) if self._spool else '"${HOME:?}/.local/state/centro/jobs"'
        )
        return (
            f"centro_local() {{ _centro_spool={spool}; _centro_verb=$1; shift; "
            '[ -f "$_centro_spool/.program" ] || return 0; '
            '/bin/sh "$_centro_spool/.program" "" "$_centro_verb" "$_centro_spool" "$@" </dev/null; }\n'
            'centro_find() { centro_local find "$1"; }\n'
            'centro_find_past() { centro_local find-past "$1"; }\n'
            'centro_cancel() { centro_local cancel "$1" "$2"; }\n'
            "centro_live() { centro_local list | awk 'BEGIN { FS = OFS = sprintf(\"%c\", 31) } "
            "$2 == \"PENDING\" || $2 == \"RUNNING\" { print $1, \"\", $12, $3 }'; }\n"
            'centro_end() { centro_local cancel "" "$@"; }\n'
            'centro_term() { centro_end "$@"; }\n'
        )

    def _check_supported(self, spec: JobSpec) -> None:
        lacking = {
            "queue": spec.queue not in (None, "", self.name),
            "account": bool(spec.account),
            "qos": bool(spec.qos),
            "reservation": bool(spec.reservation),
            "gpus": bool(spec.gpus),
            "nodes": (spec.nodes or 1) > 1,
            "tasks": (spec.tasks or 1) > 1,
            "native options": bool(spec.native),
        }
        for field, is_asked in lacking.items():
            if is_asked:
                raise self._lacks(field)


def _rows(text: str, source: str) -> list[JobInfo]:
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the list of jobs ends within a line")
    return [_row(line, source) for line in text.split("\n")[:-1]]


def _row(line: str, source: str) -> JobInfo:
    fields = line.split(UNIT)
    if len(fields) != _FIELDS or not _JOB_ID.fullmatch(fields[0]) or fields[13] != ".":
        raise IncompleteAnswer(f"a row of the job list has {len(fields)} fields: {line[:200]!r}")
    job_id, native, name, user, reason, submit, start, end, code = fields[:9]
    walltime, cpus, workdir = fields[9:12]
    state = _STATES.get(native, JobState.UNKNOWN)
    started, ended = _time(start), _time(end)
    limit = _number(walltime)
    return JobInfo(
        job_id=job_id,
        name=name,
        user=user,
        state=state,
        native_state=native,
        source=source,
        queue=LocalScheduler.name,
        reason=reason,
        exit_code=_number(code) if state.is_final else None,
        submit_time=_time(submit),
        start_time=started,
        end_time=ended,
        walltime=timedelta(seconds=limit) if limit else None,
        elapsed=ended - started if started and ended else None,
        workdir=workdir,
        cpus=_number(cpus),
    )


def _queue(result: CommandResult) -> list[QueueInfo]:
    fields = result.text.split()
    if result.exit_code != 0 or len(fields) != 3:
        raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
    slots, running = _number(fields[0]) or 0, _number(fields[1]) or 0
    idle = max(0, slots - running)
    return [
        QueueInfo(
            name=LocalScheduler.name,
            is_default=True,
            state="up",
            walltime_limit=None,
            nodes_total=1,
            nodes_idle=int(idle == slots),
            cpus_total=slots,
            cpus_idle=idle,
            jobs_running=running,
        )
    ]


def _ids(job_ids: Sequence[str]) -> list[str]:
    if len(job_ids) > MAX_IDS:
        raise ValueError(f"{len(job_ids)} job ids given, expected at most {MAX_IDS}")
    for job_id in job_ids:
        if not _JOB_ID.fullmatch(job_id):
            raise ValueError(f"job id {job_id!r} is not a number")
    return list(job_ids)


def _time(text: str) -> datetime | None:
    number = _number(text)
    return datetime.fromtimestamp(number, UTC) if number else None


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,11}", text) else None
