"""What Slurm's accounting says that jobs have used: sacct with its steps, for only they have a job's memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerSilent
from hpc.schedulers.base import UNIT, checked_ids
from hpc.schedulers.slurm_parse import JOB_ID, job_state
from hpc.schedulers.slurm_tables import NO_ACCOUNTING, OUTAGE
from hpc.usage import MOST, JobUsage, mebibytes, seconds

FIELDS = (
    "JobID,State,Submit,Start,End,ElapsedRaw,TimelimitRaw,AllocCPUS,NNodes,ReqMem,ReqTRES,AllocTRES,"
    "TotalCPU,MaxRSS,User,JobIDRaw"
)
"""None of them is free text. TimelimitRaw is in minutes."""
_STEP = re.compile(r"([0-9]+(?:[_+][0-9]+)?)\.[A-Za-z0-9_+-]+")
_STUB = re.compile(r"[0-9]+_\[.*\]?")
_RESOURCE = re.compile(r"([a-z/]+(?::[^=,]+)?)=([^,]+)")
_REQUESTED = re.compile(r"(.*?)([nc]?)")


def usage_command(sacct: str, job_ids: Sequence[str]) -> Command[dict[str, list[JobUsage]]]:
    """sacct about these jobs (1 to 500): the number of each that it knows -> the records of its parts and of
    its requeued lives.

    Raises ``SchedulerSilent`` where accounting does not answer, ``NotSupported`` where it is off.
    """
    ids = ",".join(checked_ids(job_ids, JOB_ID, "Slurm"))
    argv = (
        "env", "LC_ALL=C", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0", "timeout", "20", sacct,
        "-n", "-P", "-D", "--units=M", f"--delimiter={UNIT}", "-j", ids, "-o", FIELDS,
    )  # fmt: skip
    return Command(argv=argv, parse=_answer, read_only=True)


def _answer(result: CommandResult) -> dict[str, list[JobUsage]]:
    errors = result.error_text
    if NO_ACCOUNTING in errors:
        raise NotSupported(
            "this Slurm keeps no accounting records (accounting storage is disabled)"
        )
    if result.exit_code != 0 or OUTAGE.search(errors):
        text = errors or f"sacct ended with exit code {result.exit_code}"
        raise SchedulerSilent(text, result.exit_code)
    return parse_usage(result.text)


def parse_usage(text: str) -> dict[str, list[JobUsage]]:
    """The records of sacct; a step follows the job that it belongs to. Raises ``IncompleteAnswer``."""
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the answer of sacct ends within a line")
    width = FIELDS.count(",") + 1
    found: dict[str, list[JobUsage]] = {}
    steps_seconds: dict[str, float] = {}
    for line in text.split("\n")[:-1]:
        row = line.split(UNIT)
        if len(row) != width:
            raise IncompleteAnswer(f"a record of sacct has {len(row)} fields: {line[:200]!r}")
        step = _STEP.fullmatch(row[0])
        if step is not None:
            _add_step(found.get(_base(step[1]), []), step[1], row, steps_seconds)
        elif JOB_ID.fullmatch(row[0]):
            steps_seconds.pop(row[0], None)  # an earlier life of a requeued job
            found.setdefault(_base(row[0]), []).append(_job(row))
        elif not _STUB.fullmatch(row[0]):
            raise IncompleteAnswer(f"a record of sacct has the id {row[0][:80]!r}")
    return found


def _base(job_id: str) -> str:
    """An array and a heterogeneous job are known by their number."""
    return re.split(r"[_+]", job_id)[0]


def _job(row: list[str]) -> JobUsage:
    job_id, state, submit, start, _end, elapsed, limit, cpus, nodes, memory = row[:10]
    asked, given = _resources(row[10]), _resources(row[11])
    started, submitted, minutes = _number(start), _number(submit), _number(limit)
    count = _number(nodes)
    is_waiting = job_state(state).is_waiting
    return JobUsage(
        job_id=job_id,
        is_over=job_state(state).is_final,
        wait_seconds=max(0, started - submitted)
        if started and submitted and not is_waiting
        else None,
        elapsed_seconds=_number(elapsed),
        cpus=_number(given.get("cpu", "")) or _number(cpus),
        gpus=_gpus(given) if given else None,
        nodes=count,
        memory_mb=_memory(asked.get("mem", ""), memory, given.get("mem", ""), _number(cpus), count),
        walltime_seconds=minutes * 60 if minutes else None,
        cpu_seconds=seconds(row[12]) or None,  # without steps it is 00:00:00, which nobody measured
        user=row[14],
    )


def _add_step(
    jobs: list[JobUsage], job_id: str, row: list[str], steps_seconds: dict[str, float]
) -> None:
    if not jobs or jobs[-1].job_id != job_id:
        raise IncompleteAnswer(f"sacct lists a step of the job {job_id} apart from the job")
    job, used, held = jobs[-1], seconds(row[12]), mebibytes(row[13])
    if used is not None:
        steps_seconds[job_id] = steps_seconds.get(job_id, 0.0) + used
        # the job's own record is the sum already where sacct has made it (22.05.8 does)
        job = replace(job, cpu_seconds=max(job.cpu_seconds or 0.0, steps_seconds[job_id]))
    if held is not None:
        job = replace(job, max_memory_mb=max(job.max_memory_mb or 0, held))
    jobs[-1] = job


def _memory(
    asked: str, requested: str, given: str, cpus: int | None, nodes: int | None
) -> int | None:
    """On one node. ReqMem before 21.08 ends in n (per node) or c (per core); "0" asks for a whole node."""
    parts = max(1, nodes or 1)
    if size := mebibytes(asked):
        return -(-size // parts)
    match = _REQUESTED.fullmatch(requested)
    size = mebibytes(match[1]) if match else None
    if match and size:
        if match[2] == "c":
            return -(-size * (cpus or 1) // parts)
        return size if match[2] == "n" else -(-size // parts)
    size = mebibytes(given)
    return -(-size // parts) if size else None


def _resources(text: str) -> dict[str, str]:
    """ "cpu=2,mem=100M,node=1,gres/gpu=1" by name."""
    return dict(_RESOURCE.findall(text))


def _gpus(given: dict[str, str]) -> int:
    if "gres/gpu" in given:
        return _number(given["gres/gpu"]) or 0
    return sum(_number(v) or 0 for name, v in given.items() if name.startswith("gres/gpu:"))


def _number(text: str) -> int | None:
    number = int(text) if re.fullmatch(r"[0-9]{1,16}", text) else None
    return number if number is None or number <= MOST else None
