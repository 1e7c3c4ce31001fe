"""Holding, releasing and cancelling: every state, one run and many, on plain processes and PBS's commands."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Role
from hpc.errors import ConnectFailed
from pipeline_management.choices import Attention, Desired, Reason, RunState
from pipeline_management.errors import Conflict, NotAllowed
from pipeline_management.models import AuditEvent, Run, SystemAccount
from pipeline_management.services import polling, submission, sweeps
from pipeline_management.services.clients import client_for
from pipeline_management.services.control import holding, settling, wishes
from pipeline_management.services.control.wishes import Wish
from pipeline_management.services.history import first_fault
from pipeline_management.services.presentation import explain
from tests.engine.steps import follow, new_run
from tests.factories import make_account, make_lab, make_run, make_system, make_user
from tests.lab.pbs import install

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(tmp_path: Path, settings: LazySettings) -> SystemAccount:
    settings.CENTRO_SETTLE_SECONDS = 1
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    return make_account(
        make_system(scheduler_options={"spool": str(tmp_path / "spool"), "slots": "1"})
    )


@pytest.fixture
def pbs(tmp_path: Path, settings: LazySettings) -> SystemAccount:
    settings.CENTRO_SETTLE_SECONDS = 1
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    folder = install(tmp_path / "pbs")
    return make_account(make_system(scheduler="pbs", scheduler_options={"bin_dir": str(folder)}))


def wish(what: Wish, run: Run) -> Run:
    user = User.objects.filter(username="root").first() or make_user("root", staff=True)
    return wishes.request(what, run=run, user=user)


def notes(run: Run) -> list[str]:
    return [e.type for e in run.events.order_by("seq") if e.type != "state"]


def test_a_queued_run_is_held_and_released(account: SystemAccount, tmp_path: Path) -> None:
    run = new_run(account, tmp_path, "true\n")
    wish(Wish.HOLD, run)
    wish(Wish.HOLD, run)
    assert (run.state, run.desired, run.is_held) == (RunState.QUEUED, Desired.HOLD, True)
    assert explain(run).startswith("On hold")
    assert submission.submit_due(account.pk) == 0
    sweeps.sweep_submit()
    run.refresh_from_db()
    assert (run.state, notes(run)) == (RunState.QUEUED, ["hold_requested"])
    wish(Wish.RELEASE, run)
    wish(Wish.RELEASE, run)
    follow(run)
    assert (run.state, notes(run)) == (RunState.SUCCEEDED, ["hold_requested", "release_requested"])
    actions = AuditEvent.objects.filter(target=str(run.pk)).values_list("action", flat=True)
    assert sorted(actions) == ["run.hold", "run.release"]


def test_a_hold_between_lease_and_submission_is_obeyed(
    account: SystemAccount, tmp_path: Path
) -> None:
    run = new_run(account, tmp_path, "true\n")
    Run.objects.filter(pk=run.pk).update(desired=Desired.HOLD)  # next_at still says now
    submission.submit_due(account.pk)
    run.refresh_from_db()
    assert (run.state, run.next_at, run.lease_holder) == (RunState.QUEUED, None, "")
    assert run.attempts.count() == 0


def test_a_held_run_is_cancelled_at_once(account: SystemAccount, tmp_path: Path) -> None:
    run = new_run(account, tmp_path, "true\n")
    wish(Wish.HOLD, run)
    wish(Wish.CANCEL, run)
    assert run.state == RunState.CANCELLED
    assert first_fault(run) == ""


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FINISHING])
def test_a_running_job_cannot_be_held(state: RunState) -> None:
    run = make_run(state=state)
    with pytest.raises(Conflict, match="running job cannot be held"):
        wish(Wish.HOLD, run)
    run.refresh_from_db()
    assert run.desired == Desired.RUN


@pytest.mark.parametrize("state", [s for s in RunState if s.is_terminal])
@pytest.mark.parametrize("what", [Wish.HOLD, Wish.RELEASE])
def test_what_is_over_is_neither_held_nor_released(state: RunState, what: Wish) -> None:
    run = make_run(state=state)
    with pytest.raises(Conflict, match="over"):
        wish(what, run)


@pytest.mark.parametrize("what", [Wish.HOLD, Wish.RELEASE])
def test_what_is_being_cancelled_is_neither_held_nor_released(what: Wish) -> None:
    run = make_run(state=RunState.RUNNING, desired=Desired.CANCEL)
    with pytest.raises(Conflict, match="being cancelled"):
        wish(what, run)


@pytest.mark.parametrize("state", [RunState.SUBMITTING, RunState.SUBMITTED])
def test_plain_processes_cannot_be_held_once_handed_over(state: RunState) -> None:
    with pytest.raises(Conflict, match="cannot hold jobs"):
        wish(Wish.HOLD, make_run(state=state))


@pytest.mark.parametrize("what", list(Wish))
def test_who_may(what: Wish) -> None:
    lab = make_lab("lab", boss=Role.MANAGER, bob=Role.SUBMITTER, eve=Role.SUBMITTER)
    by_name = {m.user.username: m.user for m in lab.memberships.all()}
    run = make_run(lab=lab, submitter=by_name["bob"], desired=Desired.HOLD)
    with pytest.raises(NotAllowed):
        wishes.request(what, run=run, user=by_name["eve"])
    assert wishes.why_not(what, run, by_name["eve"]).startswith("Only its submitter")
    for name in ("bob", "boss"):
        assert wishes.why_not(what, run, by_name[name]) == ""
    assert wishes.why_not(what, run, make_user(staff=True)) == ""


def test_a_waiting_job_is_held_and_released_in_the_scheduler(
    pbs: SystemAccount, tmp_path: Path
) -> None:
    run = follow(
        new_run(pbs, tmp_path, "true\n", resources={"queue": "stopped"}), RunState.SUBMITTED
    )
    wish(Wish.HOLD, run)
    assert explain(run) == "The scheduler is being asked to hold the job."
    assert holding.hold_due(pbs.pk) == 1
    polling.poll_account(pbs.pk)
    run.refresh_from_db()
    assert (run.state, run.queue_reason, run.attention) == (
        RunState.SUBMITTED,
        "held by its user",
        "",
    )
    assert run.hold_sent_at is not None and explain(run).startswith("On hold: the scheduler keeps")
    assert holding.hold_due(pbs.pk) == 0
    wish(Wish.RELEASE, run)
    assert holding.hold_due(pbs.pk) == 1
    follow(run)
    assert run.state == RunState.SUCCEEDED
    assert notes(run) == ["hold_requested", "hold_sent", "release_requested", "release_sent"]


def test_a_hold_of_a_run_on_its_way_follows_its_job(
    pbs: SystemAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(pbs, tmp_path, "sleep 60\n", resources={"queue": "stopped"})
    between = {"P1b": lambda: wish(Wish.HOLD, run)}
    monkeypatch.setattr(submission.faults, "point", lambda name: between.pop(name, lambda: None)())
    submission.submit_due(pbs.pk)
    run.refresh_from_db()
    assert run.state == RunState.SUBMITTED
    assert holding.hold_due(pbs.pk) == 1
    wish(Wish.CANCEL, run)
    follow(run)
    assert run.state == RunState.CANCELLED


def test_a_hold_from_outside_can_be_released(pbs: SystemAccount, tmp_path: Path) -> None:
    run = follow(
        new_run(pbs, tmp_path, "true\n", resources={"queue": "stopped"}), RunState.SUBMITTED
    )
    Run.objects.filter(pk=run.pk).update(queue_reason="held by its user")
    run.refresh_from_db()
    wish(Wish.RELEASE, run)
    assert run.hold_sent_at is not None
    assert holding.hold_due(pbs.pk) == 1
    run.refresh_from_db()
    assert (run.hold_sent_at, notes(run)) == (None, ["release_requested", "release_sent"])
    wish(Wish.CANCEL, run)
    follow(run)


def test_a_job_that_starts_before_it_is_held_says_so(pbs: SystemAccount, tmp_path: Path) -> None:
    run = new_run(pbs, tmp_path, "sleep 60\n")
    submission.submit_due(pbs.pk)
    Run.objects.filter(pk=run.pk).update(desired=Desired.HOLD)
    follow(run, RunState.RUNNING)
    assert "hold_too_late" in notes(run)
    assert explain(run) == "The job is running: it had started before it could be held."
    wish(Wish.CANCEL, run)
    follow(run)
    assert run.state == RunState.CANCELLED


def test_a_system_that_does_not_answer_is_asked_again(
    pbs: SystemAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(account=pbs, state=RunState.SUBMITTED, job_id="5")
    wish(Wish.HOLD, run)

    def silent(*_: object, **__: object) -> None:
        raise ConnectFailed("no route")

    monkeypatch.setattr("hpc.client.SystemClient.run", silent)
    for _ in range(holding.FAILING_AFTER):
        Run.objects.filter(pk=run.pk).update(next_at=timezone.now() - timedelta(seconds=1))
        assert holding.hold_due(pbs.pk) == 1
    run.refresh_from_db()
    assert (run.state, run.hold_sent_at) == (RunState.SUBMITTED, None)
    assert (run.attention, run.attention_text) == (Attention.HOLD_FAILING, "no route")
    assert holding.hold_due(pbs.pk) == 0  # not before its time


def test_many_at_once_with_reasons(account: SystemAccount) -> None:
    lab = make_lab("lab", eve=Role.SUBMITTER)
    boss = make_user(staff=True)
    runs = [make_run(account=account, lab=lab) for _ in range(3)]
    runs.append(make_run(account=account, lab=lab, state=RunState.RUNNING))
    unknown = uuid.uuid4()
    ids = [*(run.pk for run in runs), unknown, runs[0].pk]
    outcomes = wishes.request_many(Wish.HOLD, ids, user=boss)
    assert [o.granted for o in outcomes] == [True, True, True, False, False]
    assert [o.run_id for o in outcomes] == [*(run.pk for run in runs), unknown]
    assert "running job" in outcomes[3].reason and "no such run" in outcomes[4].reason
    ended = wishes.request_many(Wish.CANCEL, [run.pk for run in runs], user=boss)
    assert all(o.granted for o in ended)
    states = [Run.objects.get(pk=run.pk).state for run in runs]
    assert states == [RunState.CANCELLED] * 3 + [RunState.RUNNING]


def test_one_bell_for_many(
    account: SystemAccount, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(
        "pipeline_management.services.dispatch.ring", lambda task, pk: rung.append((task, pk))
    )
    runs = [make_run(account=account, state=RunState.RUNNING, job_id=str(n)) for n in range(5)]
    with django_capture_on_commit_callbacks(execute=True):
        wishes.request_many(Wish.CANCEL, [r.pk for r in runs], user=make_user(staff=True))
    assert rung == [("pipeline_management.cancel_due", account.pk)]


def test_a_cancelled_run_waits_for_what_it_has_submitted(
    pbs: SystemAccount, tmp_path: Path
) -> None:
    bin_dir = pbs.system.scheduler_options["bin_dir"]
    script = f"for n in 1 2 3 4 5; do echo 'sleep 300' | {bin_dir}/qsub -N child; done\nsleep 300\n"
    run = follow(new_run(pbs, tmp_path, script), RunState.RUNNING)
    client_jobs = _until_jobs(pbs, 6)
    wish(Wish.CANCEL, run)
    follow(run, seconds=40)
    assert run.state == RunState.CANCELLED and len(client_jobs) == 6
    assert _jobs(pbs) == []


def test_what_a_run_leaves_behind_is_shown_and_left_alone(
    pbs: SystemAccount, tmp_path: Path
) -> None:
    bin_dir = pbs.system.scheduler_options["bin_dir"]
    run = follow(new_run(pbs, tmp_path, f"echo 'sleep 300' | {bin_dir}/qsub -N child\n"))
    assert (run.state, len(_jobs(pbs))) == (RunState.SUCCEEDED, 1)
    sweeps.sweep_orphans()
    run.refresh_from_db()
    assert (run.attention, run.state) == (Attention.JOBS_LEFT, RunState.SUCCEEDED)
    assert _jobs(pbs)[0] in run.attention_text and "jobs_left" in notes(run)
    sweeps.sweep_orphans()
    assert len(_jobs(pbs)) == 1 and notes(run).count("jobs_left") == 1
    cancel_all(pbs)
    sweeps.sweep_orphans()
    run.refresh_from_db()
    assert run.attention == ""


def test_what_a_cancelled_run_left_behind_is_ended_later(
    pbs: SystemAccount, tmp_path: Path
) -> None:
    bin_dir = pbs.system.scheduler_options["bin_dir"]
    run = follow(new_run(pbs, tmp_path, f"echo 'sleep 300' | {bin_dir}/qsub -N child\n"))
    Run.objects.filter(pk=run.pk).update(desired=Desired.CANCEL, state=RunState.CANCELLED)
    sweeps.sweep_orphans()
    assert _jobs(pbs) == []


@pytest.mark.parametrize("wished", [False, True])
def test_the_job_of_a_settled_run_ends_only_if_that_is_wished(
    pbs: SystemAccount, tmp_path: Path, wished: bool
) -> None:
    run = follow(new_run(pbs, tmp_path, "sleep 300\n"), RunState.RUNNING)
    Run.objects.filter(pk=run.pk).update(attention=Attention.STALE)
    settling.settle(
        run=run, user=make_user(staff=True), outcome="failed", reason="It hangs.", cancel_job=wished
    )
    sweeps.sweep_orphans()
    assert len(_jobs(pbs)) == (0 if wished else 1)
    if not wished:
        cancel_all(pbs)
    sweeps.sweep_orphans()
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SETTLED)
    assert ("late_evidence" in notes(run)) is wished


def test_the_jobs_of_a_resumed_run_are_not_leftovers(pbs: SystemAccount, tmp_path: Path) -> None:
    bin_dir = pbs.system.scheduler_options["bin_dir"]
    run = follow(new_run(pbs, tmp_path, f"echo 'sleep 300' | {bin_dir}/qsub -N child\n"))
    make_run(account=pbs, state=RunState.RUNNING, work_directory=run.directory)
    sweeps.sweep_orphans()
    run.refresh_from_db()
    assert (run.attention, len(_jobs(pbs))) == ("", 1)
    cancel_all(pbs)


def _jobs(account: SystemAccount) -> list[str]:
    client = client_for(account)
    return [
        j.job_id
        for j in client.run(client.scheduler.active(account.username))
        if not j.state.is_final
    ]


def _until_jobs(account: SystemAccount, count: int) -> list[str]:
    end = time.monotonic() + 20
    while len(found := _jobs(account)) < count:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def cancel_all(account: SystemAccount) -> None:
    client = client_for(account)
    client.run(client.scheduler.cancel(_jobs(account)))
