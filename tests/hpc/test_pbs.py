"""PBS: recorded answers of OpenPBS read by our own commands, and its stand-in driven over SSH."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.errors import HpcError, IncompleteAnswer, NotSupported, SchedulerError, SchedulerSilent
from hpc.jobs import JobInfo, JobSpec, JobState
from hpc.preflight import reading
from hpc.preflight.asking import look
from hpc.schedulers.base import SchedulerConfig
from hpc.schedulers.pbs import PbsScheduler
from hpc.schedulers.pbs_parse import parse_jobs, state_of
from hpc.schedulers.pbs_tables import ROWS, SUBMIT_ERRORS
from tests.hpc.recordings import recorded

SPEC = JobSpec(name="c123", script_path="job.sh", workdir="/w", stdout="job.%j.out")


def openpbs(name: str) -> CommandResult:
    return recorded(name, "openpbs")


def rows(text: bytes, split_by: str) -> list[JobInfo]:
    """The recorded list as our awk program and parser read it."""
    answer = subprocess.run(
        ["awk", "-v", f"split_by={split_by}", ROWS], input=text, capture_output=True, check=True
    )
    return parse_jobs(answer.stdout.decode(errors="surrogateescape"), "accounting", "openpbs")


def history_of_all() -> dict[str, JobInfo]:
    return {job.job_id: job for job in rows(openpbs("end-all-dsv").stdout, "[|]~[|]")}


@pytest.mark.parametrize(
    ("name", "state", "code", "signal"),
    [
        ("x-exit0", JobState.COMPLETED, 0, None),
        ("x-exit3", JobState.FAILED, 3, None),
        ("x-segv", JobState.FAILED, 139, 11),
        ("x-exit255", JobState.FAILED, 255, 127),
        ("x-walltime", JobState.TIMEOUT, None, None),
        ("x-walltime-stubborn", JobState.TIMEOUT, None, None),
        ("depbase", JobState.CANCELLED, 143, 15),
        ("held", JobState.CANCELLED, None, None),
        ("dep", JobState.CANCELLED, None, None),
        ("impossible", JobState.CANCELLED, None, None),
        ("badout", JobState.COMPLETED, 0, None),
        ("empty.sh", JobState.FAILED, 127, None),
    ],
)
def test_how_recorded_jobs_ended(
    name: str, state: JobState, code: int | None, signal: int | None
) -> None:
    job = next(job for job in history_of_all().values() if job.name == name)
    assert (job.state, job.exit_code, job.signal) == (state, code, signal)


def test_a_recorded_row_in_full() -> None:
    job = history_of_all()["5"]
    assert (job.name, job.user, job.queue, job.source) == ("named", "test1", "short", "accounting")
    assert job.native_state == "F/92/0"
    assert job.submit_time == datetime(2026, 11, 22, 1, 42, 48, tzinfo=UTC)
    assert job.start_time and job.end_time and job.end_time >= job.start_time
    assert (job.nodes, job.cpus, job.restarts) == ("pbs01", 2, 0)


def test_every_recorded_job_has_a_known_state() -> None:
    jobs = history_of_all()
    assert len(jobs) > 30
    assert all(job.state.is_final or job.state.is_active or job.state.is_waiting for job in jobs.values())
    assert JobState.UNKNOWN not in {job.state for job in jobs.values()}


def test_a_running_job_among_odd_separators() -> None:
    (job,) = rows(openpbs("qstat-f-dsv-D").stdout, "#~#")
    assert (job.job_id, job.state, job.exit_code, job.reason) == ("9", JobState.RUNNING, None, "")
    assert job.elapsed == timedelta(minutes=1, seconds=4)


def test_a_separator_within_a_value_makes_no_field() -> None:
    text = openpbs("weird-v-pipe-dsv-D").stdout.replace(b"p\\|~|q", b"p\\|~|job_state=R\\|~|Exit_status=0")
    (job,) = rows(text, "[|]~[|]")
    assert (job.state, job.name) == (JobState.HELD, "dsvpipe")
    assert job.reason == "held by its user"


def test_bytes_that_are_not_utf8_do_no_harm() -> None:
    text = openpbs("weird-v-pipe-dsv-D").stdout.replace(b"A=x|y", b"A=\xff\xfe")
    assert [job.job_id for job in rows(text, "[|]~[|]")] == ["7120"]


def test_torque_rows() -> None:
    text = b"""Job Id: 12.head.example
    Job_Name = c123
    Job_Owner = alice@head
    resources_used.walltime = 00:00:07
    job_state = C
    queue = batch
    ctime = Sun Nov 22 01:42:49 2026
    exec_host = n1/0+n1/1+n2/0
    Resource_List.walltime = 01:00:00
    exit_status = 271
    start_time = Sun Nov 22 01:42:50 2026
    comp_time = Sun Nov 22 01:42:57 2026

