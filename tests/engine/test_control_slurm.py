"""Holding and cancelling on a real Slurm: the wish of a person, and what squeue says of it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.cache import cache

from accounts.models import Credential, CredentialKind
from pipeline_management.choices import Attention, Reason, RunState
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import cancellation, polling, submission, sweeps
from pipeline_management.services.control import holding, settling, waiting, wishes
from pipeline_management.services.control.wishes import Wish
from tests.engine.steps import follow
from tests.factories import make_account, make_run, make_system, make_user
from tests.lab.lab import Lab

pytestmark = [pytest.mark.django_db, pytest.mark.lab, pytest.mark.xdist_group("lab")]

FIVE = """#!/bin/sh
sbatch --wrap 'sleep 600'
sbatch --job-name=other --comment=other --chdir=/tmp -o /dev/null --wrap 'sleep 600'
sbatch --array=1-2 --export=NONE --chdir=/tmp -o /dev/null --wrap 'sleep 600'
nested='sbatch --chdir=/tmp -o /dev/null --wrap "sleep 600"; trap "" TERM; sleep 600'
sbatch --chdir=/tmp -o /dev/null --wrap "$nested"
sleep 600
"""


@pytest.fixture
def account(lab: Lab, settings: LazySettings) -> SystemAccount:
    settings.CENTRO_SETTLE_SECONDS = 20
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    user = lab.layout.settings.users[1]
    key = Credential.objects.create(
        name="lab",
        kind=CredentialKind.KEY,
        secret=lab.layout.ssh_key.read_text(),
        fingerprint="lab",
    )
    system = make_system(
        transport="ssh", scheduler="slurm", host="127.0.0.1", port=lab.layout.ports["sshd"],
        host_keys=[lab.sshd.host_key_line()], scheduler_options={"bin_dir": "/usr/bin"},
    )  # fmt: skip
    return make_account(system, username=user, credential=key)


@pytest.fixture
def make(lab: Lab, account: SystemAccount) -> Iterator[Callable[..., Run]]:
    """Makes runs in a folder of the cluster user; his jobs are gone afterwards."""
    folder = Path(subprocess.run(
        ["mktemp", "-d", "/tmp/centro-control-XXXXXX"], capture_output=True, text=True, check=True
    ).stdout.strip())  # fmt: skip
    shutil.chown(folder, account.username)

    def made(script: str, **fields: object) -> Run:
        run = make_run(account=account, script=script, **fields)
        run.directory = str(folder / str(run.pk))
        run.save()
        return run

    yield made
    lab.slurm("scancel", "-u", account.username)
    until(lambda: queue(lab, account) == [])
    shutil.rmtree(folder, ignore_errors=True)


def queue(lab: Lab, account: SystemAccount) -> list[str]:
    return lab.slurm("squeue", "-h", "-a", "-r", "-u", account.username, "-o", "%i").split()


def until(check: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.2)


def boss() -> User:
    return User.objects.filter(username="boss").first() or make_user("boss", staff=True)


def reason(lab: Lab, run: Run) -> str:
    return lab.slurm("squeue", "-h", "-a", "-j", run.job_id, "-o", "%T %r").strip()


def test_a_waiting_job_is_held_and_released(
    lab: Lab, account: SystemAccount, make: Callable[..., Run]
) -> None:
    run = make("true\n", resources={"queue": "closed"})
    submission.submit_due(account.pk)
    run.refresh_from_db()
    assert run.state == RunState.SUBMITTED
    wishes.request(Wish.HOLD, run=run, user=boss())
    holding.hold_due(account.pk)
    assert reason(lab, run) == "PENDING JobHeldUser"
    polling.poll_account(account.pk)
    run.refresh_from_db()
    assert (run.queue_reason, run.attention, run.is_held) == ("JobHeldUser", "", True)
    wishes.request(Wish.RELEASE, run=run, user=boss())
    holding.hold_due(account.pk)
    assert "JobHeldUser" not in reason(lab, run)
    cache.clear()
    waiting.ask(account.pk)
    polling.poll_account(account.pk)
    run.refresh_from_db()
    found = waiting.waiting_of(run)
    assert found is not None and found.priority and found.at is not None

    def says_closed() -> bool:
        waiting.ask(account.pk)
        now = waiting.waiting_of(run)
        return now is not None and now.sentence == "The queue is closed."

    until(says_closed)
    wishes.request(Wish.CANCEL, run=run, user=boss())
    assert follow(run, seconds=40).state == RunState.CANCELLED


def test_a_cancelled_run_leaves_no_child_job(
    lab: Lab, account: SystemAccount, make: Callable[..., Run]
) -> None:
    stranger = lab.sshd.run(
        account.username, "sbatch --parsable --chdir=/tmp -o /dev/null --wrap 'sleep 600'"
    )
    run = make(FIVE)
    follow(run, RunState.RUNNING)
    until(
        lambda: len(queue(lab, account)) >= 8
    )  # one head, five children, a grandchild, a stranger
    wishes.request(Wish.CANCEL, run=run, user=boss())
    follow(run, seconds=80)
    assert run.state == RunState.CANCELLED
    assert queue(lab, account) == [stranger.strip()]


def test_twenty_are_cancelled_by_one_command(
    lab: Lab, account: SystemAccount, make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make("sleep 600\n", resources={"queue": "closed"}) for _ in range(20)]
    while submission.submit_due(account.pk):
        continue
    assert len(queue(lab, account)) == 20
    outcomes = wishes.request_many(Wish.CANCEL, [run.pk for run in runs], user=boss())
    assert all(outcome.granted for outcome in outcomes)
    sent = []
    real = cancellation.end_runs

    def counted(scheduler, endings):  # noqa: ANN001, ANN202  as the real one
        sent.append(len(endings))
        return real(scheduler, endings)

    monkeypatch.setattr(cancellation, "end_runs", counted)
    cancellation.cancel_due(account.pk)
    assert sent == [20] and queue(lab, account) == []
    for run in runs:
        follow(run, seconds=60)
    assert {run.state for run in runs} == {RunState.CANCELLED}


@pytest.mark.parametrize("wished", [False, True])
def test_the_job_of_a_settled_run_ends_only_if_that_is_wished(
    lab: Lab, account: SystemAccount, make: Callable[..., Run], wished: bool
) -> None:
    run = follow(make("sleep 600\n"), RunState.RUNNING)
    Run.objects.filter(pk=run.pk).update(attention=Attention.STALE)
    settling.settle(run=run, user=boss(), outcome="failed", reason="It hangs.", cancel_job=wished)
    sweeps.sweep_orphans()
    if wished:
        until(lambda: queue(lab, account) == [])
    assert queue(lab, account) == ([] if wished else [run.job_id])
    polling.poll_account(account.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SETTLED)
    assert run.events.filter(type="late_evidence").exists() is wished
