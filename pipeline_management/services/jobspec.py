"""From a run's resources to what is asked of the scheduler."""

from __future__ import annotations

import re
from datetime import timedelta

from hpc.jobs import JobSpec
from pipeline_management.models import Run

_WALLTIME = re.compile(r"(?:(\d+)-)?(\d{1,3}):(\d{2}):(\d{2})")


def parse_walltime(text: str) -> timedelta:
    """Read "HH:MM:SS" or "D-HH:MM:SS"; ``ValueError`` for anything else or for zero."""
    match = _WALLTIME.fullmatch(text)
    if match is None:
        raise ValueError(f'walltime {text!r} is not "HH:MM:SS" or "D-HH:MM:SS"')
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if minutes > 59 or seconds > 59:
        raise ValueError(f"walltime {text!r} has more than 59 minutes or seconds")
    walltime = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not walltime:
        raise ValueError("a walltime of zero lets no job run")
    return walltime


def job_spec(run: Run) -> JobSpec:
    """The job of a run: named by its key, in its directory, with its version's resources."""
    wanted = run.resources
    walltime = wanted.get("walltime")
    return JobSpec(
        name=run.key,
        script_path="job.sh",
        workdir=run.directory,
        queue=wanted.get("queue"),
        account=wanted.get("account"),
        walltime=parse_walltime(walltime) if walltime else None,
        nodes=wanted.get("nodes"),
        tasks=wanted.get("tasks"),
        cpus=wanted.get("cpus"),
        memory_mb=wanted.get("memory_mb"),
        gpus=wanted.get("gpus"),
        qos=wanted.get("qos"),
        comment=f"centro:{run.pk}",
    )
