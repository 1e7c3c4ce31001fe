"""Tasks as jobs of Slurm: submitted by sbatch, looked after by sacct, ended by scancel."""

import asyncio
import json
import logging
import subprocess
from types import SimpleNamespace

from jetstream.backends import BaseBackend

log = logging.getLogger("jetstream.slurm")
ACTIVE = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED")


class SlurmBackend(BaseBackend):
    """Learns of an end from sacct, every ``sacct_frequency`` seconds."""

    def __init__(self, sacct_frequency=60, sacct_fields=("JobID", "State", "ExitCode")):
        self.sacct_frequency = sacct_frequency
        self.sacct_fields = sacct_fields
        self.jobs = {}
        self._monitor = None
        subprocess.run(["sbatch", "--version"], check=True, stdout=subprocess.DEVNULL)
        log.info("SlurmBackend initialized")

    def cancel(self):
        if self.jobs:
            log.info("Requesting scancel for %d slurm jobs", len(self.jobs))
            subprocess.run(["scancel", *self.jobs])

    async def spawn(self, task):
        if self._monitor is None:
            self._monitor = asyncio.ensure_future(self._watch())
        path = self.log_path(task)
        args = ["sbatch", "--parsable", "-J", task.name, "-o", path, "-D", self.runner.project]
        args += [
            "--comment",
            json.dumps({"id": task.identity, "tags": task.directives.get("tags", [])}),
        ]
        for option, name in (("-c", "cpus"), ("--mem", "mem"), ("-t", "walltime")):
            if task.directives.get(name) is not None:
                args += [option, str(task.directives[name])]
        text = "#!/bin/bash\n" + task.directives["cmd"]
        done = subprocess.run(args, input=text, text=True, check=True, stdout=subprocess.PIPE)
        job = SimpleNamespace(jid=done.stdout.strip(), job_data=None, event=asyncio.Event())
        task.state.update(label=f"Slurm({job.jid})", stdout_path=path, slurm_job_id=job.jid)
        log.info("SlurmBackend submitted(%s): %s", job.jid, task.name)
        self.jobs[job.jid] = job
        await job.event.wait()
        code = int(job.job_data["ExitCode"].partition(":")[0])
        if job.job_data["State"] == "COMPLETED":
            log.info("Complete: %s", task.name)
            return task.complete(code)
        log.info("Failed: %s", task.name)
        return task.fail(code)

    async def _watch(self):
        while True:
            await asyncio.sleep(self.sacct_frequency)
            if not self.jobs:
                continue
            args = [
                "sacct",
                "-X",
                "-n",
                "-P",
                "-o",
                "JobID,State,ExitCode",
                "-j",
                ",".join(self.jobs),
            ]
            listed = subprocess.run(args, text=True, check=True, stdout=subprocess.PIPE).stdout
            for line in listed.splitlines():
                jid, state, code = line.split("|")
                job = self.jobs.get(jid)
                if job is None:
                    continue
                job.job_data = {"JobID": jid, "State": state.split()[0], "ExitCode": code}
                if job.job_data["State"] not in ACTIVE:
                    self.jobs.pop(jid)
                    job.event.set()
