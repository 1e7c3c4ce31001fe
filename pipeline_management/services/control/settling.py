"""An administrator's last word on a run of which nothing can be learnt any more.

The one way in which a run ends without evidence from the scheduler or its job. It stays visible as such for ever:
the reason is ``SETTLED``, and the event's evidence is a person. What comes in later changes nothing any more.
"""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.policy import Viewer
from pipeline_management.choices import (
    OPEN_STATES,
    TERMINAL_STATES,
    Attention,
    Confirmation,
    Desired,
    HealthState,
    Reason,
    RunKind,
    RunState,
    SchedulerKind,
)
from pipeline_management.errors import Conflict, InvalidRequest, NotAllowed, Problem
from pipeline_management.models import Run
from pipeline_management.policy import is_administrator
from pipeline_management.services import audit, causes, leases
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, apply

SHORTEST, LONGEST = 5, 500
"""Characters of the reason that a person gives."""
SILENCE = timedelta(hours=1)
"""How long a system must have been out of reach, for runs that carry no flag of their own."""
OUTCOMES = (RunState.FAILED, RunState.CANCELLED, RunState.SUCCEEDED)
UNCERTAIN = frozenset(
    {
        Attention.CLUSTER_DOWN,
        Attention.CREDENTIAL,
        Attention.HOSTKEY,
        Attention.SUBMIT_UNKNOWN,
        Attention.NO_SIGN_OF_LIFE,
        Attention.ACCOUNTING_OFF,
        Attention.STALE,
        Attention.CANCEL_FAILING,
    }
)
"""Flags with which the truth about a run cannot be learnt at the moment."""
_COMMANDS = {SchedulerKind.SLURM: "scancel", SchedulerKind.PBS: "qdel"}


def settle(
    *,
    run: Run,
    user: User,
    outcome: str,
    reason: str,
    cancel_job: bool = False,
    address: str | None = None,
) -> Run:
    """End the run with ``outcome`` ("failed", "cancelled" or "succeeded") on a person's word; returns it as it is
    then. ``cancel_job`` also wishes for the end of its job, once its system answers again.

    Raises ``NotAllowed`` for all but administrators, ``InvalidRequest`` for an outcome or a reason that cannot be,
    ``Conflict`` where the run is over, or its truth can be learnt, also when that became so just now.
    """
    if not is_administrator(user):
        raise NotAllowed(why_not(run, user))
    text = _checked(outcome, reason)
    wish = cancel_job and can_cancel(run)
    atomically(partial(_settle, run, user, RunState(outcome), text, wish, address))
    run.refresh_from_db()
    return run


def why_not(run: Run, user: Viewer) -> str:
    """Why the person cannot settle the run now, "" where it can be done. Reads ``run.system``."""
    if not is_administrator(user):
        return _("Only administrators can settle a run.")
    return _state_of_things(run, timezone.now())


def can_cancel(run: Run) -> bool:
    """Whether Centro can end the run's job later: it finds jobs of pipelines by their names and directories."""
    return run.kind == RunKind.PIPELINE and bool(run.job_id)


def command_to_cancel(run: Run) -> str:
    """What ends the run's job by hand on its system; "" where it has no job id or there is no such command."""
    command = _COMMANDS.get(SchedulerKind(run.system.scheduler))
    return f"{command} {shlex.quote(run.job_id)}" if command and run.job_id else ""


def _state_of_things(run: Run, now: datetime) -> str:
    if run.state in TERMINAL_STATES:
        state = run.get_state_display().lower()
        return _("The run is over (%(state)s).") % {"state": state}
    if run.state not in OPEN_STATES:
        return _("The run has not been submitted.")
    system = run.system
    silent = system.health in (HealthState.DOWN, HealthState.BLOCKED)
    long_ago = system.health_since is not None and now - system.health_since >= SILENCE
    if run.attention in UNCERTAIN or not system.enabled or (silent and long_ago):
        return ""
    return _("Its system answers and knows the run: cancel it instead.")


def _checked(outcome: str, reason: str) -> str:
    """The reason as one clean line; raises ``InvalidRequest`` with all that is wrong."""
    problems = []
    if outcome not in OUTCOMES:
        named = {"outcomes": ", ".join(OUTCOMES)}
        message = _("outcome: expected one of %(outcomes)s.") % named
        problems.append(Problem("outcome", message, "/outcome"))
    text = causes.clean(reason)
    if not SHORTEST <= len(text) <= LONGEST or len(reason) > LONGEST:
        numbers = {"shortest": SHORTEST, "longest": LONGEST}
        message = _("reason: expected %(shortest)d to %(longest)d characters.") % numbers
        problems.append(Problem("reason", message, "/reason"))
    if problems:
        raise InvalidRequest(problems)
    return text


def _settle(
    run: Run, user: User, outcome: RunState, text: str, cancel_job: bool, address: str | None
) -> None:
    """One transaction: lock, judge again, end."""
    now = timezone.now()
    # without its system beside it: MariaDB would lock that too
    locked = Run.objects.select_for_update().defer("configuration_json", "script")
    current = locked.get(pk=run.pk)
    refused = _state_of_things(current, now)
    if refused:
        raise Conflict(refused)
    name = user.get_username()
    fields = _fields(outcome, f"Marked as {outcome} by {name}: {text}", now)
    if cancel_job:
        fields |= {
            "desired": Desired.CANCEL,
            "cancel_requested_at": current.cancel_requested_at or now,
            "cancel_requested_by": current.cancel_requested_by or user,
        }
    data = {"reason": Reason.SETTLED, "text": text, "job_id": current.job_id}
    apply([Change(current, outcome, Confirmation.PERSON, data, fields)], actor=name)
    details = {"from": current.state, "outcome": outcome, "reason": text, "cancel_job": cancel_job}
    audit.record(user, "run.settle", str(run.pk), address=address, data=details)


def _fields(outcome: RunState, sentence: str, now: datetime) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "reason": Reason.SETTLED,
        "reason_text": sentence[:1000],
        "attention": Attention.NONE,
        "attention_text": "",
        "attention_since": None,
        "misses": 0,
        "missing_since": None,
        "next_at": None,
        "tries": 0,
        "confirmed_at": now,
        "confirmed_source": Confirmation.PERSON,
        **leases.RELEASED,
    }
