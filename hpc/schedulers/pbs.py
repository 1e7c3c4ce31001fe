"""PBS: OpenPBS and PBS Professional (18.1 and later), and Torque: qsub, qselect, qstat, qdel, qhold, qrls, pbsnodes.

A job id is its number without the server's name ("123" for "123.pbs01"): a system has one server. Jobs are
read in delimited form, not as JSON: released versions print JSON that is not valid for odd environment
variables, and one such job spoils the answer about all (measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from hpc.commands import Command, CommandResult
from hpc.errors import NotSupported, SchedulerError, SchedulerSilent
from hpc.jobs import JobInfo, JobSpec, NodeInfo, QueueInfo, SubmitErrorPatterns, WaitingJob
from hpc.schedulers.base import SchedulerConfig, checked_ids
from hpc.schedulers.pbs_parse import (
    default_queue,
    format_clock,
    parse_jobs,
    parse_nodes,
    parse_queues,
    parse_waiting,
)
from hpc.schedulers.pbs_queries import NO_HISTORY, PbsQueries
from hpc.schedulers.pbs_tables import (
    FIND_FUNCTIONS,
    LIVE,
    NATIVE_OPTIONS,
    OUTAGE,
    ROWS,
    SPLIT,
    SUBMIT_ERRORS,
    WAITING,
)
from hpc.schedulers.pbs_usage import USAGE, parse_usage
from hpc.usage import JobUsage

T = TypeVar("T")

DIALECTS = ("openpbs", "pbspro", "torque")
_JOB_ID = re.compile(r"[0-9]{1,18}(\[[0-9]{0,9}\])?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._+-]{0,14}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GONE = re.compile(r"Unknown Job Id|has finished|invalid for state of job")
_PING = r"""
out=$(LC_ALL=C timeout 20 "$1qstat" --version 2>&1 </dev/null); code=$?
case $out in *'option: version'*|*'ption version'*) exit 5;; esac
[ "$code" -eq 0 ] || { printf '%s\n' "$out" >&2; exit "$code"; }
server=$(LC_ALL=C timeout 20 "$1qstat" -B 2>&1 </dev/null) || { code=$?; printf '%s\n' "$server" >&2; exit "$code"; }
printf '%s\n%s\n' "$out" "$server"
"""


class PbsScheduler(PbsQueries):
    """Options: ``dialect`` ("openpbs" by default, "pbspro" is the same, "torque"); ``bin_dir`` where the
    commands are not on the path of a non-interactive shell (OpenPBS: /opt/pbs/bin)."""

    name: ClassVar[str] = "pbs"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"cancel", "hold", "history", "nodes", "rows", "usage", "waiting"}
    )
    job_id_pattern: ClassVar[str] = r"[0-9]+(\[\])?(\.[A-Za-z0-9_.-]+)?"
    job_id_variable: ClassVar[str] = "PBS_JOBID"
    restart_variable: ClassVar[str] = "CENTRO_RESTARTS"  # PBS tells a job nothing about it
    submit_errors: ClassVar[SubmitErrorPatterns] = SUBMIT_ERRORS
    option_names: ClassVar[frozenset[str]] = frozenset({"dialect"})

    def __init__(self, config: SchedulerConfig | None = None) -> None:
        super().__init__(config)
        self._dialect = self.config.options.get("dialect", "openpbs")
        if self._dialect not in DIALECTS:
            known = ", ".join(DIALECTS)
            raise ValueError(f"scheduler option dialect is {self._dialect!r}, expected one of {known}")
        self._torque = self._dialect == "torque"
        details = "-f -1" if self._torque else "-E -f -F dsv -D '|~|'"
        self.find_functions = (
            FIND_FUNCTIONS.replace("PAST", "return 0;" if self._torque else "")
            .replace("DETAILS", details)
            .replace("SPLIT", "" if self._torque else "[|]~[|]")
            .replace("LIVE", LIVE)
        )

    def submit_argv(self, spec: JobSpec) -> tuple[str, ...]:
        if not _NAME.fullmatch(spec.name):
            raise ValueError(
                f"name is {spec.name!r}, expected a letter and up to 14 letters, digits or ._+-"
            )
        for field in ("workdir", "script_path", "stdout"):
            value = getattr(spec, field)
            if not value or _CONTROL.search(value) or value.startswith("-"):
                raise ValueError(f"{field} is {value!r}, expected a path")
        if spec.qos:
            raise self._lacks("qos")
        # PBS starts every job in the home directory and has no placeholder for the id in a file's name
        stdout = f"{spec.workdir}/{spec.stdout.replace('.%j', '').replace('%j', 'job')}"
        argv = [self.executable("qsub"), "-N", spec.name, "-r", "n", "-S", "/bin/sh", "-j", "oe"]
        argv += ["-o", stdout]
        if spec.reservation or spec.queue:  # a reservation is a queue of its own
            argv += ["-q", _word("queue", spec.reservation or spec.queue or "")]
        if spec.account:
            argv += ["-A", _word("account", spec.account)]
        if spec.walltime is not None:
            argv += ["-l", f"walltime={format_clock(spec.walltime)}"]
        native = dict(spec.native)
        argv += _native(native)
        argv += self._resources(spec, native)
        return (*argv, spec.script_path)

    def active_argv(self, user: str) -> tuple[str, ...]:
        return self._listing("active", user, rows=ROWS)

    def parse_active(self, text: str, exit_code: int, error_text: str) -> list[JobInfo]:
        if exit_code != 0:
            raise SchedulerSilent(error_text or f"the list ended with code {exit_code}", exit_code)
        return parse_jobs(text, "queue", self._dialect)

    def history(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobInfo]]]:
        if not job_ids:  # qstat without ids lists everything
            return Command(argv=("true",), parse=lambda _: {}, read_only=True)

        def parse(result: CommandResult) -> dict[str, list[JobInfo]]:
            jobs = parse_jobs(_remembered(result), "accounting", self._dialect)
            return {job.job_id: [job] for job in jobs}

        return Command(self._listing("history", *_ids(job_ids), rows=ROWS), parse, read_only=True, timeout=90.0)

    def usage(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobUsage]]]:
        def parse(result: CommandResult) -> dict[str, list[JobUsage]]:
            return parse_usage(_remembered(result))

        argv = self._listing("history", *_ids(job_ids), rows=USAGE)
        return Command(argv, parse, read_only=True, timeout=90.0)

    def queues(self) -> Command[list[QueueInfo]]:
        def read(text: str) -> list[QueueInfo]:
            queues, nodes, server = (*text.split(SPLIT), "", "", "")[:3]
            return parse_queues(queues, nodes, default_queue(server))

        return self._tables("queues", read)

    def nodes(self) -> Command[list[NodeInfo]]:
        if self._torque:
            raise self._lacks("nodes")
        argv = ("timeout", "60", self.executable("pbsnodes"), "-a", "-F", "json")
        return self._ask(argv, parse_nodes)

    def ping(self) -> Command[str]:
        def parse(result: CommandResult) -> str:
            if result.exit_code == 5:
                raise SchedulerError(
                    "these are Slurm's imitations of the PBS commands, which hide exit codes and errors: "
                    "register the system with scheduler slurm",
                    5,
                )
            if result.exit_code != 0:
                raise SchedulerSilent(result.error_text or "qstat gave no answer", result.exit_code)
            lines = [line.strip() for line in result.text.splitlines() if line.strip()]
            server = lines[-1].split()
            return f"{lines[0]}, server {server[0]} is {server[-1]}"

        argv = ("/bin/sh", "-c", _PING, "centro-ping", self._prefix)
        return Command(argv=argv, parse=parse, read_only=True)

    def waiting(self, user: str) -> Command[list[WaitingJob]]:
        def parse(result: CommandResult) -> list[WaitingJob]:
            if result.exit_code != 0:
                raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
            return parse_waiting(result.text)

        argv = self._listing("active", user, rows=WAITING)
        return Command(argv=argv, parse=parse, read_only=True, timeout=90.0)

    def hold(self, job_ids: Sequence[str]) -> Command[None]:
        return self._change("qhold", job_ids)

    def release(self, job_ids: Sequence[str]) -> Command[None]:
        return self._change("qrls", job_ids)

    def cancel(self, job_ids: Sequence[str]) -> Command[None]:
        return self._change("qdel", job_ids)

    def _ask(self, argv: tuple[str, ...], read: Callable[[str], T]) -> Command[T]:
        def parse(result: CommandResult) -> T:
            if result.exit_code != 0:
                raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
            return read(result.text)

        return Command(argv=argv, parse=parse, read_only=True, timeout=200.0)

    def _change(self, program: str, job_ids: Sequence[str]) -> Command[None]:
        argv = ("env", "LC_ALL=C", "timeout", "60", self.executable(program), *_ids(job_ids))
        return Command(argv=argv, parse=_changed, timeout=90.0)

    def _resources(self, spec: JobSpec, native: dict[str, str]) -> list[str]:
        """Chunks of resources, one a node; memory is per node, GPUs too."""
        numbers = {name: getattr(spec, name) for name in ("nodes", "tasks", "cpus", "memory_mb", "gpus")}
        for field, number in numbers.items():
            if number is not None and number < 1:
                raise ValueError(f"{field} is {number}, expected at least 1")
        if "select" in native:
            return ["-l", f"select={native['select']}"]
        if all(number is None for number in numbers.values()):
            return []
        nodes = spec.nodes or 1
        tasks = -(-(spec.tasks or nodes) // nodes)
        cpus = tasks * (spec.cpus or 1)
        if self._torque:
            gpus = f":gpus={spec.gpus}" if spec.gpus else ""
            memory = ["-l", f"mem={spec.memory_mb * nodes}mb"] if spec.memory_mb else []
            return ["-l", f"nodes={nodes}:ppn={cpus}{gpus}", *memory]
        more = {
            "mpiprocs": str(tasks) if spec.tasks else "",
            "mem": f"{spec.memory_mb}mb" if spec.memory_mb else "",
            "ngpus": str(spec.gpus or ""),
        }
        given = [f"{name}={value}" for name, value in more.items() if value]
        return ["-l", ":".join([f"select={nodes}", f"ncpus={cpus}", *given])]


def _native(options: dict[str, str]) -> list[str]:
    """Options other than ``select``, checked against the allow-list."""
    argv = []
    for name, value in options.items():
        if name not in NATIVE_OPTIONS:
            known = ", ".join(sorted(NATIVE_OPTIONS))
            raise ValueError(f"scheduler option {name!r} is not allowed; allowed are {known}")
        if not re.fullmatch(NATIVE_OPTIONS[name], value):
            raise ValueError(f"scheduler option {name!r} has the value {value!r}, which is not allowed")
        switches = {"project": ["-P", value], "priority": ["-p", value], "place": ["-l", f"place={value}"]}
        argv += switches.get(name, [])
    return argv


def _remembered(result: CommandResult) -> str:
    """The rows of the history. Raises ``SchedulerSilent``, and ``NotSupported`` where the server keeps none."""
    if result.exit_code == NO_HISTORY:
        raise NotSupported("this PBS keeps no job history (job_history_enable is off)")
    if result.exit_code != 0:
        raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
    return result.text


def _changed(result: CommandResult) -> None:
    if result.exit_code == 0:
        return
    text = result.error_text or f"ended with exit code {result.exit_code}"
    if any(word in text for word in OUTAGE) or result.exit_code in (124, 126, 127):
        raise SchedulerSilent(text, result.exit_code)
    if all(_GONE.search(line) for line in text.splitlines() if line.strip()):
        return  # gone already
    raise SchedulerError(text, result.exit_code)


def _ids(job_ids: Sequence[str]) -> list[str]:
    return checked_ids(job_ids, _JOB_ID, "PBS")


def _word(field: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,200}", value):
        raise ValueError(f"{field} is {value!r}, expected letters, digits or _.@+-")
    return value
