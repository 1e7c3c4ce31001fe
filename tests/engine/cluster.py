"""What the cluster itself knows, asked without the portal."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from tests.lab.lab import Lab
from tests.stack import LiveStack


def run_directory(stack: LiveStack, run_id: str) -> Path:
    """The directory of a run, as the portal recorded it."""
    plain = run_id.replace("-", "")
    ((directory,),) = stack.sql(
        f"SELECT directory FROM pipeline_management_run WHERE REPLACE(id, '-', '') = '{plain}'"
    )
    return Path(directory)


def effects(stack: LiveStack, run_ids: list[str]) -> Counter[str]:
    """How often each run's script was really executed, by its own trace."""
    count: Counter[str] = Counter({run_id: 0 for run_id in run_ids})
    for folder in {run_directory(stack, run_ids[0]).parent, run_directory(stack, run_ids[-1]).parent}:
        trace = folder / "effects"
        if trace.exists():
            for line in trace.read_text().splitlines():
                run_id = line.split()[0]
                if run_id in count:
                    count[run_id] += 1
    return count


def keys_of(stack: LiveStack, run_ids: list[str]) -> dict[str, str]:
    """The job name of each run."""
    wanted = {run_id.replace("-", ""): run_id for run_id in run_ids}
    rows = stack.sql("SELECT REPLACE(id, '-', ''), `key` FROM pipeline_management_run")
    return {wanted[plain]: key for plain, key in rows if plain in wanted}


def jobs(lab: Lab, keys: list[str]) -> Counter[str]:
    """How many jobs Slurm's accounting has under each name; it may lag behind by seconds."""
    deadline = time.monotonic() + 20
    while True:
        text = lab.slurm("sacct", "-a", "-X", "-n", "-P", "-S", "now-1days", "-o", "JobIDRaw,JobName")
        names = Counter(line.partition("|")[2] for line in text.splitlines())
        if all(names[key] for key in keys) or time.monotonic() > deadline:
            return Counter({key: names[key] for key in keys})
        time.sleep(0.5)


def states(lab: Lab, key: str) -> list[str]:
    """The states of all jobs under a name, from accounting, which on a busy machine knows them late."""
    deadline = time.monotonic() + 20
    while True:
        text = lab.slurm(
            "sacct", "-a", "-X", "-n", "-P", "-S", "now-1days", f"--name={key}", "-o", "State"
        )
        if text or time.monotonic() > deadline:
            return text.split("\n")[:-1]
        time.sleep(0.5)
