"""The engine's steps called one by one, on plain processes of this machine: no servers needed."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import Role
from hpc.client import SystemClient
from hpc.errors import CommandTimeout, ConnectFailed, HostKeyMismatch
from pipeline_management.choices import Attention, Desired, HealthState, Reason, RunState
from pipeline_management.errors import NotAllowed
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import (
    cancellation,
    logs,
    polling,
    submission,
    sweeps,
)
from tests.engine.steps import follow, new_run
from tests.factories import make_account, make_lab, make_system, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(tmp_path: Path, settings: LazySettings) -> SystemAccount:
    settings.CENTRO_SETTLE_SECONDS = 1
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    system = make_system(scheduler_options={"spool": str(tmp_path / "spool"), "slots": "2"})
    return make_account(system)


@pytest.fixture
def run(account: SystemAccount, tmp_path: Path) -> Run:
    return new_run(account, tmp_path, "#!/bin/sh\necho hello\necho oops >&2\n")


def test_a_run_succeeds_and_keeps_its_logs(run: Run) -> None:
    follow(run)
    assert (run.state, run.exit_code, run.reason) == (RunState.SUCCEEDED, 0, "")
    assert run.started_at is not None
    assert {log.stream: bytes(log.data) for log in run.logs.all()}["stderr"] == b"oops\n"
    assert logs.read_log(run=run, stream="stdout").data == b"hello\n"
    attempt = run.attempts.get()
    assert (attempt.job_id, attempt.found_by) == (run.job_id, "new")


def test_logs_outlive_the_directory(run: Run, tmp_path: Path) -> None:
    follow(run)
    (Path(run.directory) / "stdout").unlink()
    piece = logs.read_log(run=run, stream="stdout")
    assert (piece.data, piece.source) == (b"hello\n", "stored")
    assert logs.read_log(run=run, stream="stdout", offset=2, limit=2).data == b"ll"


@pytest.mark.parametrize(
    ("script", "reason", "code"),
    [("exit 3\n", Reason.EXIT_NONZERO, 3), ("kill -9 $$\n", Reason.SIGNAL, 137)],
)
def test_a_failing_script(
    account: SystemAccount, tmp_path: Path, script: str, reason: Reason, code: int
) -> None:
    run = follow(new_run(account, tmp_path, script))
    assert (run.state, run.reason, run.exit_code) == (RunState.FAILED, reason, code)


def test_the_walltime_ends_a_run(account: SystemAccount, tmp_path: Path) -> None:
    run = new_run(account, tmp_path, "sleep 60\n", resources={"walltime": "00:00:01"})
    follow(run)
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)


def test_what_the_scheduler_lacks_fails_the_run_with_a_sentence(
    account: SystemAccount, tmp_path: Path
) -> None:
    run = follow(new_run(account, tmp_path, "true\n", resources={"queue": "part01"}))
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SUBMIT_REJECTED)
    assert "does not offer queue" in run.reason_text


def test_cancel_while_running(account: SystemAccount, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "sleep 60\n"), RunState.RUNNING)
    asked = cancellation.request_cancel(run=run, user=make_user(staff=True))
    assert (asked.state, asked.desired) == (RunState.RUNNING, Desired.CANCEL)
    again = cancellation.request_cancel(run=run, user=make_user(staff=True))
    assert again.event_seq == asked.event_seq
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_BY_USER)


def test_cancel_while_waiting_for_a_slot(account: SystemAccount, tmp_path: Path) -> None:
    busy = [follow(new_run(account, tmp_path, "sleep 60\n"), RunState.RUNNING) for _ in range(2)]
    run = follow(new_run(account, tmp_path, "echo never\n"), RunState.SUBMITTED)
    cancellation.request_cancel(run=run, user=make_user(staff=True))
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_BY_USER)
    for one in busy:
        cancellation.request_cancel(run=one, user=make_user(staff=True))
        follow(one)


def test_cancel_before_submission_is_immediate(run: Run) -> None:
    done = cancellation.request_cancel(run=run, user=make_user(staff=True))
    assert done.state == RunState.CANCELLED
    assert not Path(run.directory).exists()
    assert cancellation.request_cancel(run=run, user=make_user(staff=True)).state == done.state


def test_a_run_cancelled_between_lease_and_submission_is_not_submitted(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(desired=Desired.CANCEL)
    follow(run)
    assert run.state == RunState.CANCELLED
    assert not Path(run.directory).exists()


def test_who_may_cancel(run: Run) -> None:
    lab = make_lab(run.lab.slug, viewer=Role.VIEWER, other=Role.SUBMITTER, boss=Role.MANAGER)
    people = {m.user.username: m.user for m in lab.memberships.all()}
    for name in ("viewer", "other"):
        with pytest.raises(NotAllowed):
            cancellation.request_cancel(run=run, user=people[name])
    assert cancellation.request_cancel(run=run, user=people["boss"]).state == RunState.CANCELLED


def test_a_submitted_run_is_not_submitted_again(run: Run) -> None:
    follow(run, RunState.SUBMITTED, RunState.RUNNING, RunState.SUCCEEDED)
    job_id = run.job_id
    Run.objects.filter(pk=run.pk).update(state=RunState.SUBMITTING, job_id="", next_at=timezone.now())
    run.refresh_from_db()
    submission.submit_due(run.account_id)
    run.refresh_from_db()
    assert run.job_id == job_id


@pytest.mark.parametrize(
    ("error", "attention", "health"),
    [
        (ConnectFailed("no route"), Attention.CLUSTER_DOWN, HealthState.DOWN),
        (HostKeyMismatch("other key"), Attention.HOSTKEY, HealthState.BLOCKED),
    ],
)
def test_an_unreachable_system_is_a_flag_that_clears_itself(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, attention: Attention, health: HealthState
) -> None:
    def refuse(_: SystemClient) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(SystemClient, "connect", refuse)
        assert submission.submit_due(run.account_id) == 0
    run.refresh_from_db()
    assert (run.state, run.attention, run.events.count()) == (RunState.QUEUED, attention, 1)
    assert run.account.system.health == health
    assert run.next_at > timezone.now()
    Run.objects.filter(pk=run.pk).update(next_at=timezone.now())
    follow(run)
    assert (run.state, run.attention) == (RunState.SUCCEEDED, "")


def test_a_lost_answer_is_not_a_second_job(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ran, the answer did not come: the next look finds the job that exists."""
    real = SystemClient.run

    def run_and_lose(client: SystemClient, command: object) -> object:
        real(client, command)  # type: ignore[arg-type]  # passed on as it came
        raise CommandTimeout("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(SystemClient, "run", run_and_lose)
        submission.submit_due(run.account_id)
    run.refresh_from_db()
    assert (run.state, run.job_id) == (RunState.SUBMITTING, "")
    assert run.events.filter(type="submit_unknown").count() == 1
    Run.objects.filter(pk=run.pk).update(next_at=timezone.now())
    follow(run)
    assert run.attempts.get().found_by == "recorded"
    assert run.state == RunState.SUCCEEDED


def test_an_incomplete_poll_changes_no_run(
    account: SystemAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = follow(new_run(account, tmp_path, "sleep 3\n"), RunState.RUNNING)
    before = Run.objects.values().get(pk=run.pk)

    def silent(client: SystemClient, command: object) -> object:
        raise CommandTimeout("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(SystemClient, "run", silent)
        for _ in range(4):
            polling.poll_account(run.account_id)
    after = Run.objects.values().get(pk=run.pk)
    flags = ("attention", "attention_text", "attention_since")
    assert {k: v for k, v in after.items() if k not in flags} == {
        k: v for k, v in before.items() if k not in flags
    }
    assert after["attention"] == Attention.CLUSTER_DOWN
    follow(run)
    assert (run.state, run.attention) == (RunState.SUCCEEDED, "")


def test_a_job_lost_before_it_started_is_submitted_again(
    account: SystemAccount, tmp_path: Path
) -> None:
    busy = [follow(new_run(account, tmp_path, "sleep 30\n"), RunState.RUNNING) for _ in range(2)]
    run = follow(new_run(account, tmp_path, "echo once >> ../once\n"), RunState.SUBMITTED)
    polling.poll_account(account.pk)
    # As after a controller crash: an acknowledged job of which the scheduler knows nothing.
    Run.objects.filter(pk=run.pk).update(job_id="999999", queue_state="")
    (Path(run.directory) / "jobid").write_text("999999 0\n")
    for one in busy:
        cancellation.request_cancel(run=one, user=make_user(staff=True))
    follow(run, seconds=40)
    assert run.state == RunState.SUCCEEDED
    assert (tmp_path / "work with a blank" / "once").read_text() == "once\n"


def test_orphans_are_ended_and_strangers_left_alone(account: SystemAccount, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "sleep 60\n"), RunState.RUNNING)
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED)
    sweeps.sweep_orphans()
    client = polling.client_for(account)
    end = time.monotonic() + 15
    while time.monotonic() < end:
        (job,) = client.run(client.scheduler.active(account.username))
        if job.state.is_final:
            break
        time.sleep(0.2)
    assert job.state.is_final
    assert run.events.filter(type="late_evidence").exists()


def test_stale_runs_are_flagged(account: SystemAccount, tmp_path: Path) -> None:
    run = follow(new_run(account, tmp_path, "sleep 2\n"), RunState.RUNNING)
    long_ago = timezone.now() - timedelta(hours=1)
    SystemAccount.objects.filter(pk=run.account_id).update(polled_at=long_ago)
    sweeps.sweep_stale()
    run.refresh_from_db()
    assert run.attention == Attention.STALE
    follow(run)
