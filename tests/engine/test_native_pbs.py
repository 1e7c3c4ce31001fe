"""Job scripts of their owners' own on PBS: the engine's steps on the stand-in commands, as plain commands here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from hpc.protocol import scripts
from pipeline_management.choices import Attention, Reason, RunState
from pipeline_management.models import ApiTask, Run, SystemAccount
from pipeline_management.services import cancellation, native_jobs, native_lookup
from pipeline_management.services.native_jobs import JobRequest
from tests.factories import make_account, make_system, make_user
from tests.firecrest.jobs import follow
from tests.lab.pbs import install

pytestmark = pytest.mark.django_db


@pytest.fixture
def pbs(tmp_path: Path) -> Path:
    """The directory of the commands; files in ``state`` there make faults."""
    return install(tmp_path / "pbs")


@pytest.fixture
def account(
    pbs: Path, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SystemAccount]:
    settings.CENTRO_SETTLE_SECONDS = 1
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield make_account(make_system(scheduler="pbs", scheduler_options={"bin_dir": str(pbs)}))
    left = subprocess.run(
        [pbs / "qselect"], capture_output=True, text=True, check=False
    ).stdout.split()
    if left:
        subprocess.run([pbs / "qdel", *left], check=False)


def submit(where: SystemAccount, script: str, **fields: Any) -> tuple[ApiTask, Run]:
    """Submit a script; its task and run."""
    request = JobRequest(file="job.sh", content=script.encode(), **fields)
    task = native_jobs.submit(user=make_user(), account=where, request=request)
    return ApiTask.objects.get(pk=task.pk), Run.objects.get(api_tasks=task)


def jobs(pbs: Path) -> list[str]:
    """All jobs, past and present."""
    found = subprocess.run([pbs / "qselect", "-x"], capture_output=True, text=True, check=True)
    return found.stdout.split()


def test_a_job_that_ends_well_and_its_files(account: SystemAccount) -> None:
    task, run = submit(
        account, "#!/bin/sh\ncd $PBS_O_WORKDIR; echo out; echo err >&2; pwd > here\n"
    )
    assert task.status == "200", task.data
    assert (task.data["jobid"], run.job_id, run.name) == (1, "1", "job.sh")
    assert task.data["job_file_out"] == f"{run.directory}/job.sh.o1"
    assert task.data["job_file_err"] == f"{run.directory}/job.sh.e1"
    assert task.data["job_info_extra"] == "Job info returned successfully"
    follow(run)
    assert (run.state, run.exit_code, run.confirmed_source) == ("succeeded", 0, "accounting")
    assert {log.stream: bytes(log.data) for log in run.logs.all()} == {
        "stdout": b"out\n",
        "stderr": b"err\n",
    }
    assert (Path(run.directory) / "here").read_text() == f"{run.directory}\n"


def test_the_scripts_own_directives(account: SystemAccount) -> None:
    script = (
        "#!/bin/sh\n#PBS -N fine.name\n#PBS -j oe\n#PBS -o res.txt\n#PBS -l walltime=00:05:00\n"
    )
    task, run = submit(account, script + "echo out; echo err >&2\n")
    assert run.name == "fine.name"
    assert task.data["job_file_out"] == task.data["job_file_err"] == f"{run.directory}/res.txt"
    follow(run)
    assert (run.state, Path(run.directory, "res.txt").read_text()) == ("succeeded", "out\nerr\n")


def test_what_is_asked_for_replaces_directives(account: SystemAccount, pbs: Path) -> None:
    script = "#PBS -N theirs\n#PBS -q stopped\ntest \"$A\" = 'a,b c'\n"
    _, run = submit(
        account, script, name="two\nlines", queue="short", walltime=timedelta(seconds=90),
        tasks=1, account="bio", environment={"A": "a,b c"}, stdout="job-%j.out", stderr="job-%j.err",
    )  # fmt: skip
    assert run.name == "two_lines"
    assert run.job_files["stdout"] == f"{run.directory}/job.out"
    assert run.job_files["stderr"] == f"{run.directory}/job.err"
    follow(run)
    assert (run.state, run.exit_code) == ("succeeded", 0)
    assert Path(run.job_files["stderr"]).read_text() == ""
    told = subprocess.run(
        [pbs / "qstat", "-x", "-f", "1"], capture_output=True, text=True, check=True
    ).stdout
    for said in ("queue=short", "Account_Name=bio", "Resource_List.walltime=00:01:30"):
        assert said in told


@pytest.mark.parametrize(
    ("script", "reason", "code"),
    [
        ("exit 3\n", Reason.EXIT_NONZERO, 3),
        ("#PBS -l walltime=1\nsleep 60\n", Reason.TIMEOUT, None),
    ],
)
def test_a_job_that_fails(
    account: SystemAccount, script: str, reason: Reason, code: int | None
) -> None:
    _, run = submit(account, script)
    follow(run)
    assert (run.state, run.reason, run.exit_code) == ("failed", reason, code)


def test_cancelled_on_request(account: SystemAccount) -> None:
    _, run = submit(account, "sleep 300\n")
    follow(run, RunState.RUNNING)
    cancellation.request_cancel(run=run, user=run.submitter)
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_BY_USER)


def test_a_refusal_in_pbs_own_words(account: SystemAccount, pbs: Path) -> None:
    task, run = submit(account, "#PBS -q nosuch\ntrue\n")
    assert (task.status, run.state, run.reason) == ("400", "failed", Reason.SUBMIT_REJECTED)
    assert "qsub: Unknown queue" in task.data
    assert jobs(pbs) == []


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test kill the submitting shell at a point of its program."""
    scripts.program.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    scripts.program.cache_clear()


