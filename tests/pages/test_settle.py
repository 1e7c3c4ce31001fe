"""An administrator's last word on a run: when it is taken, what it leaves behind, and that nothing undoes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Role
from pipeline_management.choices import (
    OPEN_STATES,
    TERMINAL_STATES,
    Attention,
    Confirmation,
    Desired,
    HealthState,
    Reason,
    RunState,
)
from pipeline_management.errors import Conflict, InvalidRequest, NotAllowed
from pipeline_management.models import AuditEvent, Run, System
from pipeline_management.services.control import settling
from pipeline_management.services.history import first_fault
from pipeline_management.services.transition import Change, apply
from tests.factories import make_account, make_lab, make_run, make_system, make_user

pytestmark = pytest.mark.django_db
WHY = "The cluster was taken apart."


def stuck(state: RunState = RunState.RUNNING, **fields: Any) -> Run:
    return make_run(state=state, **{"attention": Attention.STALE, "job_id": "17", **fields})


def settled(run: Run, outcome: str = "failed", **extra: Any) -> Run:
    boss = make_user(staff=True)
    return settling.settle(run=run, user=boss, outcome=outcome, reason=WHY, **extra)


@pytest.mark.parametrize("outcome", settling.OUTCOMES)
@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_every_open_state_can_be_settled(state: RunState, outcome: RunState) -> None:
    run = settled(stuck(state), outcome)
    assert (run.state, run.reason, run.attention) == (outcome, Reason.SETTLED, "")
    assert run.finished_at is not None and run.next_at is None and run.desired == Desired.RUN
    event = run.events.latest("seq")
    assert (event.evidence, event.data["text"]) == (Confirmation.PERSON, WHY)
    assert run.reason_text == f"Marked as {outcome} by {event.actor}: {WHY}"
    assert first_fault(run) == ""
    audit = AuditEvent.objects.get(action="run.settle")
    assert (audit.actor_name, audit.data["from"], audit.data["reason"]) == (event.actor, state, WHY)


@pytest.mark.parametrize("state", sorted(TERMINAL_STATES | {RunState.DRAFT}))
def test_a_run_that_is_over_or_a_draft_is_refused(state: RunState) -> None:
    with pytest.raises(Conflict):
        settled(stuck(state))


def test_a_healthy_run_is_to_be_cancelled() -> None:
    for flag in ("", Attention.HELD, Attention.MAINTENANCE, Attention.QUOTA):
        with pytest.raises(Conflict, match="cancel it instead"):
            settled(stuck(attention=flag))
    assert not AuditEvent.objects.exists()


def test_a_system_that_is_off_or_long_silent_is_enough() -> None:
    now = timezone.now()
    silent = {"health": HealthState.DOWN, "health_since": now - timedelta(hours=2)}
    for fields in ({"enabled": False}, silent):
        account = make_account(make_system(**fields))
        assert settled(stuck(attention="", account=account)).state == RunState.FAILED
    lately = make_system(health=HealthState.DOWN, health_since=now - timedelta(minutes=5))
    with pytest.raises(Conflict):
        settled(stuck(attention="", account=make_account(lately)))


def test_only_administrators() -> None:
    lab = make_lab("one", chief=Role.MANAGER)
    run = stuck(lab=lab)
    with pytest.raises(NotAllowed):
        settling.settle(run=run, user=lab.memberships.get().user, outcome="failed", reason=WHY)


@pytest.mark.parametrize(
    ("outcome", "reason", "codes"),
    [
        ("running", WHY, ["outcome"]),
        ("failed", "no", ["reason"]),
        ("failed", "x" * 501, ["reason"]),
        ("failed", "\u202e\u200b \x00 \x07", ["reason"]),
        ("", "", ["outcome", "reason"]),
    ],
)
def test_what_is_wrong_is_named(outcome: str, reason: str, codes: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        settling.settle(run=stuck(), user=make_user(staff=True), outcome=outcome, reason=reason)
    assert [problem.code for problem in caught.value.problems] == codes


def test_whoever_is_first_wins() -> None:
    run = stuck()
    poller, person = Run.objects.get(pk=run.pk), Run.objects.get(pk=run.pk)
    settled(person, "cancelled")
    late = Change(poller, RunState.FINISHING, Confirmation.MARKER)
    assert apply([late], actor="poller") == set()
    other = stuck()
    stale = Run.objects.get(pk=other.pk)
    calm = {"attention": Attention.NONE}
    assert apply([Change(other, RunState.FINISHING, Confirmation.MARKER, fields=calm)], actor="p")
    with pytest.raises(Conflict, match="cancel it instead"):
        settled(stale)
    other.refresh_from_db()
    assert other.state == RunState.FINISHING


def test_the_wish_to_end_the_job_is_kept() -> None:
    assert settled(stuck(), cancel_job=True).desired == Desired.CANCEL
    assert settled(stuck(job_id=""), cancel_job=True).desired == Desired.RUN


def test_the_command_by_hand() -> None:
    run = stuck(account=make_account(make_system(scheduler="pbs")), job_id="7[].pbs")
    assert settling.command_to_cancel(run) == "qdel '7[].pbs'"
    assert settling.command_to_cancel(stuck()) == ""


def test_the_page(client) -> None:
    run = stuck()
    client.force_login(make_user("boss", staff=True))
    address = f"/runs/{run.pk}/settle/"
    assert f'href="{address}"' in client.get(f"/runs/{run.pk}/").content.decode()
    page = client.get(address).content.decode()
    assert "Centro stops watching it" in page and 'id="cancel-job" checked' in page
    answer = client.post(address, {"outcome": "failed", "reason": "x"})
    assert answer.status_code == 400 and "expected 5 to 500" in answer.content.decode()
    done = client.post(address, {"outcome": "failed", "reason": "<b>gone</b>"}, follow=True)
    page = done.content.decode()
    assert 'id="settled"' in page and "Marked as failed by boss: &lt;b&gt;gone" in page
    assert 'id="settle-button"' not in page
    assert client.get(address).status_code == 409
    assert client.post(address, {"outcome": "failed", "reason": WHY}).status_code == 409


def test_the_api(client) -> None:
    run = stuck()
    client.force_login(make_user("boss", staff=True))
    address = f"/api/v1/runs/{run.pk}/settle/"

    def post(body: dict[str, Any]) -> Any:
        return client.post(address, body, content_type="application/json")

    good = {"outcome": "succeeded", "reason": WHY}
    for wrong in ({}, {**good, "more": 1}, {**good, "cancel_job": "no"}, {**good, "reason": 5}):
        assert post(wrong).status_code == 400
    shown = post({**good, "cancel_job": False})
    assert (shown.status_code, shown.json()["state"]) == (200, "succeeded")
    assert shown.json()["explanation"] == f"Marked as succeeded by boss: {WHY}"
    assert post(good).status_code == 409
    assert System.objects.get(pk=run.system_id).enabled
