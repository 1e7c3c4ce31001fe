"""What a failing system means for runs: a flag and a later next try, never another state."""

from __future__ import annotations

import random
from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.errors import (
    AuthenticationFailed,
    HostKeyMismatch,
    HpcError,
    SchedulerSilent,
    SettingsUnusable,
)
from pipeline_management.choices import Attention, HealthState
from pipeline_management.models import Run, System, SystemAccount

FLAGS_OF_SYSTEMS = (
    Attention.CLUSTER_DOWN,
    Attention.CREDENTIAL,
    Attention.HOSTKEY,
    Attention.STALE,
)
"""Flags that a system's next complete answer clears."""

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 30.0
_LONGEST_PAUSE_BLOCKED = 300.0


def attention_for(error: HpcError) -> Attention:
    """Which flag a failure of the system puts on its runs."""
    if isinstance(error, HostKeyMismatch):
        return Attention.HOSTKEY
    if isinstance(error, AuthenticationFailed | SettingsUnusable):
        return Attention.CREDENTIAL
    return Attention.CLUSTER_DOWN


def health_for(error: HpcError) -> HealthState:
    """What a failure says about the system."""
    if isinstance(error, HostKeyMismatch | AuthenticationFailed | SettingsUnusable):
        return HealthState.BLOCKED
    return HealthState.DEGRADED if isinstance(error, SchedulerSilent) else HealthState.DOWN


def pause(tries: int, error: HpcError | None = None) -> timedelta:
    """How long to wait after ``tries`` failures in a row: 2 s doubling to 30 s, to 5 min where only an
    administrator can help, each with 20 % jitter so that nobody comes back in step."""
    blocked = error is not None and health_for(error) is HealthState.BLOCKED
    longest = _LONGEST_PAUSE_BLOCKED if blocked else _LONGEST_PAUSE
    seconds = min(longest, _FIRST_PAUSE * 2 ** min(tries, 10))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  jitter, not a secret


def flag(runs: QuerySet[Run], attention: Attention, text: str) -> None:
    """Put a flag on runs; ``attention_since`` stays where the same flag is up already."""
    now = timezone.now()
    runs.exclude(attention=attention).update(
        attention=attention, attention_text=text[:500], attention_since=now
    )


def clear(runs: QuerySet[Run], attentions: tuple[Attention, ...] | list[Attention]) -> None:
    """Take these flags down."""
    runs.filter(attention__in=attentions).update(
        attention=Attention.NONE, attention_text="", attention_since=None
    )


def note_failure(account: SystemAccount, error: HpcError) -> None:
    """Remember that the system did not answer: on the account, on the system, on the account's open runs.

    A refused credential or host key and unusable settings show at once, anything else after three failures in a row.
    """
    failures = account.poll_failures + 1
    text = describe(error)
    SystemAccount.objects.filter(pk=account.pk).update(
        poll_failures=failures,
        poll_error=text,
        next_poll_at=Now() + pause(failures, error),
    )
    account.poll_failures = failures
    health = health_for(error)
    if health is HealthState.BLOCKED or failures >= 3:
        set_health(account.system_id, health, text)
        waiting = Run.objects.filter(account=account).exclude(attention=Attention.MAINTENANCE)
        flag(waiting.open(), attention_for(error), text)


def set_health(system_id: int, health: HealthState, reason: str) -> None:
    """Record how a system is, with the time, and since when it is so."""
    System.objects.filter(pk=system_id).exclude(health=health).update(health_since=timezone.now())
    System.objects.filter(pk=system_id).update(
        health=health, health_reason=reason[:500], health_at=timezone.now()
    )


def describe(error: BaseException) -> str:
    """One line for people: what happened, in the system's own words where it gave any."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:500]
