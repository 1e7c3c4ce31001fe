"""Asking accounting: of plain processes, of a scheduler that answers late, wrongly or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from hpc.errors import ConnectFailed, IncompleteAnswer, NotSupported
from hpc.usage import JobUsage
from pipeline_management.choices import RunState, SchedulerKind
from pipeline_management.models import Run, RunTask, RunUsage, SystemAccount, UsageDay
from pipeline_management.services import dispatch
from pipeline_management.services.usage import collecting, pending
from tests.engine.steps import follow, new_run
from tests.factories import make_account, make_run, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_renewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction belongs to its own thread."""
    monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)


@pytest.fixture
def account() -> SystemAccount:
    return make_account(make_system(scheduler=SchedulerKind.SLURM))


class Accounting:
    """Stands for a system's client: answers from a table, or fails."""

    def __init__(self) -> None:
        self.jobs: dict[str, list[JobUsage]] = {}
        self.error: Exception | None = None
        self.asked: list[list[str]] = []
        self.scheduler = SimpleNamespace(usage=lambda ids: ids)

    def run(self, ids: Sequence[str]) -> dict[str, list[JobUsage]]:
        self.asked.append(list(ids))
        if self.error is not None:
            raise self.error
        return {number: self.jobs[number] for number in ids if number in self.jobs}


@pytest.fixture
def accounting(monkeypatch: pytest.MonkeyPatch) -> Accounting:
    made = Accounting()
    monkeypatch.setattr(collecting, "client_for", lambda account: made)
    return made


def ended(account: SystemAccount, job_id: str = "7", **fields: Any) -> Run:
    now = timezone.now()
    times = {
        "submitted_at": now - timedelta(seconds=100), "started_at": now - timedelta(seconds=70),
        "ended_at": now - timedelta(seconds=10), "finished_at": now,
    }  # fmt: skip
    run = make_run(
        account=account, job_id=job_id, **({"state": RunState.SUCCEEDED} | times | fields)
    )
    RunUsage.objects.create(run=run, next_at=now)
    return run


def job(number: str, **fields: Any) -> JobUsage:
    values = {
        "is_over": True, "elapsed_seconds": 60, "cpus": 2, "gpus": 0, "wait_seconds": 5, "user": "svc",
    }  # fmt: skip
    return JobUsage(number, **(values | fields))


def task(run: Run, job_id: str) -> None:
    name = f"task of {job_id}"
    RunTask.objects.create(run=run, name=name, key=name, job_id=job_id, reported_at=timezone.now())


def again(run: Run) -> RunUsage:
    """Ask once more, as if the pause were over."""
    RunUsage.objects.filter(run=run, next_at__isnull=False).update(next_at=timezone.now())
    collecting.collect_due(run.account_id)
    return RunUsage.objects.get(run=run)


def test_plain_processes_tell_what_they_have_used(tmp_path: Path) -> None:
    options = {"spool": str(tmp_path / "spool"), "slots": "2"}
    account = make_account(make_system(scheduler_options=options))
    run = follow(new_run(account, tmp_path, "#!/bin/sh\nsleep 1\n", resources={"cpus": 3}))
    assert run.state == RunState.SUCCEEDED
    usage = again(run)
    assert (usage.source, usage.cpus, usage.next_at, usage.jobs) == ("process", 3, None, 1)
    assert usage.elapsed_seconds and usage.core_seconds == 3 * usage.elapsed_seconds
    assert usage.cpu_seconds is not None and usage.max_memory_mb is None
    assert UsageDay.objects.get().core_seconds == usage.core_seconds


def test_the_jobs_that_the_run_has_submitted_count_with_it(
    account: SystemAccount, accounting: Accounting
) -> None:
    run = ended(account)
    for number in ("8", "9_3", "10.server", "7", "no job", "$(reboot)", "8_1"):
        task(run, number)
    other = ended(account, "10")
    accounting.jobs = {
        "7": [job("7", elapsed_seconds=100, cpus=1, walltime_seconds=3600)],
        "8": [job("8", gpus=1, memory_mb=4000, max_memory_mb=3000, cpu_seconds=99.5)],
        "9": [job("9_1"), job("9_3", user="somebody else")],
        "10": [job("10", cpus=64)],
    }
    assert collecting.collect_due(account.pk) == 2
    usage = RunUsage.objects.get(run=run)
    assert usage.jobs == 3
    assert usage.core_seconds == 100 + 120 + 120, "not another run's, not another user's"
    assert (usage.gpu_seconds, usage.elapsed_seconds, usage.walltime_seconds) == (60, 100, 3600)
    assert (usage.max_memory_mb, usage.memory_mb, usage.cpus) == (3000, 4000, 2)
    assert RunUsage.objects.get(run=other).core_seconds == 64 * 60
    assert {number for ids in accounting.asked for number in ids} == {"7", "8", "9", "10"}


