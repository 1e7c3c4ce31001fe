"""An administrator's check of a system: asked for on a page, made by a worker, followed step by step.

A system that does not answer holds one thread of one worker for a bounded time, and no page.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from pipeline_management.models import SystemAccount, SystemCheck
from pipeline_management.services import audit, dispatch, trouble
from pipeline_management.services.site.connection_check import check_account

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 120.0
"""After this no further step is begun. Each step has its own time limit, of 30 s at most."""
UNHEARD = timedelta(seconds=20)
"""When a check that no worker has begun says so."""
GIVEN_UP = timedelta(minutes=4)
"""When a check that has not ended counts as broken off: its worker was ended."""
KEPT = 20


def begin(account: SystemAccount, person: User, address: str | None = None) -> SystemCheck:
    """Ask for a check; the one that is under way, if there is one."""
    since = timezone.now() - GIVEN_UP
    running = SystemCheck.objects.filter(account=account, ended_at=None, asked_at__gt=since).first()
    if running is None:
        running = SystemCheck.objects.create(account=account, asked_by=person)
        audit.record(person, "system.check", str(account), address=address)
        old = SystemCheck.objects.filter(account=account).order_by("-asked_at")
        SystemCheck.objects.filter(pk__in=list(old.values_list("pk", flat=True)[KEPT:])).delete()
    dispatch.ring_on_commit(dispatch.CHECK, account.pk)
    return running


def work(account_id: int) -> None:
    """Make the checks of the account that nobody has begun."""
    since = timezone.now() - GIVEN_UP
    waiting = SystemCheck.objects.filter(account_id=account_id, begun_at=None, asked_at__gt=since)
    for check in waiting.order_by("asked_at"):
        if SystemCheck.objects.filter(pk=check.pk, begun_at=None).update(begun_at=timezone.now()):
            _make(check)


def _make(check: SystemCheck) -> None:
    account = SystemAccount.objects.select_related("system", "credential").get(pk=check.account_id)
    until = time.monotonic() + DEADLINE_SECONDS
    fault = ""
    try:
        for step in check_account(account):
            check.steps.append(
                {
                    "name": step.name,
                    "outcome": step.outcome,
                    "found": step.found[:1000],
                    "advice": step.advice,
                }
            )
            check.save(update_fields=["steps"])
            if time.monotonic() > until:
                fault = (
                    f"It was ended after {DEADLINE_SECONDS:.0f} s: the system answers too slowly."
                )
                break
    except Exception as error:  # whatever it is, the page must not wait for it for ever
        logger.exception("check of %s", account)
        fault = trouble.describe(error)
    check.fault, check.ended_at = fault[:500], timezone.now()
    check.save(update_fields=["fault", "ended_at"])


def is_open(check: SystemCheck) -> bool:
    """Whether there is more to come."""
    return check.ended_at is None and timezone.now() - check.asked_at < GIVEN_UP


def is_unheard(check: SystemCheck) -> bool:
    """Whether no worker has taken it for so long that perhaps none runs."""
    return check.begun_at is None and timezone.now() - check.asked_at > UNHEARD
