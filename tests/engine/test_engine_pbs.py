"""Runs through PBS: the engine's steps on the stand-in commands, run as plain commands of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from pipeline_management.choices import Attention, Reason, RunState
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import cancellation, polling
from tests.engine.steps import follow, new_run
from tests.factories import make_account, make_system, make_user
from tests.lab.pbs import install

pytestmark = pytest.mark.django_db


@pytest.fixture
def pbs(tmp_path: Path) -> Path:
    """The directory of the commands; files in ``state`` there make faults."""
    return install(tmp_path / "pbs")


@pytest.fixture
def account(pbs: Path, settings: LazySettings) -> Iterator[SystemAccount]:
    settings.CENTRO_SETTLE_SECONDS = 1
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    yield make_account(make_system(scheduler="pbs", scheduler_options={"bin_dir": str(pbs)}))
    left = subprocess.run([pbs / "qselect"], capture_output=True, text=True, check=False).stdout.split()
    if left:
        subprocess.run([pbs / "qdel", *left], check=False)


def jobs(pbs: Path, name: str) -> list[str]:
    found = subprocess.run([pbs / "qselect", "-x", "-N", name], capture_output=True, text=True, check=True)
    return found.stdout.split()


def test_success(account: SystemAccount, pbs: Path, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "#!/bin/sh\necho $PBS_JOBID\n"))
    assert (run.state, run.exit_code, run.reason) == (RunState.SUCCEEDED, 0, "")
    assert {log.stream: bytes(log.data) for log in run.logs.all()}["stdout"] == b"1.pbs01\n"
    assert (run.job_id, run.attempts.get().job_id) == ("1", "1")
    assert jobs(pbs, run.key) == ["1.pbs01"]


def test_an_exit_code(account: SystemAccount, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "exit 7\n"))
    assert (run.state, run.reason, run.exit_code) == (RunState.FAILED, Reason.EXIT_NONZERO, 7)


def test_the_walltime(account: SystemAccount, tmp_path: Path) -> None:
    run = follow(
        new_run(account, tmp_path, "sleep 60\n", resources={"walltime": "00:00:01"}), seconds=40
    )
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)


def test_cancelled_by_a_person(account: SystemAccount, pbs: Path, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "sleep 60\n"), RunState.RUNNING)
    cancellation.request_cancel(run=run, user=make_user(staff=True))
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_BY_USER)
    running = subprocess.run([pbs / "qselect"], capture_output=True, text=True, check=True).stdout
    assert running == ""


def test_deleted_by_hand(account: SystemAccount, pbs: Path, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "sleep 60\n"), RunState.RUNNING)
    subprocess.run([pbs / "qdel", "1"], check=True)
    follow(run, seconds=40)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_OUTSIDE)


def test_an_unknown_queue_in_pbs_own_words(account: SystemAccount, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "true\n", resources={"queue": "nosuch"}))
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SUBMIT_REJECTED)
    assert "qsub: Unknown queue" in run.reason_text


def test_without_history_the_job_itself_says_how_it_ended(
    account: SystemAccount, pbs: Path, tmp_path: Path
) -> None:
    (pbs / "state" / "nohistory").touch()
    good = follow(new_run(account, tmp_path, "true\n"))
    bad = follow(new_run(account, tmp_path, "exit 7\n"))
    assert (good.state, bad.state, bad.exit_code) == (RunState.SUCCEEDED, RunState.FAILED, 7)


def test_a_server_that_is_down_changes_no_run(
    account: SystemAccount, pbs: Path, tmp_path: Path
) -> None:
    run = follow(new_run(account, tmp_path, "sleep 2\n"), RunState.RUNNING)
    waiting = new_run(account, tmp_path, "true\n")
    (pbs / "state" / "down").touch()
    for _ in range(3):
        polling.poll_account(account.pk)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    (pbs / "state" / "down").unlink()
    for one in (run, waiting):
        follow(one)
        assert one.state == RunState.SUCCEEDED
    assert all(len(jobs(pbs, one.key)) == 1 for one in (run, waiting))


def test_a_stopped_queue_is_explained(account: SystemAccount, pbs: Path, tmp_path: Path) -> None:
    run: Run = follow(
        new_run(account, tmp_path, "true\n", resources={"queue": "stopped"}), RunState.SUBMITTED
    )
    polling.poll_account(account.pk)
    run.refresh_from_db()
    assert run.queue_reason == "Not Running: Queue not started."
    assert run.attention in ("", Attention.HELD)
    cancellation.request_cancel(run=run, user=make_user(staff=True))
    follow(run)
    assert run.state == RunState.CANCELLED
