"""Plain processes as a scheduler: what is left after kill -9 at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpc.client import SystemClient
from hpc.commands import Command
from hpc.jobs import JobSpec, JobState
from tests.hpc.local_jobs import SLEEP, Jobs, eventually, is_running


@pytest.fixture
def jobs(local_system: SystemClient, tmp_path: Path) -> Jobs:
    return Jobs(local_system, tmp_path)


def test_the_job_survives_who_submitted_it(jobs: Jobs) -> None:
    path = jobs.folder / "s.sh"
    path.write_text("#!/bin/sh\nsleep 1\necho done > told\n")
    argv = jobs.client.scheduler.submit_argv(JobSpec("k", str(path), str(jobs.folder)))
    shell = subprocess.Popen(
        ["sh", "-c", '"$@"; sleep 300', "x", *argv], start_new_session=True, stdout=subprocess.PIPE
    )
    assert shell.stdout is not None
    job_id = shell.stdout.readline().decode().strip()
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
    shell.stdout.close()
    jobs.wait(job_id, JobState.COMPLETED)
    assert (jobs.folder / "told").read_text() == "done\n"


def test_a_job_and_supervisor_killed_together_are_a_failed_node(jobs: Jobs) -> None:
    job_id = jobs.submit(SLEEP)
    jobs.wait(job_id, JobState.RUNNING)
    leader = jobs.identity(job_id, "leader")
    os.kill(jobs.identity(job_id, "supervisor"), signal.SIGKILL)
    os.killpg(leader, signal.SIGKILL)
    job = jobs.wait(job_id, JobState.NODE_FAIL)
    assert (job.exit_code, job.end_time) == (None, None)
    assert job.state.may_return


def test_vanished_jobs_are_written_down_in_the_end(jobs: Jobs) -> None:
    lost, alive = jobs.submit(SLEEP, name="lost"), jobs.submit(SLEEP, name="alive")
    leader = jobs.identity(lost, "leader")
    jobs.wait(alive, JobState.RUNNING)
    os.kill(jobs.identity(lost, "supervisor"), signal.SIGKILL)
    os.killpg(leader, signal.SIGKILL)
    jobs.wait(lost, JobState.NODE_FAIL)
    for job_id in (lost, alive):
        os.utime(jobs.spool / job_id, (0, 0))
    jobs.wait(jobs.submit("#!/bin/sh\ntrue\n", name="next"), JobState.COMPLETED)
    eventually((jobs.spool / lost / "end").exists)
    found = jobs.client.run(jobs.client.scheduler.history([lost, alive]))
    assert (found[lost][0].state, found[lost][0].exit_code) == (JobState.NODE_FAIL, None)
    assert found[lost][0].end_time is not None
    assert found[alive][0].state is JobState.RUNNING


def test_a_waiting_jobs_supervisor_that_vanished(jobs: Jobs) -> None:
    blocker = [jobs.submit(SLEEP, name=f"b{n}") for n in range(2)]
    job_id = jobs.submit("#!/bin/sh\n: > ran\n", name="waits")
    behind = jobs.submit("#!/bin/sh\n: > ran2\n", name="behind")
    os.kill(jobs.identity(job_id, "supervisor"), signal.SIGKILL)
    jobs.wait(job_id, JobState.NODE_FAIL)
    jobs.client.run(jobs.client.scheduler.cancel(blocker))
    jobs.wait(behind, JobState.COMPLETED)  # the queue goes on without it
    assert not (jobs.folder / "ran").exists()


def test_a_job_without_its_supervisor_runs_on_and_can_be_cancelled(jobs: Jobs) -> None:
    job_id = jobs.submit("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
    jobs.wait(job_id, JobState.RUNNING)
    leader = jobs.identity(job_id, "leader")
    os.kill(jobs.identity(job_id, "supervisor"), signal.SIGKILL)
    assert jobs.all()[job_id].state is JobState.RUNNING  # true: the process is there
    jobs.client.run(jobs.client.scheduler.cancel([job_id]))
    jobs.wait(job_id, JobState.NODE_FAIL)
    eventually(lambda: not is_running(leader))


def test_a_pid_that_belongs_to_somebody_else_now_is_not_the_job(jobs: Jobs) -> None:
    job_id = jobs.submit("#!/bin/sh\ntrue\n")
    jobs.wait(job_id, JobState.COMPLETED)
    folder = jobs.spool / job_id
    (folder / "end").unlink()
    boot, _, ticks = (folder / "supervisor").read_text().split()
    bystander = subprocess.Popen(["sleep", "300"])
    try:
        for identity in (f"{boot} {bystander.pid} {ticks}", f"another-boot {bystander.pid} {ticks}"):
            for who in ("supervisor", "leader"):
                (folder / who).write_text(identity + "\n")
            assert jobs.all()[job_id].state is JobState.NODE_FAIL
            jobs.client.run(jobs.client.scheduler.cancel([job_id]))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05])
def test_a_submission_killed_at_any_moment(jobs: Jobs, delay: float) -> None:
    path = jobs.folder / "s.sh"
    path.write_text("#!/bin/sh\necho x >> told\n")
    argv = jobs.client.scheduler.submit_argv(JobSpec("killed", str(path), str(jobs.folder)))
    shell = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE)
    time.sleep(delay)
    os.killpg(shell.pid, signal.SIGKILL)
    answer = shell.communicate()[0].decode().strip()
    functions = jobs.client.scheduler.find_functions
    find = Command(("/bin/sh", "-c", functions + "centro_find killed"), lambda r: r.text.split())
    time.sleep(0.2)
    found = jobs.client.run(find)
    assert len(found) <= 1
    if answer:
        assert found == [answer]
    for job_id in found:  # there or not there, never half: it runs and ends
        jobs.wait(job_id, JobState.COMPLETED)
    told = jobs.folder / "told"
    assert (told.read_text() if told.exists() else "") == "x\n" * len(found)
    after = jobs.submit("#!/bin/sh\ntrue\n", name="after")
    jobs.wait(after, JobState.COMPLETED)


def test_many_submissions_at_once(jobs: Jobs) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda n: jobs.submit("#!/bin/sh\ntrue\n", name=f"n{n}"), range(24)))
    assert len(set(ids)) == 24
    for job_id in ids:
        jobs.wait(job_id, JobState.COMPLETED)
    assert len({job.name for job in jobs.all().values()}) == 24
