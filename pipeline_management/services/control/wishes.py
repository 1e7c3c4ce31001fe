"""Cancel, hold, release: people state a wish, for one run or for many; the engine carries it out.

A wish is ``desired``, a column of its own; what became of it is another one. A run that waits in Centro obeys at
once. Wishing twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from hpc.errors import SettingsUnusable
from pipeline_management.choices import (
    HOLDABLE_STATES,
    WATCHED_STATES,
    Attention,
    Desired,
    Reason,
    RunState,
)
from pipeline_management.errors import Conflict, NotAllowed
from pipeline_management.models import Run
from pipeline_management.policy import may_control
from pipeline_management.services import audit, dispatch, reasons
from pipeline_management.services.clients import scheduler_of
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

MOST = 500
"""Runs that one request may name."""


class Wish(StrEnum):
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a wish is not granted; ``allowed`` says whether the person may have such wishes at all."""

    text: str
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one wish. ``granted`` is also true where nothing was left to do."""

    run_id: UUID
    granted: bool
    reason: str = ""


_IDLE_STATES = (RunState.DRAFT, RunState.QUEUED)
_NOT_YOURS = "Only its submitter, managers of its lab and administrators can %s this run."
_OVER = "The run is over (%s)."
_WORDS = {Wish.CANCEL: "cancel", Wish.HOLD: "hold", Wish.RELEASE: "release"}


def request(wish: Wish, *, run: Run, user: User, address: str | None = None) -> Run:
    """State a wish for one run; returns the run as it is then.

    Raises ``NotAllowed`` for those who may not, ``Conflict`` where the run can no longer be held or released.
    """
    (refused,) = atomically(partial(_state, wish, [run.pk], user, address)).values()
    if refused is not None:
        raise Conflict(refused.text) if refused.allowed else NotAllowed(refused.text)
    run.refresh_from_db()
    return run


def request_many(
    wish: Wish, run_ids: Iterable[UUID], *, user: User, address: str | None = None
) -> list[Outcome]:
    """State a wish for up to ``MOST`` runs in one transaction, so that the engine passes it on in one go.

    One that is refused keeps no other one from being granted; a run that the person may not see is refused as
    unknown. Outcomes come in the order of the ids.
    """
    wanted = list(dict.fromkeys(run_ids))
    visible = set(
        Run.objects.visible_to(user).filter(pk__in=wanted).order_by().values_list("pk", flat=True)
    )
    work = partial(_state, wish, [pk for pk in wanted if pk in visible], user, address)
    refusals = atomically(work)
    if wish is Wish.CANCEL:  # in a list it matters which of them had ended before
        refusals |= _over(list(visible))
    unknown = Refused("There is no such run, or it is not yours to see.")
    return [
        Outcome(pk, found is None, found.text if found is not None else "")
        for pk in wanted
        for found in (refusals[pk] if pk in visible else unknown,)
    ]


def _over(ids: list[UUID]) -> dict[UUID, Refused]:
    ended = (RunState.SUCCEEDED, RunState.FAILED)
    rows = Run.objects.filter(pk__in=ids, state__in=ended).order_by().only("state", "desired")
    return {run.pk: Refused(_OVER % run.get_state_display().lower()) for run in rows}


def why_not(wish: Wish, run: Run, user: User) -> str:
    """Why the wish would be refused now, "" where it would not. Reads ``run.account.system``."""
    if wish is Wish.CANCEL and RunState(run.state).is_terminal and may_control(user, run):
        return _OVER % run.get_state_display().lower()
    found = _consider(wish, run, user, timezone.now())
    return found.text if isinstance(found, Refused) else ""


def _state(
    wish: Wish, ids: list[UUID], user: User, address: str | None
) -> dict[UUID, Refused | None]:
    """One transaction: lock, judge and change; the refusals by run."""
    locked = Run.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    runs = locked.prefetch_related("account__system").defer("configuration_json", "script")
    now = timezone.now()
    answers: dict[UUID, Refused | None] = {}
    changes = []
    for run in runs:
        found = _consider(wish, run, user, now)
        answers[run.pk] = found if isinstance(found, Refused) else None
        if isinstance(found, Change):
            changes.append(found)
            audit.record(user, f"run.{wish}", str(run.pk), address=address)
    apply(changes, actor=user.get_username())
    for task, account_id in {_bell(wish, change) for change in changes}:
        dispatch.ring_on_commit(task, account_id)
    return answers


def _bell(wish: Wish, change: Change) -> tuple[str, int]:
    passes_on = change.run.state in WATCHED_STATES
    return (dispatch.CANCEL if passes_on else dispatch.SUBMIT), change.run.account_id


def _consider(wish: Wish, run: Run, user: User, now: datetime) -> Change | Refused | None:
    """The change that grants the wish; None where it is fulfilled or on its way."""
    if not may_control(user, run):
        return Refused(_NOT_YOURS % _WORDS[wish], allowed=False)
    if wish is Wish.CANCEL:
        return _cancel(run, user, now)
    if RunState(run.state).is_terminal:
        return Refused(_OVER % run.get_state_display().lower())
    if run.desired == Desired.CANCEL:
        return Refused("The run is being cancelled.")
    return _hold(run, now) if wish is Wish.HOLD else _release(run, now)


def _cancel(run: Run, user: User, now: datetime) -> Change | None:
    if RunState(run.state).is_terminal or run.desired == Desired.CANCEL:
        return None
    fields = {
        "desired": Desired.CANCEL,
        "cancel_requested_at": now,
        "cancel_requested_by": user,
        "next_at": now,
    }
    note = Note("cancel_requested", "portal")
    idle = run.state in _IDLE_STATES and (run.lease_until is None or run.lease_until < now)
    if not idle:
        return Change(run, fields=fields, notes=[note])
    ended = {
        "reason": Reason.CANCELLED_BY_USER,
        "attention": Attention.NONE,
        "attention_text": "",
    }
    return Change(run, RunState.CANCELLED, "portal", {}, {**fields, **ended}, [note])


def _hold(run: Run, now: datetime) -> Change | Refused | None:
    if run.state not in HOLDABLE_STATES:
        return Refused("The job has started already; a running job cannot be held.")
    if run.desired == Desired.HOLD:
        return None
    if run.state != RunState.QUEUED:
        try:
            can = "hold" in scheduler_of(run.account.system).capabilities
        except SettingsUnusable:
            return Refused("Its system's settings cannot be used; ask the administrator.")
        if not can:
            return Refused(
                "Its scheduler cannot hold jobs, and the run has been handed over already."
            )
    # a queued run that is due at no time is not submitted; a submitted one is passed on now
    due = None if run.state == RunState.QUEUED else now
    fields = {"desired": Desired.HOLD, "next_at": due, "tries": 0}
    return Change(run, fields=fields, notes=[Note("hold_requested", "portal")])


def _release(run: Run, now: datetime) -> Change | Refused | None:
    outside = (
        run.state == RunState.SUBMITTED
        and run.desired == Desired.RUN
        and run.hold_sent_at is None
        and reasons.is_held(run.queue_reason)
    )
    if run.desired != Desired.HOLD and not outside:
        return None
    fields: dict[str, object] = {"desired": Desired.RUN, "tries": 0}
    if run.state in (RunState.QUEUED, RunState.SUBMITTED):
        fields["next_at"] = now
    if outside:  # a hold that somebody else has set is now ours to undo
        fields["hold_sent_at"] = now
    return Change(run, fields=fields, notes=[Note("release_requested", "portal")])
