"""Slurm (22.05 and later): sbatch, squeue, sacct, scancel, sinfo, scontrol.

Text output with separators of our own is used, not --json: with the controller down ``squeue --json``
exits 0 with an empty list, is 23 times larger, and changes with every release (measured with 22.05.8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar, TypeVar

from hpc.commands import Command, CommandResult
from hpc.errors import NotSupported, SchedulerError, SchedulerSilent
from hpc.jobs import JobInfo, JobSpec, NodeInfo, QueueInfo, SubmitErrorPatterns, WaitingJob
from hpc.schedulers.base import UNIT, checked_ids
from hpc.schedulers.slurm_parse import (
    HISTORY_FIELDS,
    JOB_ID,
    QUEUE_FIELDS,
    RECORD_END,
    format_duration,
    parse_history,
    parse_nodes,
    parse_queue,
    parse_queues,
    parse_waiting,
)
from hpc.schedulers.slurm_queries import SlurmQueries
from hpc.schedulers.slurm_tables import (
    COUNT_JOBS,
    FIND_FUNCTIONS,
    NATIVE_OPTIONS,
    NO_ACCOUNTING,
    OUTAGE,
    SUBMIT_ERRORS,
)
from hpc.schedulers.slurm_usage import usage_command
from hpc.usage import JobUsage

T = TypeVar("T")

_EPOCH = datetime.fromtimestamp(0, UTC)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GONE = ("Invalid job id specified", "already complet", "already finished")
_PING = 'timeout 20 "$1" ping && "$2" --version'


class SlurmScheduler(SlurmQueries):
    """Slurm by its commands. Options: none beyond ``bin_dir``."""

    name: ClassVar[str] = "slurm"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"cancel", "hold", "history", "nodes", "reservations", "rows", "usage", "waiting"}
    )
    job_id_pattern: ClassVar[str] = r"[0-9]+(;[A-Za-z0-9_.-]+)?"
    record_end: ClassVar[str] = RECORD_END
    job_id_variable: ClassVar[str] = "SLURM_JOB_ID"
    restart_variable: ClassVar[str] = "SLURM_RESTART_COUNT"
    submit_errors: ClassVar[SubmitErrorPatterns] = SUBMIT_ERRORS
    find_functions: str = FIND_FUNCTIONS

    def submit_argv(self, spec: JobSpec) -> tuple[str, ...]:
        argv = [
            self.executable("sbatch"),
            "--parsable",
            "--no-requeue",
            f"--job-name={_text('name', spec.name)}",
            f"--comment={_text('comment', spec.comment)}",
            f"--chdir={_text('workdir', spec.workdir)}",
            f"--output={_text('stdout', spec.stdout)}",
        ]
        argv += [f"--{name}={value}" for name, value in _resources(spec)]
        argv += [_native(name, value) for name, value in spec.native]
        if not spec.script_path or spec.script_path.startswith("-"):
            raise ValueError(f"script_path is {spec.script_path!r}, expected the path of a file")
        return (*argv, spec.script_path)

    def active_argv(self, user: str) -> tuple[str, ...]:
        layout = UNIT.join(f"%{letter}" for letter in QUEUE_FIELDS) + RECORD_END
        squeue = self.executable("squeue")
        fixed = ("env", "LC_ALL=C", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0", squeue)
        # by user, not by ids: one unknown id fails the whole list, and 5,000 ids cost seven times as much
        return (*fixed, "-h", "-a", "-r", "-t", "all", "-u", user, "-o", layout)

    def parse_active(self, text: str, exit_code: int, error_text: str) -> list[JobInfo]:
        # a user name that cannot be resolved is an empty list with exit code 0 (measured)
        if exit_code != 0 or "squeue: error:" in error_text:
            raise SchedulerSilent(
                error_text or f"squeue ended with exit code {exit_code}", exit_code
            )
        return parse_queue(text)

    def history(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobInfo]]]:
        if not job_ids:  # sacct without ids lists everything since midnight
            return Command(argv=("true",), parse=lambda _: {}, read_only=True)
        argv = (
            "env", "LC_ALL=C", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0",
            "timeout", "20", self.executable("sacct"),
            "-X", "-n", "-P", "-D", f"--delimiter={UNIT}", "-j", ",".join(_ids(job_ids)),
            "-o", HISTORY_FIELDS,
        )  # fmt: skip
        return Command(argv=argv, parse=_history, read_only=True)

    def usage(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobUsage]]]:
        return usage_command(self.executable("sacct"), job_ids)

    def queues(self) -> Command[list[QueueInfo]]:
        layout = UNIT.join(("%P", "%a", "%l", "%F", "%C", "%m"))
        jobs = ("-c", COUNT_JOBS, "centro-queues", self.executable("squeue"), self.executable("sinfo"))
        return self._ask(("/bin/sh", *jobs, "-h", "-o", layout), parse_queues)

    def nodes(self) -> Command[list[NodeInfo]]:
        layout = UNIT.join(("%N", "%P", "%T", "%C", "%m", "%E"))
        return self._ask(("sinfo", "-h", "-N", "-o", layout), parse_nodes)

    def ping(self) -> Command[str]:
        scontrol, squeue = self.executable("scontrol"), self.executable("squeue")
        argv = ("/bin/sh", "-c", _PING, "centro-ping", scontrol, squeue)
        return Command(argv=argv, parse=_pinged, read_only=True)

    def waiting(self, user: str) -> Command[list[WaitingJob]]:
        layout = UNIT.join(("%i", "%Q", "%S", "%r")) + RECORD_END
        fixed = ("env", "LC_ALL=C", "SLURM_TIME_FORMAT=%s", "timeout", "20", self.executable("squeue"))
        argv = (*fixed, "-h", "-a", "-r", "-t", "PENDING", "-u", user, "-o", layout)
        return Command(argv=argv, parse=_waiting, read_only=True)

    def hold(self, job_ids: Sequence[str]) -> Command[None]:
        """scontrol exits 0 for a job that runs, which then runs on (22.05.8)."""
        return self._change("scontrol", "hold", ",".join(_ids(job_ids)))

    def release(self, job_ids: Sequence[str]) -> Command[None]:
        return self._change("scontrol", "release", ",".join(_ids(job_ids)))

    def cancel(self, job_ids: Sequence[str]) -> Command[None]:
        """scancel exits 0 also for ids it does not know, so this says that it was asked, no more."""
        return self._change("scancel", *_ids(job_ids))

    def _ask(self, argv: tuple[str, ...], read: Callable[[str], T]) -> Command[T]:
        def parse(result: CommandResult) -> T:
            if result.exit_code != 0:
                text = result.error_text or f"{argv[0]} ended with exit code {result.exit_code}"
                raise SchedulerSilent(text, result.exit_code)
            return read(result.text)

        program = argv[0] if "/" in argv[0] else self.executable(argv[0])
        full = ("env", "LC_ALL=C", "timeout", "20", program, *argv[1:])
        return Command(argv=full, parse=parse, read_only=True)

    def _change(self, program: str, *arguments: str) -> Command[None]:
        argv = ("env", "LC_ALL=C", "timeout", "60", self.executable(program), *arguments)
        return Command(argv=argv, parse=_changed, timeout=90.0)


def _history(result: CommandResult) -> dict[str, list[JobInfo]]:
    errors = result.error_text
    if NO_ACCOUNTING in errors:
        raise NotSupported(
            "this Slurm keeps no accounting records (accounting storage is disabled)"
        )
    if result.exit_code == 124:
        raise SchedulerSilent("sacct gave no answer within 20 s", 124)
    if result.exit_code != 0 or OUTAGE.search(errors):
        text = errors or f"sacct ended with exit code {result.exit_code}"
        raise SchedulerSilent(text, result.exit_code)
    found: dict[str, list[JobInfo]] = {}
    for job in parse_history(result.text):
        found.setdefault(job.job_id, []).append(job)
        base = job.job_id.split("_")[0]
        if base != job.job_id:  # an array is known by its own id as well
            found.setdefault(base, []).append(job)
    for jobs in found.values():
        jobs.sort(key=lambda job: job.submit_time or _EPOCH)  # stable: sacct's order decides ties
    return found


def _pinged(result: CommandResult) -> str:
    lines = result.text.split("\n")
    up = [line.strip() for line in lines if line.rstrip().endswith("is UP")]
    if result.exit_code != 0 or not up:
        text = (result.error_text or result.text).strip() or "scontrol ping gave no answer"
        raise SchedulerSilent(text, result.exit_code)
    version = next((line for line in reversed(lines) if line.strip()), "")
    return f"{version.strip()}, {up[0]}"


def _waiting(result: CommandResult) -> list[WaitingJob]:
    if result.exit_code != 0 or "squeue: error:" in result.error_text:
        text = result.error_text or f"squeue ended with exit code {result.exit_code}"
        raise SchedulerSilent(text, result.exit_code)
    return parse_waiting(result.text)


def _changed(result: CommandResult) -> None:
    if result.exit_code == 0:
        return
    text = result.error_text or f"ended with exit code {result.exit_code}"
    if OUTAGE.search(text) or result.exit_code in (124, 126, 127):
        raise SchedulerSilent(text, result.exit_code)
    lines = [line for line in text.splitlines() if line.strip()]
    if all(any(word in line for word in _GONE) for line in lines):
        return  # gone already
    raise SchedulerError(text, result.exit_code)


def _ids(job_ids: Sequence[str]) -> list[str]:
    return checked_ids(job_ids, JOB_ID, "Slurm")


def _resources(spec: JobSpec) -> list[tuple[str, str]]:
    """The common resources as options; GPUs are asked for per node, which every Slurm understands."""
    options: list[tuple[str, str]] = []
    texts = {
        "partition": spec.queue,
        "account": spec.account,
        "qos": spec.qos,
        "reservation": spec.reservation,
    }
    options += [(name, _text(name, value)) for name, value in texts.items() if value]
    if spec.walltime is not None:
        if spec.walltime.total_seconds() <= 0:
            raise ValueError(f"walltime is {spec.walltime}, expected more than zero")
        options.append(("time", format_duration(spec.walltime)))
    numbers = {
        "nodes": ("nodes", spec.nodes, ""),
        "tasks": ("ntasks", spec.tasks, ""),
        "cpus": ("cpus-per-task", spec.cpus, ""),
        "memory_mb": ("mem", spec.memory_mb, "M"),
        "gpus": ("gres", spec.gpus, ""),
    }
    for field, (option, number, unit) in numbers.items():
        if number is None:
            continue
        if number < 1:
            raise ValueError(f"{field} is {number}, expected at least 1")
        prefix = "gpu:" if field == "gpus" else ""
        options.append((option, f"{prefix}{number}{unit}"))
    return options


def _native(name: str, value: str) -> str:
    if name not in NATIVE_OPTIONS:
        known = ", ".join(sorted(NATIVE_OPTIONS))
        raise ValueError(f"scheduler option {name!r} is not allowed; allowed are {known}")
    if not re.fullmatch(NATIVE_OPTIONS[name], value):
        raise ValueError(f"scheduler option {name!r} has the value {value!r}, which is not allowed")
    return f"--{name}={value}" if value else f"--{name}"


def _text(field: str, value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError(f"{field} {value[:80]!r} contains a control character")
    if len(value) > 1000:  # Slurm takes 1,024 bytes
        raise ValueError(f"{field} has {len(value)} characters, expected at most 1,000")
    return value
