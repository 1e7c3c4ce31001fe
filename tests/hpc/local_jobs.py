"""Submitting scripts to plain processes and looking at them, for the tests of that scheduler."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.jobs import JobInfo, JobSpec, JobState

SLEEP = "#!/bin/sh\nexec sleep 300\n"


def eventually(check: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


class Jobs:
    """Submits scripts to a local system and looks at them."""

    def __init__(self, client: SystemClient, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.spool = Path(client.scheduler.config.options["spool"])

    def ask(self, script: str, name: str = "ckey", **fields: object) -> CommandResult:
        path = self.folder / f"{name}.sh"
        path.write_text(script)
        given: dict = {"name": name, "script_path": str(path), "workdir": str(self.folder), **fields}
        argv = self.client.scheduler.submit_argv(JobSpec(**given))
        return self.client.run(Command(argv, lambda r: r))

    def submit(self, script: str, name: str = "ckey", **fields: object) -> str:
        answer = self.ask(script, name, **fields)
        assert answer.exit_code == 0, answer.error_text
        assert re.fullmatch(self.client.scheduler.job_id_pattern + "\n", answer.text)
        return answer.text.strip()

    def all(self) -> dict[str, JobInfo]:
        found = self.client.run(self.client.scheduler.active(self.client.username))
        return {job.job_id: job for job in found}

    def wait(self, job_id: str, *states: JobState) -> JobInfo:
        eventually(lambda: self.all()[job_id].state in states)
        return self.all()[job_id]

    def identity(self, job_id: str, who: str) -> int:
        path = self.spool / job_id / who
        eventually(path.exists)
        return int(path.read_text().split()[1])


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
