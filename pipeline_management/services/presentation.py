"""What a run's columns mean to people: how fresh the state is, and one plain sentence about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hpc.protocol.inputs import FAILED as INPUTS_FAILED
from pipeline_management.choices import (
    WATCHED_STATES,
    Attention,
    Confirmation,
    Desired,
    Reason,
    RunState,
)
from pipeline_management.models import Run
from pipeline_management.services import reasons
from pipeline_management.services.engines.registry import engine_of

_RESOURCES = {
    "queue": gettext_lazy("Queue"),
    "account": gettext_lazy("Account"),
    "qos": gettext_lazy("Quality of service"),
    "walltime": gettext_lazy("Walltime limit"),
    "nodes": gettext_lazy("Nodes"),
    "tasks": gettext_lazy("Tasks"),
    "cpus": gettext_lazy("Processors"),
    "memory_mb": gettext_lazy("Memory (MB)"),
    "gpus": gettext_lazy("GPUs"),
}


def resource_facts(resources: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What a job asks for, with a word for each: only what is given."""
    return [
        (str(_RESOURCES.get(key, key)), value)
        for key, value in resources.items()
        if value is not None
    ]


def last_confirmation(run: Run) -> tuple[datetime | None, Confirmation]:
    """When (aware UTC) and by what the run's state was last confirmed.

    A complete answer about the queue confirms every watched run of its account that is not in doubt, so
    the account's last answer counts too. Reads ``run.account``: select it along.
    """
    own = run.confirmed_at
    polled = run.account.polled_at
    watched = run.state in WATCHED_STATES and run.missing_since is None
    if watched and polled is not None and (own is None or polled > own):
        return polled, Confirmation.QUEUE
    if own is None:
        return run.created_at, Confirmation.PORTAL
    return own, Confirmation(run.confirmed_source)


def explain(run: Run) -> str:
    """Why the run is where it is, in one sentence."""
    state = RunState(run.state)
    if run.reason == Reason.SETTLED:
        return run.reason_text
    if state is RunState.FAILED:
        return _failure(run)
    if state is RunState.CANCELLED:
        outside = run.reason == Reason.CANCELLED_OUTSIDE
        return (
            _("Cancelled outside Centro. ") + run.reason_text
            if outside
            else _("Cancelled on request.")
        )
    if run.desired == Desired.CANCEL and state is RunState.FINISHING:
        return _("The job has ended; what it had submitted is being ended too.")
    if run.desired == Desired.CANCEL and not state.is_terminal:
        return _("Cancelling: waiting for the system to confirm that the job has ended.")
    if run.desired == Desired.HOLD and run.attention in (Attention.NONE, Attention.HELD):
        held = _held(run, state)
        if held:
            return held
    if run.attention:
        label = str(Attention(run.attention).label)
        text = run.attention_text
        return f"{label}: {text}" if text and text != label else f"{label}."
    if state is RunState.SUBMITTED:
        why = reasons.plain(run.queue_reason)
        return _("The job waits in the queue. ") + why if why else _("The job waits in the queue.")
    return str(_STATES[state])


def _held(run: Run, state: RunState) -> str:
    """What became of the wish to hold the run; "" where there is nothing to say."""
    if state is RunState.QUEUED:
        return _("On hold: it is handed to the scheduler once somebody releases it.")
    if state in (RunState.STAGING, RunState.SUBMITTING):
        return _("On hold: its job is held as soon as the scheduler has it.")
    if state is RunState.RUNNING:
        return _("The job is running: it had started before it could be held.")
    if state is not RunState.SUBMITTED:
        return ""
    if run.hold_sent_at is None:
        return _("The scheduler is being asked to hold the job.")
    if reasons.is_held(run.queue_reason):
        return _("On hold: the scheduler keeps the job from starting until somebody releases it.")
    return _("On hold: the scheduler has taken the request.")


def _failure(run: Run) -> str:
    label = str(Reason(run.reason).label) if run.reason else ""
    if run.reason == Reason.EXIT_NONZERO and run.brought_inputs and run.exit_code == INPUTS_FAILED:
        return _(
            "An input could not be brought, so the job script did not begin; the errors say which."
        )
    if run.reason == Reason.EXIT_NONZERO:
        text = _("The job script ended with exit code %(code)s.") % {"code": run.exit_code}
        meaning = engine_of(run.version).exit_meaning(run.exit_code or 0)
        return f"{text.rstrip('.')}: {meaning}." if meaning else text
    if run.reason == Reason.SIGNAL:
        return _("The job was ended by signal %(number)s.") % {"number": run.signal}
    return f"{label}: {run.reason_text}" if run.reason_text else f"{label}."


_STATES = {
    RunState.DRAFT: gettext_lazy("Not submitted yet."),
    RunState.QUEUED: gettext_lazy("Waiting for Centro to submit it."),
    RunState.STAGING: gettext_lazy("Its inputs are on their way to the system."),
    RunState.SUBMITTING: gettext_lazy("Being handed to the scheduler."),
    RunState.RUNNING: gettext_lazy("The job is running."),
    RunState.FINISHING: gettext_lazy("The job has ended; its logs are being collected."),
    RunState.SUCCEEDED: gettext_lazy("The job script ended with exit code 0."),
}