"""
    (line,) = rows(text, "")
    assert (line.job_id, line.user, line.nodes) == ("12", "alice", "n1,n2")
    assert line.state is JobState.CANCELLED
    assert line.end_time == datetime(2026, 11, 22, 1, 42, 57, tzinfo=UTC)


@pytest.mark.parametrize(
    ("letter", "substate", "code", "dialect", "state"),
    [
        ("Q", "10", "-20", "openpbs", JobState.QUEUED),
        ("W", "", "", "openpbs", JobState.QUEUED),
        ("E", "51", "0", "openpbs", JobState.COMPLETING),
        ("B", "70", "0", "openpbs", JobState.RUNNING),
        ("S", "43", "", "openpbs", JobState.SUSPENDED),
        ("M", "", "", "openpbs", JobState.UNKNOWN),
        ("F", "93", "-27", "openpbs", JobState.OUT_OF_MEMORY),
        ("F", "93", "-20", "openpbs", JobState.NODE_FAIL),
        ("F", "93", "-2", "openpbs", JobState.LAUNCH_FAILED),
        ("F", "91", "0", "openpbs", JobState.CANCELLED),
        ("F", "93", "271", "openpbs", JobState.FAILED),
        ("X", "92", "0", "openpbs", JobState.COMPLETED),
        ("C", "", "271", "torque", JobState.CANCELLED),
        ("C", "", "-11", "torque", JobState.TIMEOUT),
        ("C", "", "-10", "torque", JobState.OUT_OF_MEMORY),
        ("C", "", "-1", "torque", JobState.LAUNCH_FAILED),
        ("C", "", "5", "torque", JobState.FAILED),
    ],
)
def test_states(letter: str, substate: str, code: str, dialect: str, state: JobState) -> None:
    assert state_of(letter, substate, code, dialect) is state


@pytest.mark.parametrize("text", ["1\x1fR/42/\x1fcut", "1\x1fR\n", "\x1f" * 18 + ".\n"])
def test_a_row_that_is_cut_is_no_answer(text: str) -> None:
    with pytest.raises(IncompleteAnswer):
        parse_jobs(text, "queue", "openpbs")


@pytest.mark.parametrize(
    ("name", "transient"),
    [
        ("qsub-err-queue", False), ("qsub-err-acl", False), ("qsub-err-disabled", False),
        ("qsub-err-resource", False), ("qsub-err-select-syntax", False), ("qsub-err-walltime-max", False),
        ("qsub-err-nofile", False), ("qsub-err-name-char", False), ("qsub-err-root", False),
        ("qsub-dos", False), ("qsub-err-array-size", False), ("qsub-err-option", False),
        ("qsub-err-limit", True), ("svr-down-qsub", True), ("err-conf", True), ("err-server-name", True),
        ("err-iff-not-setuid-qsub", True),
    ],
)  # fmt: skip
def test_refused_submissions_are_told_from_unknown_ones(name: str, transient: bool) -> None:
    text = openpbs(name).error_text
    assert re.search(SUBMIT_ERRORS.rejected, text)
    assert bool(re.search(SUBMIT_ERRORS.transient, text)) is transient


def test_a_hung_server_leaves_the_outcome_unknown() -> None:
    assert not re.search(SUBMIT_ERRORS.rejected, openpbs("svr-hung-qsub").error_text)


@pytest.mark.parametrize(
    ("fields", "dialect", "expected"),
    [
        ({"walltime": timedelta(hours=30), "queue": "q"}, "openpbs", ["-q q", "-l walltime=30:00:00"]),
        ({"cpus": 4, "memory_mb": 500}, "openpbs", ["-l select=1:ncpus=4:mem=500mb"]),
        ({"nodes": 2, "tasks": 5, "cpus": 2}, "pbspro", ["-l select=2:ncpus=6:mpiprocs=3"]),
        ({"gpus": 1, "account": "a1"}, "openpbs", ["-A a1", "-l select=1:ncpus=1:ngpus=1"]),
        ({"nodes": 2, "cpus": 4, "memory_mb": 10}, "torque", ["-l nodes=2:ppn=4", "-l mem=20mb"]),
        ({"native": (("place", "scatter"), ("select", "2:ncpus=1"))}, "openpbs",
         ["-l place=scatter", "-l select=2:ncpus=1"]),
        ({"reservation": "R1"}, "openpbs", ["-q R1"]),
        ({}, "openpbs", ["-N c123", "-r n", "-S /bin/sh", "-j oe", "-o /w/job.out"]),
    ],
)  # fmt: skip
def test_the_submit_command(fields: dict, dialect: str, expected: list[str]) -> None:
    scheduler = PbsScheduler(SchedulerConfig("/opt/pbs/bin", {"dialect": dialect}))
    argv = scheduler.submit_argv(replace(SPEC, **fields))
    line = " ".join(argv)
    assert argv[0] == "/opt/pbs/bin/qsub" and argv[-1] == "job.sh"
    for part in expected:
        assert part in line


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "1abc"}, {"name": "a b"}, {"name": "a" * 16}, {"workdir": ""}, {"script_path": "-x"},
        {"queue": "q;x"}, {"account": "a,b"}, {"walltime": timedelta(0)}, {"cpus": 0}, {"memory_mb": -1},
        {"native": (("W", "x"),)}, {"native": (("place", "x y"),)},
    ],
)  # fmt: skip
def test_what_pbs_would_misread_is_refused(fields: dict) -> None:
    with pytest.raises(ValueError):
        PbsScheduler().submit_argv(replace(SPEC, **fields))


def test_qos_and_unknown_dialects_are_refused() -> None:
    with pytest.raises(NotSupported):
        PbsScheduler().submit_argv(replace(SPEC, qos="high"))
    with pytest.raises(ValueError, match="openpbs, pbspro, torque"):
        PbsScheduler(SchedulerConfig(options={"dialect": "lsf"}))


# ------------------------------------------------------------------- the stand-in over SSH


def submit(system: SystemClient, folder: str, script: str, **fields: object) -> str:
    system.write(f"{folder}/job.sh", script.encode(), 0o700)
    given: dict = {"name": "c9", "script_path": f"{folder}/job.sh", "workdir": folder, **fields}
    answer = system.run(Command(system.scheduler.submit_argv(JobSpec(**given)), lambda r: r))
    assert answer.exit_code == 0, answer.error_text
    return answer.text.strip().split(".")[0]


def wait(system: SystemClient, job_id: str, check: Callable[[JobInfo], bool]) -> JobInfo:
    until = time.monotonic() + 60
    while True:
        job = system.run(system.scheduler.history([job_id]))[job_id][-1]
        if check(job):
            return job
        assert time.monotonic() < until, job
        time.sleep(0.2)


@pytest.fixture
def folder(pbs_system: SystemClient) -> Iterator[str]:
    made = pbs_system.run(
        Command(("mktemp", "-d", "/tmp/centro-far-XXXXXX"), lambda r: r.text.strip())
    )
    yield made
    pbs_system.run(Command(("rm", "-rf", "--", made), lambda r: r))


def ends(job: JobInfo) -> bool:
    return job.state.is_final


def test_ends_by_exit_code_and_wall_time(pbs_system: SystemClient, folder: str) -> None:
    ids = [submit(pbs_system, folder, f"#!/bin/sh\nexit {code}\n") for code in (0, 7)]
    limited = submit(pbs_system, folder, "sleep 300\n", walltime=timedelta(seconds=1))
    assert wait(pbs_system, ids[0], ends).state is JobState.COMPLETED
    failed = wait(pbs_system, ids[1], ends)
    assert (failed.state, failed.exit_code) == (JobState.FAILED, 7)
    late = wait(pbs_system, limited, ends)
    assert (late.state, late.exit_code) == (JobState.TIMEOUT, None)
    assert "exceeded resource walltime" in late.reason


def test_hold_release_and_delete(pbs_system: SystemClient, folder: str) -> None:
    stopped = submit(pbs_system, folder, "sleep 300\n", queue="stopped")
    scheduler = pbs_system.scheduler
    waiting = wait(pbs_system, stopped, lambda job: True)
    assert (waiting.state, waiting.reason) == (JobState.QUEUED, "Not Running: Queue not started.")
    pbs_system.run(scheduler.hold([stopped]))
    assert wait(pbs_system, stopped, lambda job: job.state is JobState.HELD).job_id == stopped
    pbs_system.run(scheduler.release([stopped]))
    wait(pbs_system, stopped, lambda job: job.state is JobState.RUNNING)
    pbs_system.run(scheduler.cancel([stopped]))
    wait(pbs_system, stopped, lambda job: job.state is JobState.CANCELLED)
    pbs_system.run(scheduler.cancel([stopped, "999"]))


def test_history_off(pbs_system: SystemClient, pbs_bin: Path, folder: str) -> None:
    job_id = submit(pbs_system, folder, "true\n", name="c77")
    wait(pbs_system, job_id, ends)
    (pbs_bin / "state" / "nohistory").touch()
    with pytest.raises(NotSupported, match="history"):
        pbs_system.run(pbs_system.scheduler.history([job_id]))
    text = pbs_system.scheduler.find_functions + "centro_find_past c77; echo code $?"
    answer = pbs_system.run(Command(("/bin/sh", "-c", text), lambda r: r))
    assert (answer.text, answer.error_text) == ("code 0\n", "")


@pytest.mark.parametrize("fault", ["down", "unauthenticated"])
def test_an_outage_is_silence_not_absence(
    pbs_system: SystemClient, pbs_bin: Path, folder: str, fault: str
) -> None:
    job_id = submit(pbs_system, folder, "sleep 300\n")
    (pbs_bin / "state" / fault).touch()
    scheduler = pbs_system.scheduler
    for command in (
        scheduler.active(pbs_system.username), scheduler.history([job_id]), scheduler.cancel([job_id]),
        scheduler.queues(), scheduler.nodes(), scheduler.ping(),
    ):  # fmt: skip
        with pytest.raises(SchedulerSilent):
            pbs_system.run(command)
    for verb in ("centro_find c9", "centro_find_past c9", f"centro_cancel c9 {job_id}"):
        answer = pbs_system.run(
            Command(("/bin/sh", "-c", f"{scheduler.find_functions}{verb}"), lambda r: r)
        )
        assert answer.exit_code != 0 and not answer.text
    (pbs_bin / "state" / fault).unlink()
    pbs_system.run(scheduler.cancel([job_id]))
    wait(pbs_system, job_id, ends)


def test_an_array_is_one_job_with_brackets(pbs_system: SystemClient, folder: str) -> None:
    pbs_system.write(f"{folder}/job.sh", b"sleep 300\n", 0o700)
    qsub = pbs_system.scheduler.executable("qsub")
    argv = (qsub, "-N", "c5", "-J", "0-2", f"{folder}/job.sh")
    printed = pbs_system.run(Command(argv, lambda r: r.text.strip()))
    assert printed.endswith("[].pbs01")
    number = printed.split("[")[0]
    jobs = {job.job_id: job for job in pbs_system.run(pbs_system.scheduler.active("x"))}
    assert jobs[f"{number}[]"].state is JobState.RUNNING
    pbs_system.run(pbs_system.scheduler.cancel([number]))


def test_nodes_and_queues(pbs_system: SystemClient) -> None:
    (node,) = pbs_system.run(pbs_system.scheduler.nodes())
    assert (node.name, node.cpus_total, node.memory_mb) == ("pbs01", 8, 24105)
    queues = {queue.name: queue for queue in pbs_system.run(pbs_system.scheduler.queues())}
    assert queues["workq"].is_default and queues["workq"].cpus_idle == 8
    assert queues["short"].walltime_limit == timedelta(minutes=10)
    assert [queues[name].state for name in ("workq", "disabled", "stopped")] == [
        "up", "closed", "stopped"
    ]  # fmt: skip


def test_a_look_before_a_submission(pbs_system: SystemClient, folder: str) -> None:
    parts = pbs_system.run(look(pbs_system.scheduler, SPEC, paths=[], workdir=folder, seconds=20))
    queues = {queue.name: queue for queue in reading.pbs_queues(parts["queues"].output)}
    assert parts["queues"].code == 0 and queues["workq"].is_default
    assert not queues["stopped"].is_up and not queues["priv"].lets_in("test1")


def test_slurms_imitations_are_recognised(pbs_system: SystemClient, pbs_bin: Path) -> None:
    assert "pbs_version = 23.06.06" in pbs_system.run(pbs_system.scheduler.ping())
    wrapper = recorded("qstat-version", "torque-wrappers")
    shutil.copy(pbs_bin / "qstat", pbs_bin / "qstat.kept")
    (pbs_bin / "answer").write_bytes(wrapper.stdout + wrapper.stderr)
    (pbs_bin / "qstat").write_text(f"#!/bin/sh\ncat {pbs_bin}/answer\nexit {wrapper.exit_code}\n")
    with pytest.raises(SchedulerError, match="scheduler slurm"):
        pbs_system.run(pbs_system.scheduler.ping())


def test_torque_says_what_it_lacks() -> None:
    torque = PbsScheduler(SchedulerConfig(options={"dialect": "torque"}))
    for call in (torque.nodes, torque.queues):
        with pytest.raises(HpcError):
            call()
    assert "return 0;" in torque.find_functions
