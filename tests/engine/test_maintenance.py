"""Maintenance: nothing is submitted meanwhile, runs say so, and go on by themselves when it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from pipeline_management.choices import Attention, Desired, HealthState, RunState
from pipeline_management.models import AuditEvent, Maintenance, Run, System
from pipeline_management.services import dispatch, maintenance, sweeps, trouble
from pipeline_management.services.presentation import explain
from pipeline_management.services.submission import due_runs, submit_due
from tests.factories import make_account, make_lab, make_run, make_system, make_user, make_version

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def announce(
    system: System | None = None,
    begin: timedelta = -HOUR,
    end: timedelta | None = HOUR,
    **more: Any,
) -> Maintenance:
    now = timezone.now()
    one = Maintenance(
        system=system,
        starts_at=now + begin,
        ends_at=None if end is None else now + end,
        text="New disks.",
        **more,
    )
    one.full_clean()
    maintenance.announce(one, make_user(staff=True))
    return one


@pytest.fixture
def run() -> Run:
    return make_run(state=RunState.QUEUED)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, account: calls.append((task, account)))
    return calls


def test_without_maintenance_a_run_is_due(run: Run) -> None:
    assert list(due_runs(run.account_id)) == [run]


def test_a_system_in_maintenance_takes_nothing(run: Run, rung: list[tuple[str, int]]) -> None:
    announce(run.system)
    assert not due_runs(run.account_id).exists()
    assert submit_due(run.account_id) == 0
    sweeps.sweep_submit()
    assert (dispatch.SUBMIT, run.account_id) not in rung
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert run.attention == Attention.MAINTENANCE
    assert explain(run).startswith("The system is in maintenance: until 20")
    assert "New disks. The run is submitted then." in explain(run)


@pytest.mark.parametrize("state", [RunState.SUBMITTING, RunState.STAGING])
def test_a_submission_that_is_not_settled_waits_too(state: RunState) -> None:
    run = make_run(state=state)
    announce(run.system)
    assert not due_runs(run.account_id).exists()


def test_for_all_systems(run: Run) -> None:
    other = make_run()
    announce(None)
    assert not due_runs(run.account_id).exists()
    assert not due_runs(other.account_id).exists()


def test_another_system_goes_on(run: Run, rung: list[tuple[str, int]]) -> None:
    announce(make_system())
    assert due_runs(run.account_id).exists()
    sweeps.sweep_submit()
    assert (dispatch.SUBMIT, run.account_id) in rung
    run.refresh_from_db()
    assert run.attention == ""


@pytest.mark.parametrize(
    ("begin", "end"),
    [(HOUR, 2 * HOUR), (-2 * HOUR, -HOUR), (HOUR, None)],
    ids=["later", "over", "later, no end"],
)
def test_only_while_it_lasts(run: Run, begin: timedelta, end: timedelta | None) -> None:
    announce(run.system, begin, end)
    assert due_runs(run.account_id).exists()
    maintenance.mark_runs()
    run.refresh_from_db()
    assert run.attention == ""


def test_an_announcement_that_holds_nothing_back(run: Run) -> None:
    announce(run.system, holds_runs=False)
    assert due_runs(run.account_id).exists()


def test_when_it_ends_the_run_is_due_at_once_and_says_nothing_more(
    run: Run, rung: list[tuple[str, int]]
) -> None:
    one = announce(run.system)
    maintenance.mark_runs()
    maintenance.end(one, make_user(staff=True))
    assert due_runs(run.account_id).exists()
    sweeps.sweep_submit()
    assert (dispatch.SUBMIT, run.account_id) in rung
    run.refresh_from_db()
    assert (run.attention, run.attention_text, run.attention_since) == ("", "", None)
    assert list(AuditEvent.objects.values_list("action", flat=True)) == [
        "maintenance.end",
        "maintenance.announce",
    ]


def test_one_that_has_not_begun_is_taken_back(run: Run) -> None:
    one = announce(run.system, HOUR, 2 * HOUR)
    maintenance.end(one, make_user(staff=True))
    assert not Maintenance.objects.exists()


def test_the_sentence_follows_a_change(run: Run) -> None:
    one = announce(run.system, end=None)
    maintenance.mark_runs()
    run.refresh_from_db()
    assert run.attention_text == "New disks. The run is submitted when it is over."
    since = run.attention_since
    one.text = "New cables"
    maintenance.announce(one, make_user(staff=True))
    maintenance.mark_runs()
    run.refresh_from_db()
    assert run.attention_text == "New cables. The run is submitted when it is over."
    assert run.attention_since == since


def test_of_two_the_one_that_ends_last_is_named_and_stays(run: Run) -> None:
    announce(run.system, end=HOUR)
    announce(None, end=None)
    for _ in range(2):
        maintenance.mark_runs()
        run.refresh_from_db()
        assert run.attention_text.endswith("when it is over.")


def test_a_run_on_hold_and_one_that_runs_are_left_alone() -> None:
    account = make_account()
    held = make_run(account=account, desired=Desired.HOLD)
    running = make_run(account=account, state=RunState.RUNNING)
    announce(account.system)
    maintenance.mark_runs()
    held.refresh_from_db()
    running.refresh_from_db()
    assert (held.attention, running.attention) == ("", "")


def test_a_system_that_is_away_during_it_does_not_take_the_sentence_away(run: Run) -> None:
    from hpc.errors import AuthenticationFailed

    announce(run.system)
    maintenance.mark_runs()
    trouble.note_failure(run.account, AuthenticationFailed("not now"))
    run.refresh_from_db()
    assert run.attention == Attention.MAINTENANCE


def test_the_end_is_after_the_beginning() -> None:
    with pytest.raises(ValidationError, match="after the beginning"):
        announce(None, HOUR, HOUR)


def test_who_is_told(site_people: dict[str, Any]) -> None:
    from django.contrib.auth.models import AnonymousUser

    announce(site_people["system"], end=HOUR)
    announce(None, 2 * HOUR, None)
    announce(None, 30 * HOUR, None)
    assert [one.system_id is None for one in maintenance.announcements(site_people["member"])] == [
        False,
        True,
    ]
    assert [
        one.system_id is None for one in maintenance.announcements(site_people["stranger"])
    ] == [True]
    assert [one.system_id is None for one in maintenance.announcements(AnonymousUser())] == [True]
    assert [
        maintenance.has_begun(one) for one in maintenance.announcements(site_people["member"])
    ] == [True, False]


@pytest.fixture
def site_people() -> dict[str, Any]:
    account = make_account()
    version = make_version(system=account.system, all_labs=False)
    lab = make_lab(member_of_it="viewer")
    version.labs.add(lab)
    return {
        "system": account.system,
        "member": lab.memberships.get().user
        if hasattr(lab, "memberships")
        else lab.membership_set.get().user,
        "stranger": make_user(),
    }


def test_since_when_a_system_is_as_it_is() -> None:
    system = make_system()
    trouble.set_health(system.pk, HealthState.DOWN, "gone")
    system.refresh_from_db()
    since = system.health_since
    assert since is not None
    trouble.set_health(system.pk, HealthState.DOWN, "still gone")
    system.refresh_from_db()
    assert system.health_since == since
    assert system.health_reason == "still gone"
    trouble.set_health(system.pk, HealthState.OK, "")
    system.refresh_from_db()
    assert system.health_since is not None
    assert system.health_since > since
