"""The jobs of PBS as rows in Slurm's words, subjobs of arrays included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc.errors import IncompleteAnswer
from hpc.jobs import JobState
from hpc.rows import AccountingRow, QueueRow
from hpc.schedulers.base import UNIT
from hpc.schedulers.pbs_parse import job_reason, output_paths, parse_duration, state_of
from hpc.schedulers.pbs_tables import FIELDS, VARIABLE

_COLUMNS = 26

WORDS = (
    VARIABLE
    + r"""
function put(  words, n) {
  if (id == "") return
  full = id; sub(/\..*/, "", id); sub(/@.*/, "", v["Job_Owner"])
  sub(/[^:]*:/, "", v["Output_Path"]); sub(/[^:]*:/, "", v["Error_Path"])
  gsub(/[\001-\037]/, " ", v["comment"]); gsub(/[\001-\037]/, "_", v["Job_Name"])
  n = split(v["Submit_arguments"], words, " ")
  print id, v["job_state"] "/" v["substate"] "/" v["Exit_status"] v["exit_status"], v["Job_Name"], \
    v["Job_Owner"], v["queue"], v["ctime"], v["stime"] v["start_time"], v["obittime"] v["comp_time"], \
    v["mtime"], v["exec_host"], v["Resource_List.walltime"], v["resources_used.walltime"], \
    v["Resource_List.nodect"], v["Resource_List.ncpus"], v["comment"], v["Hold_Types"], v["Output_Path"], \
    v["Error_Path"], v["Join_Path"], v["Keep_Files"], variable("PBS_O_HOME"), v["array_indices_remaining"], \
    (words[n] ~ /^\// ? words[n] : ""), full, v["estimated.start_time"], "."
}
"""
    + FIELDS
)
"""awk: one line a job with what the rows need."""

STATES: dict[JobState, str] = {
    JobState.QUEUED: "PENDING",
    JobState.HELD: "PENDING",
    JobState.REQUEUED: "PENDING",
    JobState.LAUNCH_FAILED: "FAILED",
}
"""Slurm's words for states; those not here have their own name in capitals."""


@dataclass(frozen=True, slots=True)
class PbsJob:
    """One line of ``WORDS``; times without a zone, in the system's."""

    job_id: str
    state: JobState
    word: str
    code: str
    name: str
    user: str
    queue: str
    submitted: datetime | None
    started: datetime | None
    ended: datetime | None
    hosts: str
    limit: timedelta | None
    used: timedelta | None
    nodes: str
    cpus: int
    reason: str
    stdout: str
    stderr: str
    remaining: str
    script: str
    estimate: datetime | None


def parse_rows(text: str, dialect: str) -> tuple[datetime, list[PbsJob]]:
    """The system's local time of now, and the jobs. Raises ``IncompleteAnswer``."""
    first, mark, rest = text.partition("\n")
    try:
        now = datetime.fromisoformat(first)
    except ValueError as error:
        raise IncompleteAnswer(f"the list of jobs begins with {first[:80]!r}") from error
    if not mark or (rest and not rest.endswith("\n")):
        raise IncompleteAnswer("the list of jobs ends within a line")
    return now.replace(tzinfo=None), [_job(line, dialect) for line in rest.split("\n")[:-1]]


def _job(line: str, dialect: str) -> PbsJob:
    f = line.split(UNIT)
    if len(f) != _COLUMNS or f[-1] != "." or not f[0]:
        raise IncompleteAnswer(f"a row of the job list has {len(f)} fields: {line[:200]!r}")
    letter, substate, code = (*f[1].split("/"), "", "")[:3]
    state = state_of(letter, substate, code, dialect)
    out, err = output_paths(
        full_id=f[23],
        name=f[2],
        out=f[16],
        err=f[17],
        join=f[18],
        keep=f[19],
        home=f[20],
        dialect=dialect,
    )
    return PbsJob(
        job_id=f[0],
        state=state,
        word=(letter or "UNKNOWN") if state is JobState.UNKNOWN else STATES.get(state, state.name),
        code=code,
        name=f[2],
        user=f[3],
        queue=f[4],
        submitted=_time(f[5]),
        started=_time(f[6]),
        ended=_time(f[7]) or (_time(f[8]) if state.is_final else None),
        hosts=",".join(dict.fromkeys(part.split("/")[0] for part in f[9].split("+") if part)),
        limit=parse_duration(f[10]),
        used=parse_duration(f[11]),
        nodes=f[12] or "1",
        cpus=int(f[13]) if re.fullmatch(r"[0-9]{1,9}", f[13]) else 1,
        reason=job_reason(letter, f[14], f[15]),
        stdout=out,
        stderr=err,
        remaining="" if f[21] == "-" else f[21],
        script=f[22],
        estimate=_time(f[24]),
    )


def is_part(job: PbsJob) -> bool:
    """Whether it is one subjob of an array."""
    return "[" in job.job_id and not job.job_id.endswith("[]")


def _tasks(job: PbsJob) -> str:
    return job.job_id.partition("[")[2].rstrip("]") if is_part(job) else job.remaining


def queue_row(job: PbsJob, *, with_files: bool) -> QueueRow:
    waits = job.state.is_waiting
    used = (job.used or timedelta()) if not waits else timedelta()
    left = _short(max(timedelta(), job.limit - used)) if job.limit is not None else "UNLIMITED"
    begin = job.estimate if waits else job.started
    return QueueRow(
        job_id=job.job_id,
        raw_id=job.job_id,
        tasks=_tasks(job),
        partition=job.queue,
        name=job.name,
        user=job.user,
        state=job.word,
        is_over=job.state.is_final,
        time_used=_short(used),
        start_time=_stamp(begin, "N/A"),
        time_left=left,
        nodes=job.nodes,
        nodelist=f"({job.reason or 'None'})" if waits else job.hosts,
        script=job.script if with_files else "",
        stdout=job.stdout if with_files else "",
        stderr=job.stderr if with_files else "",
    )


def accounting_row(job: PbsJob, now: datetime) -> AccountingRow:
    elapsed = job.used
    if elapsed is None:
        elapsed = (job.ended or now) - job.started if job.started else timedelta()
    return AccountingRow(
        job_id=job.job_id,
        partition=job.queue,
        name=job.name,
        user=job.user,
        state=job.word,
        start_time=_stamp(job.started, "Unknown"),
        cpu_time=_long(elapsed * job.cpus),
        elapsed=_long(elapsed),
        end_time=_stamp(job.ended, "Unknown"),
        nodes=job.nodes,
        nodelist=job.hosts or "None assigned",
        exit_code=exit_pair(job.code if job.state.is_final else ""),
    )


def ran(job: PbsJob, now: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or (job.ended or now) >= since) and (
        until is None or (job.submitted or now) <= until
    )


def exit_pair(code: str) -> str:
    """Slurm's "code:signal": 256 + n is signal n, a negative number the server's word and no exit code."""
    number = int(code) if re.fullmatch(r"-?[0-9]{1,9}", code) else 0
    if number > 256:
        return f"0:{number - 256}"
    return f"{max(0, number)}:0"


def _time(text: str) -> datetime | None:
    """ "Sun Nov 22 01:20:45 2026" as it stands."""
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return None


def _stamp(moment: datetime | None, without: str) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S") if moment is not None else without


def _short(span: timedelta) -> str:
    """As squeue writes it: "0:05", "1:02:03", "1-02:03:04"."""
    days, rest = divmod(int(span.total_seconds()), 86400)
    hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{seconds:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _long(span: timedelta) -> str:
    """As sacct writes it: "00:00:05", "1-02:03:04"."""
    days, rest = divmod(int(span.total_seconds()), 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock
