"""Runs of an engine on the lab's Slurm as the portal submits them, without a portal."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hpc.client import SystemClient, SystemSpec
from hpc.engines.planning import run_plan
from hpc.jobs import JobSpec, SystemLimits
from hpc.protocol.reports import PROGRAM, reporting_program
from hpc.protocol.submission import Submission, job_script, submit
from hpc.transports.credentials import KeyCredential
from hpc.transports.pool import TransportPool
from pipeline_management.choices import Engine
from pipeline_management.models import Pipeline, PipelineVersion
from pipeline_management.services.engines.planning import READERS
from pipeline_management.services.engines.plans import Plan
from pipeline_management.services.engines.registry import engine_of
from tests.lab.lab import Lab

USER = "test2"
RESOURCES = {"queue": "part01", "account": "acct1", "cpus": 1, "memory_mb": 500}


def version_of(
    engine: str, name: str, version: str = "1.0", options: dict[str, Any] | None = None
) -> PipelineVersion:
    """A version that is in no database."""
    return PipelineVersion(
        pipeline=Pipeline(name=name),
        version=version,
        engine=engine,
        engine_options=options or {},
        resources=dict(RESOURCES),
        schema={"type": "object", "properties": {"tasks": {}}},
    )


@dataclass
class Driven:
    """One submitted run."""

    lab: Lab
    directory: str
    work: str
    job_id: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def shell(self, text: str) -> str:
        """What a command prints, run as the user in the run's directory; its exit code does not count."""
        command = f"cd {self.directory} && {{ {text}\n}}; true"
        return self.lab.sshd.run(USER, f"/bin/sh -c 'echo {_coded(command)} | base64 -d | /bin/sh'")

    def read(self, name: str) -> str:
        """A file of the run's directory, or of another by its absolute path; "" where there is none."""
        return self.shell(f"cat {name} 2>/dev/null")

    def wait(self, seconds: float = 120.0) -> int:
        """Until the job's own result is there; its exit code."""
        self.until("test -s result && echo yes", "yes", seconds)
        self.events = [json.loads(line) for line in self.read("events.ndjson").splitlines()]
        return int(self.read("result").split()[0])

    def until(self, command: str, expected: str, seconds: float = 60.0) -> None:
        """Repeat a shell command until its output contains the text."""
        deadline = time.monotonic() + seconds
        while expected not in (said := self.shell(command)):
            if time.monotonic() > deadline:
                told = f"{self.read('stderr')[-2000:]}\n{self.read('events.ndjson')[-2000:]}"
                raise AssertionError(f"{command} never said {expected!r}: {said!r}\n{told}")
            time.sleep(0.5)

    def tasks(self) -> dict[str, str]:
        """The last state of each task, as reported."""
        rows = [event["data"] for event in self.events if event["type"] == "task"]
        return {row["name"]: row["state"] for row in rows}

    def texts(self, kind: str) -> list[str]:
        return [event["data"]["text"] for event in self.events if event["type"] == kind]

    def jobs(self) -> list[str]:
        """Ids of the user's jobs in the queue whose working directory is this run's, its own left out."""
        lines = self.shell(f"squeue -h -u {USER} -o '%i %Z'").splitlines()
        pairs = [line.split(" ", 1) for line in lines]
        return [job for job, folder in pairs if folder.startswith(self.work) and job != self.job_id]


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _context(
    version: PipelineVersion,
    configuration: dict[str, Any],
    run_id: str = "plan",
    directory: str = "",
) -> dict[str, Any]:
    return {
        "config": configuration,
        "run": {"id": run_id, "directory": directory, "name": "x"},
        "system": {"scheduler": "slurm", "bin_dir": "/usr/bin"},
        "resources": version.resources,
    }


class Driver:
    """Submits runs of one user, each in a directory of its own."""

    def __init__(self, lab: Lab, pool: TransportPool) -> None:
        self.lab = lab
        key = lab.layout.ssh_key.read_text()
        self.client = SystemClient.open(
            pool,
            SystemSpec(
                name="cluster",
                transport="ssh",
                scheduler="slurm",
                username=USER,
                credential=KeyCredential(USER, key, None),
                host="127.0.0.1",
                port=lab.layout.ports["sshd"],
                host_keys=(lab.sshd.host_key_line(),),
                scheduler_options={"bin_dir": "/usr/bin"},
                limits=SystemLimits(),
            ),
        )
        self.root = f"{lab.layout.root}/work/{USER}/engines-{secrets.token_hex(4)}"

    def run(
        self,
        version: PipelineVersion,
        configuration: dict[str, Any],
        resume_of: Driven | None = None,
    ) -> Driven:
        """Submit a run; with ``resume_of`` one that goes on in the other's place."""
        run_id = str(uuid.uuid4())
        directory = f"{self.root}/{run_id}"
        work = resume_of.work if resume_of is not None else directory
        context = _context(version, configuration, run_id, directory)
        rendered = engine_of(version).render(version, context, resume=resume_of is not None)
        environment = {
            "CENTRO_RUN_ID": run_id,
            "CENTRO_RUN_DIR": directory,
            "CENTRO_WORK_DIR": work,
            "CENTRO_CONFIG": f"{directory}/config.json",
            "CENTRO_EVENTS_URL": "",
            "CENTRO_TOKEN_FILE": f"{directory}/.token",
        }
        key = "c" + secrets.token_hex(7)
        spec = JobSpec(
            name=key,
            script_path="job.sh",
            workdir=directory,
            queue="part01",
            account="acct1",
            walltime=timedelta(minutes=10),
            cpus=1,
            memory_mb=500,
        )
        files = {
            "config.json": json.dumps(configuration).encode(),
            "script.sh": rendered.script.encode(),
            "job.sh": job_script(environment),
            PROGRAM: reporting_program(),
            **rendered.files,
        }
        one = Submission(key, directory, files, spec)
        answer = self.client.run(submit(self.client.scheduler, [one], settle=5))[key]
        assert answer.job_id, answer
        return Driven(self.lab, directory, work, answer.job_id)

    def plan(
        self,
        version: PipelineVersion,
        configuration: dict[str, Any],
        resume_of: Driven | None = None,
    ) -> Plan:
        """What the version's engine says on the system that it would do."""
        context = _context(version, configuration)
        request = engine_of(version).plan_request(version, context, resume=resume_of is not None)
        files = {**request.files, "config.json": json.dumps(configuration).encode()}
        work = resume_of.work if resume_of is not None else ""
        answer = self.client.run(
            run_plan(request.script, files, root=f"{self.root}/.plans", seconds=60, work=work)
        )
        assert answer.exit_code == 0, answer.errors
        return READERS[Engine(version.engine)](answer.output)