@pytest.mark.parametrize("history", [True, False])
def test_a_lost_answer_is_looked_up_and_never_submitted_again(
    account: SystemAccount, pbs: Path, armed: pytest.MonkeyPatch, history: bool
) -> None:
    if not history:
        (pbs / "state" / "nohistory").touch()
    submit(account, "sleep 30\n")  # another job of the same user, with a lower id
    scripts.program.cache_clear()
    armed.setenv("CENTRO_TEST_FAULT", "N2")
    task, run = submit(account, "true\n" if history else "sleep 2\n")
    armed.delenv("CENTRO_TEST_FAULT")
    assert (task.status, run.state, run.job_id) == ("100", RunState.SUBMITTING, "")
    follow(run, RunState.SUBMITTED, RunState.RUNNING, RunState.SUCCEEDED)
    assert (run.job_id, run.attempts.get().found_by) == ("2", "found")
    task.refresh_from_db()
    assert (task.status, task.data["job_file_out"]) == ("200", f"{run.directory}/job.sh.o2")
    (pbs / "state" / "nohistory").unlink(missing_ok=True)
    assert jobs(pbs) == ["1.pbs01", "2.pbs01"]


def test_what_never_reached_pbs_was_not_submitted(
    account: SystemAccount, pbs: Path, armed: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N1")
    task, run = submit(account, "true\n")
    armed.delenv("CENTRO_TEST_FAULT")
    follow(run)
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SUBMIT_REJECTED)
    task.refresh_from_db()
    assert task.status == "400" and "was not submitted" in task.data
    assert jobs(pbs) == []


def test_a_server_that_is_down_is_a_refusal_before_anything_was_sent(
    account: SystemAccount, pbs: Path
) -> None:
    (pbs / "state" / "down").touch()
    task, run = submit(account, "true\n")
    assert (task.status, run.state) == ("400", "failed")
    assert "Connection refused" in task.data
    (pbs / "state" / "down").unlink()
    assert jobs(pbs) == []


def test_a_server_that_is_down_settles_nothing(
    account: SystemAccount, pbs: Path, armed: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N2")
    _, run = submit(account, "true\n")
    armed.delenv("CENTRO_TEST_FAULT")
    (pbs / "state" / "down").touch()
    long_ago = timezone.now() - timedelta(minutes=5)
    Run.objects.filter(pk=run.pk).update(missing_since=long_ago, next_at=long_ago)
    native_lookup.look_up_due(account.pk)
    run.refresh_from_db()
    assert (run.state, run.attention) == (RunState.SUBMITTING, Attention.SUBMIT_UNKNOWN)
    (pbs / "state" / "down").unlink()
    Run.objects.filter(pk=run.pk).update(next_at=timezone.now())
    follow(run)
    assert (run.state, run.job_id, jobs(pbs)) == ("succeeded", "1", ["1.pbs01"])