def test_an_answer_that_is_late_replaces_the_estimate(
    account: SystemAccount, accounting: Accounting
) -> None:
    run = ended(account, resources={"cpus": 4, "gpus": 1, "nodes": 2, "walltime": "00:10:00"})
    usage = again(run)
    assert (usage.source, usage.core_seconds, usage.gpu_seconds) == ("request", 60 * 8, 60 * 2)
    assert (usage.wait_seconds, usage.walltime_seconds) == (30, 600)
    assert usage.next_at is not None and usage.next_at > timezone.now()
    assert UsageDay.objects.get().runs == 1, "the run counts at once"
    accounting.jobs["7"] = [job("7", is_over=False, elapsed_seconds=50)]
    usage = again(run)
    assert (usage.source, usage.core_seconds) == ("sacct", 100)
    assert usage.next_at is not None, "accounting has not seen its end"
    accounting.jobs["7"] = [job("7")]
    usage = again(run)
    assert (usage.core_seconds, usage.next_at, usage.tries) == (120, None, 3)
    day = UsageDay.objects.get()
    assert (day.runs, day.core_seconds, day.gpu_seconds, day.wait_seconds) == (1, 120, 0, 5)


@pytest.mark.parametrize("error", [ConnectFailed("no route"), IncompleteAnswer("cut")])
def test_a_system_that_fails_is_asked_again_and_changes_no_run(
    account: SystemAccount, accounting: Accounting, error: Exception
) -> None:
    run = ended(account, state=RunState.FAILED)
    before = Run.objects.filter(pk=run.pk).values().get()
    accounting.error = error
    usage = again(run)
    assert usage.next_at is not None and usage.source == "request"
    accounting.error, accounting.jobs = None, {"7": [job("7")]}
    good = again(run)
    accounting.error = error
    RunUsage.objects.filter(run=run).update(next_at=timezone.now())
    assert again(run).core_seconds == good.core_seconds, "an answer of before is kept"
    assert Run.objects.filter(pk=run.pk).values().get() == before


def test_accounting_that_is_off_is_not_asked_again(
    account: SystemAccount, accounting: Accounting
) -> None:
    accounting.error = NotSupported("off")
    usage = again(ended(account))
    assert (usage.next_at, usage.source) == (None, "request")


def test_a_run_that_never_had_a_job_is_counted_without_asking(
    account: SystemAccount, accounting: Accounting
) -> None:
    usage = again(ended(account, "", state=RunState.CANCELLED, started_at=None, submitted_at=None))
    assert accounting.asked == []
    assert (usage.next_at, usage.core_seconds, usage.jobs) == (None, None, 0)
    day = UsageDay.objects.get()
    assert (day.runs, day.cancelled, day.measured, day.waited) == (1, 1, 0, 0)


def test_after_a_day_nobody_asks_any_more() -> None:
    now = timezone.now()
    first = pending.next_try(1, now)
    assert first is not None and first - now < timedelta(seconds=10)
    tenth = pending.next_try(10, now)
    assert tenth is not None and tenth - now > timedelta(minutes=50)
    assert pending.next_try(3, now - timedelta(days=2)) is None
    assert pending.next_try(30_000, now) is not None


def test_many_jobs_are_asked_about_in_parts(account: SystemAccount, accounting: Accounting) -> None:
    run = ended(account)
    RunTask.objects.bulk_create(
        RunTask(run=run, name=f"t{n}", key=f"t{n}", job_id=str(n), reported_at=timezone.now())
        for n in range(1000, 2200)
    )
    accounting.jobs = {"7": [job("7")]} | {str(n): [job(str(n))] for n in range(1000, 2200)}
    usage = again(run)
    assert usage.jobs == 1201 and usage.core_seconds == 1201 * 120
    assert [len(ids) for ids in accounting.asked] == [500, 500, 201]


def test_the_sweep_rings_once_for_each_account_that_has_something_due(
    account: SystemAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, pk: rung.append((task, pk)))
    ended(account)
    ended(account, "8")
    later = ended(make_account(), "9")
    RunUsage.objects.filter(run=later).update(next_at=timezone.now() + timedelta(minutes=1))
    collecting.sweep()
    assert rung == [(dispatch.USAGE, account.pk)]
