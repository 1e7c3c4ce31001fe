"""What PBS says that jobs have used: the ``resources_used`` of finished jobs (pbs_job_attributes(7B))."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hpc.errors import IncompleteAnswer
from hpc.schedulers.base import UNIT
from hpc.schedulers.pbs_tables import ENDED, FIELDS
from hpc.usage import MOST, JobUsage, mebibytes, seconds

USAGE = (
    r"""
function put() {
  if (id == "") return
  sub(/\..*/, "", id); sub(/@.*/, "", v["Job_Owner"])
  print id, v["job_state"], v["ctime"], v["stime"] v["start_time"], v["Resource_List.walltime"], \
    v["resources_used.walltime"], v["resources_used.cput"], v["resources_used.mem"], \
    v["Resource_List.mem"], v["resources_used.ncpus"], v["Resource_List.ncpus"], \
    v["Resource_List.ngpus"], v["Resource_List.nodect"], v["Resource_List.nodes"], v["Job_Owner"], "."
}
"""
    + FIELDS
)
"""awk: one line a job, from ``qstat -F dsv`` or ``qstat -f -1``."""
_COLUMNS = 16


def parse_usage(text: str) -> dict[str, list[JobUsage]]:
    """By job id. Raises ``IncompleteAnswer``.

    What is printed may be either "HH:MM:SS" or seconds; sizes have a unit ("7212kb"), a bare number is bytes.
    """
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the list of jobs ends within a line")
    found: dict[str, list[JobUsage]] = {}
    for line in text.split("\n")[:-1]:
        row = line.split(UNIT)
        if len(row) != _COLUMNS or row[-1] != "." or not row[0]:
            raise IncompleteAnswer(f"a row of the job list has {len(row)} fields: {line[:200]!r}")
        found.setdefault(row[0], []).append(_job(row))
    return found


def _job(row: list[str]) -> JobUsage:
    job_id, state, submit, start, limit, elapsed, processor, held, memory = row[:9]
    used_cpus, cpus, gpus, nodes, layout = row[9:14]
    submitted, started = _time(submit), _time(start)
    count = max(1, _number(nodes) or 1)
    return JobUsage(
        job_id=job_id,
        is_over=state in ENDED,
        wait_seconds=max(0, started - submitted) if started and submitted else None,
        elapsed_seconds=_whole(elapsed),
        cpus=_number(used_cpus) or _number(cpus) or _processors(layout, count),
        gpus=_number(gpus) or 0,
        nodes=count,
        memory_mb=_each(memory, count),
        walltime_seconds=_whole(limit),
        cpu_seconds=_duration(processor),
        max_memory_mb=_each(held, count) or None,  # 0kb of a job that ended before it was measured
        user=row[14],
    )


def _processors(layout: str, nodes: int) -> int | None:
    """Torque's "2:ppn=4"."""
    match = re.search(r":ppn=([0-9]{1,6})", layout)
    return int(match[1]) * nodes if match else None


def _each(text: str, nodes: int) -> int | None:
    """PBS gives the sum over all nodes."""
    if re.fullmatch(r"[0-9]{1,15}b?", text):
        size: int | None = -(-int(text.rstrip("b")) // (1 << 20))
    else:
        size = mebibytes(text)
    return None if size is None else -(-size // nodes)


def _duration(text: str) -> float | None:
    number = _number(text)
    return float(number) if number is not None else seconds(text)


def _whole(text: str) -> int | None:
    value = _duration(text)
    return None if value is None else int(value)


def _time(text: str) -> int | None:
    """ "Sun Nov 22 01:20:45 2026", asked for in UTC, or epoch seconds."""
    if (number := _number(text)) is not None:
        return number
    try:
        moment = datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())


def _number(text: str) -> int | None:
    number = int(text) if re.fullmatch(r"[0-9]{1,16}", text) else None
    return number if number is None or number <= MOST else None
