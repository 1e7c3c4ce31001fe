"""What a bench needs running: the lab's servers, and a portal with a database of its own on them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.figures import say
from tests.lab.lab import Lab
from tests.stack import SCRIPTS, LiveStack

# Its jobs go to a partition that is down: Slurm takes them and never starts them, so that what is
# measured is the submission and not sixty-four jobs that run beside it.
PARKED: dict[str, Any] = {
    "name": "parked",
    "version": "1.0",
    "engine": "shell",
    "systems": ["cluster"],
    "labs": ["*"],
    "schema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 200},
            "samples": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 64}},
        },
        "required": ["name"],
    },
    "script": "echo {{ config.name }}\n{% for file in config.samples %}echo {{ file }}\n{% endfor %}",
    "resources": {"queue": "closed", "walltime": "00:10:00", "cpus": 1, "memory_mb": 100},
}
# Prints a line every half second, for an hour at most: its output is there to be read meanwhile.
TALKING: dict[str, Any] = PARKED | {
    "name": "talking",
    "schema": {"type": "object"},
    "script": "i=0; while [ $i -lt 7200 ]; do echo line $i; i=$((i+1)); sleep 0.5; done\n",
    "resources": {"queue": "part01", "walltime": "01:00:00", "cpus": 1, "memory_mb": 100},
}
CONFIGURATION = {
    "pipeline": "parked",
    "name": "NA12878",
    "samples": ["a_R1.fastq.gz", "a_R2.fastq.gz", "b_R1.fastq.gz"],
}


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """The lab of CENTRO_LAB_DIR, else one of our own that is taken down afterwards, however we end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    if folder := os.environ.get("CENTRO_LAB_DIR"):
        yield Lab.at(Path(folder))
        return
    say("starting a lab")
    own = Lab.up(owner=os.getpid())
    try:
        yield own
    finally:
        own.down()


@contextlib.contextmanager
def prepared(lab: Lab, extra_env: Mapping[str, str] | None = None) -> Iterator[LiveStack]:
    """A portal with its database and the site, whose processes are not started yet."""
    stack = LiveStack(lab, extra_env)
    try:
        stack.env["CENTRO_SITE"] = str(_site_file(lab, stack.var))
        stack.set_up()
        yield stack
    finally:
        stack.close()


@contextlib.contextmanager
def running(
    lab: Lab, names: tuple[str, ...] = tuple(SCRIPTS), extra_env: Mapping[str, str] | None = None
) -> Iterator[LiveStack]:
    """The same with processes: all of them and ready, or some of them."""
    with prepared(lab, extra_env) as stack:
        for name in names:
            stack.start(name)
        if set(names) == set(SCRIPTS):
            stack.wait_ready()
        else:
            wait_for_web(stack)
        yield stack


def wait_for_web(stack: LiveStack, seconds: float = 60.0) -> None:
    """Until the web server answers; /readyz would ask for the worker too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if stack.request("GET", "/healthz").status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the web server does not answer:\n" + stack.log_file("web").read_text()[-2000:])


def _site_file(lab: Lab, folder: Path) -> Path:
    """The lab's site file with the bench's pipeline added."""
    site = yaml.safe_load(lab.layout.site_file.read_text())
    site["pipelines"] += [PARKED, TALKING]
    path = folder / "bench-site.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(site))
    return path


def enter(stack: LiveStack) -> None:
    """Make this process one of the portal's own: its configuration, its database."""
    for name in [name for name in os.environ if name.startswith("CENTRO_") and "LAB" not in name]:
        del os.environ[name]
    os.environ.update(stack.env)
    os.environ["DJANGO_SETTINGS_MODULE"] = "centro.settings"
    import django

    django.setup()


def empty(stack: LiveStack) -> None:
    """Remove all runs, and all jobs from Slurm, so that every round starts alike."""
    tables = stack.sql(
        "SELECT DISTINCT table_name FROM information_schema.key_column_usage WHERE table_schema = DATABASE() "
        "AND referenced_table_name = 'pipeline_management_run' AND table_name != referenced_table_name"
    )
    of_runs = [f"DELETE FROM {table}" for (table,) in tables]
    stack.sql("; ".join([*of_runs, "DELETE FROM pipeline_management_run"]))
    clear_queue(stack.lab)


def clear_queue(lab: Lab) -> None:
    """Cancel every job of the lab's Slurm."""
    for user in lab.layout.settings.users:
        lab.slurm("scancel", "-u", user)


def ssh_connections(lab: Lab) -> int:
    """Log-ins that sshd has accepted since it started."""
    log = lab.sshd.log_file
    return len(re.findall(r"Accepted publickey", log.read_text(errors="replace"))) if log.exists() else 0


def scheduler_queries(lab: Lab) -> dict[str, int]:
    """How often Slurm's controller was asked for jobs (squeue) and to submit one, by its own count.

    sdiag itself asks for no jobs. REQUEST_JOB_INFO is squeue's question for all jobs, REQUEST_JOB_USER_INFO
    that for one user's (Slurm 22.05.8).
    """
    counts = {"queries": 0, "submits": 0}
    for name, count in re.findall(r"^\s+(REQUEST_\w+)\s+\(\s*\d+\) count:(\d+)", lab.slurm("sdiag"), re.M):
        if name.startswith("REQUEST_JOB_INFO") or name == "REQUEST_JOB_USER_INFO":
            counts["queries"] += int(count)
        elif name == "REQUEST_SUBMIT_BATCH_JOB":
            counts["submits"] += int(count)
    return counts
