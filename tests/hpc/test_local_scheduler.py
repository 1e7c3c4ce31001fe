"""Plain processes as a scheduler: real jobs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerSilent
from hpc.jobs import JobSpec, JobState
from hpc.schedulers.local import PROGRAM, LocalScheduler
from hpc.schedulers.registry import scheduler_for
from hpc.transports.local import LocalTransport
from tests.hpc.local_jobs import SLEEP, Jobs, eventually, is_running


@pytest.fixture
def jobs(local_system: SystemClient, tmp_path: Path) -> Jobs:
    return Jobs(local_system, tmp_path)


def test_a_job_that_succeeds(jobs: Jobs) -> None:
    job_id = jobs.submit(
        "#!/bin/sh\necho out; echo err >&2; pwd; echo $CENTRO_JOB_ID.$CENTRO_RESTARTS "
        "$CENTRO_CPUS $CENTRO_MEMORY_MB; umask\n", cpus=3, memory_mb=500, stdout="log.%j",
    )
    job = jobs.wait(job_id, JobState.COMPLETED)
    assert (job.name, job.exit_code, job.workdir, job.queue) == ("ckey", 0, str(jobs.folder), "local")
    assert job.submit_time and job.start_time and job.end_time
    assert job.submit_time <= job.start_time <= job.end_time
    mask = subprocess.run(["sh", "-c", "umask"], capture_output=True, text=True, check=True).stdout
    assert (jobs.folder / f"log.{job_id}").read_text() == (
        f"out\nerr\n{jobs.folder}\n{job_id}.0 3 500\n{mask}"
    )


def test_a_job_that_fails(jobs: Jobs) -> None:
    job = jobs.wait(jobs.submit("#!/bin/sh\nexit 3\n"), JobState.FAILED)
    assert job.exit_code == 3


def test_the_script_of_the_moment_counts(jobs: Jobs) -> None:
    blocker = [jobs.submit(SLEEP, name=f"b{n}") for n in range(2)]
    job_id = jobs.submit("#!/bin/sh\necho first > told\n", name="later")
    (jobs.folder / "later.sh").write_text("#!/bin/sh\necho second > told\n")
    jobs.client.run(jobs.client.scheduler.cancel(blocker))
    jobs.wait(job_id, JobState.COMPLETED)
    assert (jobs.folder / "told").read_text() == "first\n"


def test_slots_and_order(jobs: Jobs) -> None:
    ids = [jobs.submit("#!/bin/sh\necho $CENTRO_JOB_ID >> order; sleep 0.3\n") for _ in range(6)]
    states = [job.state for job in jobs.all().values()]
    assert sum(state is JobState.RUNNING for state in states) <= 2
    for job_id in ids:
        jobs.wait(job_id, JobState.COMPLETED)
    started = (jobs.folder / "order").read_text().split()
    assert sorted(started) == sorted(ids)
    assert started[0] in ids[:2]
    assert {job.reason for job in jobs.all().values()} == {""}


def test_cancel_running_waiting_and_ended(jobs: Jobs) -> None:
    ended = jobs.submit("#!/bin/sh\ntrue\n", name="ended")
    jobs.wait(ended, JobState.COMPLETED)
    running = [jobs.submit(SLEEP, name=f"run{n}") for n in range(2)]
    for job_id in running:
        jobs.wait(job_id, JobState.RUNNING)
    waiting = jobs.submit("#!/bin/sh\n: > ran\n", name="wait")
    assert jobs.all()[waiting].state is JobState.QUEUED
    for _ in range(2):  # idempotent
        jobs.client.run(jobs.client.scheduler.cancel([waiting, running[0], ended, "999999"]))
    assert jobs.wait(waiting, JobState.CANCELLED).start_time is None
    assert jobs.wait(running[0], JobState.CANCELLED).start_time is not None
    assert jobs.all()[ended].state is JobState.COMPLETED
    assert jobs.all()[running[1]].state is JobState.RUNNING
    assert not (jobs.folder / "ran").exists()


def test_cancel_reaches_every_process_of_the_job(jobs: Jobs) -> None:
    script = "#!/bin/sh\ntrap '' TERM\nsleep 300 & echo $! > child\nwhile :; do sleep 1; done\n"
    job_id = jobs.submit(script)
    eventually(lambda: (jobs.folder / "child").exists() and (jobs.folder / "child").read_text() != "")
    child = int((jobs.folder / "child").read_text())
    jobs.client.run(jobs.client.scheduler.cancel([job_id]))
    job = jobs.wait(job_id, JobState.CANCELLED)  # it ignores TERM, so this took KILL
    assert job.exit_code == 128 + signal.SIGKILL
    eventually(lambda: not is_running(child))


def test_what_a_job_leaves_behind_ends_with_it(jobs: Jobs) -> None:
    job_id = jobs.submit("#!/bin/sh\nsleep 300 & echo $! > child\n")
    jobs.wait(job_id, JobState.COMPLETED)
    eventually(lambda: not is_running(int((jobs.folder / "child").read_text())))


def test_walltime(jobs: Jobs) -> None:
    job_id = jobs.submit(SLEEP, walltime=timedelta(seconds=1))
    job = jobs.wait(job_id, JobState.TIMEOUT)
    assert job.walltime == timedelta(seconds=1)
    assert job.elapsed is not None


def test_no_process_stays_behind(jobs: Jobs) -> None:
    ids = [jobs.submit("#!/bin/sh\ntrue\n", walltime=timedelta(hours=9)) for _ in range(3)]
    for job_id in ids:
        jobs.wait(job_id, JobState.COMPLETED)

    def left() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # processes come and go while we look
                if str(jobs.spool).encode() in path.read_bytes():
                    return True
        return False

    eventually(lambda: not left())


def test_find_by_name(jobs: Jobs) -> None:
    job_id = jobs.submit(SLEEP, name="ckey1")
    jobs.submit(SLEEP, name="ckey12")

    def call(text: str) -> CommandResult:
        functions = jobs.client.scheduler.find_functions
        return jobs.client.run(Command(("/bin/sh", "-c", functions + text), lambda r: r))

    assert call("centro_find ckey1").text == f"{job_id}\n"
    assert call("centro_find nothing").text == ""
    assert call("centro_find_past ckey1").text == ""
    assert call(f"centro_cancel ckey12 {job_id}").exit_code == 0  # the wrong name
    assert jobs.all()[job_id].state in (JobState.QUEUED, JobState.RUNNING)
    assert call(f"centro_cancel ckey1 {job_id}").exit_code == 0
    jobs.wait(job_id, JobState.CANCELLED)
    assert call(f"centro_cancel ckey1 {job_id}").exit_code == 0
    assert call("centro_cancel ckey1 999999").exit_code == 0
    assert call("centro_find ckey1").text == f"{job_id}\n"


def test_find_where_nothing_was_ever_submitted(jobs: Jobs) -> None:
    functions = jobs.client.scheduler.find_functions
    command = Command(("/bin/sh", "-c", functions + "centro_find x && centro_find_past x"), lambda r: r)
    answer = jobs.client.run(command)
    assert (answer.exit_code, answer.text, jobs.all()) == (0, "", {})


def test_history(jobs: Jobs) -> None:
    first, second = jobs.submit("#!/bin/sh\nexit 2\n"), jobs.submit(SLEEP)
    jobs.wait(first, JobState.FAILED)
    jobs.wait(second, JobState.RUNNING)
    found = jobs.client.run(jobs.client.scheduler.history([first, second, "999999"]))
    assert set(found) == {first, second}
    assert (found[first][-1].state, found[first][-1].exit_code) == (JobState.FAILED, 2)
    assert found[first][-1].source == "accounting"
    assert jobs.client.run(jobs.client.scheduler.history([])) == {}


def test_ended_jobs_leave_the_list_and_stay_in_history(jobs: Jobs) -> None:
    old = jobs.submit("#!/bin/sh\ntrue\n", name="old")
    jobs.wait(old, JobState.COMPLETED)
    end = jobs.spool / old / "end"
    long_ago = int(time.time()) - 1000
    end.write_text(f"COMPLETED 0 {long_ago}\n")
    os.utime(end, (long_ago, long_ago))
    assert old not in jobs.all()
    assert jobs.client.run(jobs.client.scheduler.history([old]))[old][-1].state is JobState.COMPLETED
    new = jobs.submit("#!/bin/sh\ntrue\n", name="new")
    jobs.wait(new, JobState.COMPLETED)
    past = jobs.spool / "past" / old
    eventually(past.exists)  # the end of a job tidies up
    assert int(new) > int(old)
    assert jobs.client.run(jobs.client.scheduler.history([old]))[old][-1].state is JobState.COMPLETED
    functions = jobs.client.scheduler.find_functions
    command = Command(("/bin/sh", "-c", functions + "centro_find old; centro_find_past old"), lambda r: r)
    assert jobs.client.run(command).text == f"{old}\n"


def test_ids_are_not_used_again(jobs: Jobs) -> None:
    first = jobs.submit("#!/bin/sh\ntrue\n")
    jobs.wait(first, JobState.COMPLETED)
    (jobs.spool / ".last").unlink()
    assert int(jobs.submit("#!/bin/sh\ntrue\n")) == int(first) + 1


def test_refused_submissions(jobs: Jobs) -> None:
    missing = jobs.ask("#!/bin/sh\n", workdir="/nonexistent/folder")
    no_interpreter = jobs.ask("echo hi\n")
    (jobs.folder / "gone.sh").touch()
    argv = jobs.client.scheduler.submit_argv(
        JobSpec("k", str(jobs.folder / "no-such.sh"), str(jobs.folder))
    )
    no_script = jobs.client.run(Command(argv, lambda r: r))
    for answer, word in ((missing, "does not exist"), (no_interpreter, "#!"), (no_script, "read")):
        assert answer.exit_code == 1
        assert word in answer.error_text
        assert re.search(jobs.client.scheduler.submit_errors.rejected, answer.error_text)
        assert not re.search(jobs.client.scheduler.submit_errors.transient, answer.error_text)
    assert jobs.all() == {}


def test_a_spool_that_cannot_be_written_passes_later(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    scheduler = scheduler_for("local", {"spool": str(tmp_path / "file" / "spool")})
    (tmp_path / "s.sh").write_text("#!/bin/sh\n")
    with LocalTransport() as transport:
        answer = transport.run(
            scheduler.submit_argv(JobSpec("k", str(tmp_path / "s.sh"), str(tmp_path)))
        )
    assert answer.exit_code == 1
    assert re.search(scheduler.submit_errors.rejected, answer.error_text)


def test_an_output_file_that_cannot_be_made(jobs: Jobs) -> None:
    job_id = jobs.submit("#!/bin/sh\n: > ran\n", stdout="/nonexistent/folder/out")
    jobs.wait(job_id, JobState.LAUNCH_FAILED)
    assert not (jobs.folder / "ran").exists()


def test_a_working_directory_that_went_away(jobs: Jobs) -> None:
    blocker = [jobs.submit(SLEEP, name=f"b{n}") for n in range(2)]
    workdir = jobs.folder / "w"
    workdir.mkdir()
    job_id = jobs.submit("#!/bin/sh\ntrue\n", workdir=str(workdir))
    shutil.rmtree(workdir)
    jobs.client.run(jobs.client.scheduler.cancel(blocker))
    jobs.wait(job_id, JobState.LAUNCH_FAILED)


@pytest.mark.parametrize("fields", [
    {"queue": "part01"}, {"account": "a"}, {"qos": "q"}, {"reservation": "r"}, {"gpus": 1},
    {"nodes": 2}, {"tasks": 2}, {"native": (("x", "y"),)},
])
def test_what_plain_processes_do_not_have(fields: dict) -> None:
    with pytest.raises(NotSupported, match="local"):
        LocalScheduler().submit_argv(JobSpec("k", "/s", "/w", **fields))


@pytest.mark.parametrize("fields", [
    {"name": ""}, {"name": "a\nb"}, {"workdir": "relative"}, {"stdout": ""},
    {"walltime": timedelta(0)}, {"script_path": "a\x1fb"},
])
def test_senseless_jobs(fields: dict) -> None:
    given = {"name": "k", "script_path": "/s", "workdir": "/w", **fields}
    with pytest.raises(ValueError):
        LocalScheduler().submit_argv(JobSpec(**given))


def test_odd_names_of_everything(jobs: Jobs) -> None:
    odd = "a b'c\"$(touch pwned)`id`*\\ é"
    folder = jobs.folder / odd
    folder.mkdir()
    path = folder / "s.sh"
    path.write_text("#!/bin/sh\npwd\n")
    argv = jobs.client.scheduler.submit_argv(JobSpec(odd, str(path), str(folder), stdout=f"{odd} %j"))
    job_id = jobs.client.run(Command(argv, lambda r: r.text.strip()))
    job = jobs.wait(job_id, JobState.COMPLETED)
    assert (job.name, job.workdir) == (odd, str(folder))
    assert (folder / f"{odd} {job_id}").read_text() == f"{folder}\n"
    assert not list(jobs.folder.rglob("pwned"))


@pytest.mark.parametrize("text", [
    "1\x1fRUNNING", "1\x1fRUNNING\n", "x" + "\x1f" * 13 + ".\n", "1" + "\x1f" * 13 + "\n",
    "1" + "\x1f" * 14 + ".\n",
])
def test_a_broken_list_is_no_answer(text: str) -> None:
    with pytest.raises(IncompleteAnswer):
        LocalScheduler().parse_active(text, 0, "")


def test_a_list_that_failed_is_no_answer() -> None:
    with pytest.raises(SchedulerSilent, match="HOME"):
        LocalScheduler().parse_active("", 2, "HOME: parameter not set")


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_program_reads_the_same_in_every_shell(shell: str) -> None:
    answer = subprocess.run([shell, "-n"], input=PROGRAM, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_load_and_ping(jobs: Jobs) -> None:
    assert jobs.client.run(jobs.client.scheduler.queues())[0].cpus_idle == 2
    jobs.wait(jobs.submit(SLEEP), JobState.RUNNING)
    (queue,) = jobs.client.run(jobs.client.scheduler.queues())
    assert (queue.name, queue.cpus_total, queue.cpus_idle) == ("local", 2, 1)
    assert "1 of 2 slots free" in jobs.client.run(jobs.client.scheduler.ping())
