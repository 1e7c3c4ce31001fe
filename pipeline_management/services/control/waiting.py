"""Why a job waits, and when it may start: asked of the scheduler for all waiting jobs of an account at once, by a
worker, and only while somebody looks. Whoever looks is given what is known and waits for nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from hpc.errors import HpcError, SettingsUnusable
from pipeline_management.choices import RunState
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import dispatch, reasons, trouble
from pipeline_management.services.clients import client_for, scheduler_of

logger = logging.getLogger(__name__)

FRESH_SECONDS = 30
"""How long an answer counts as new. Slurm itself plans every 30 s (bf_interval)."""
KEPT_SECONDS = 600
PATIENCE_SECONDS = 15
"""How long after a question nobody else asks it, whether or not there was an answer."""
MOST = 2000
"""Jobs of one account that are remembered."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is known of a job that waits. ``reason`` is the scheduler's word, ``sentence`` what it means, "" where
    it gave none. ``start`` is when the scheduler expects to start it: a plan that changes with every job that
    comes or ends. ``at`` is when it said so; None: it has not been asked yet, or cannot tell."""

    reason: str
    sentence: str
    priority: int | None = None
    start: datetime | None = None
    at: datetime | None = None
    is_asked: bool = False
    """Whether a newer answer is on its way."""


def waiting_of(run: Run) -> Waiting | None:
    """What is known of a submitted run's job, None for any other run. Touches no system and, with ``run.system``
    at hand, no database; rings for a worker where the answer is missing or old."""
    if run.state != RunState.SUBMITTED:
        return None
    seen = run.queue_reason
    if not _can_tell(run):
        return Waiting(seen, reasons.plain(seen))
    known: dict[str, Any] | None = cache.get(_key(run.account_id))
    is_old = known is None or (timezone.now() - known["at"]).total_seconds() > FRESH_SECONDS
    if is_old and cache.add(f"{_key(run.account_id)}:asked", 1, PATIENCE_SECONDS):
        dispatch.ring(dispatch.WAITING, run.account_id)
    job = known["jobs"].get(run.job_id) if known is not None else None
    if known is None or job is None:
        return Waiting(seen, reasons.plain(seen), is_asked=is_old)
    reason, priority, start = job
    return Waiting(reason, reasons.plain(reason), priority, start, known["at"], is_old)


def _can_tell(run: Run) -> bool:
    try:
        return "waiting" in scheduler_of(run.system).capabilities
    except SettingsUnusable:
        return False


def ask(account_id: int) -> None:
    """Ask the scheduler about the account's waiting jobs and remember the answer for everybody. Never raises for
    a system that fails."""
    account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
    runs = Run.objects.filter(account_id=account_id, state=RunState.SUBMITTED).order_by("-created_at")
    wanted = set(runs.values_list("job_id", flat=True)[:MOST])
    try:
        client = client_for(account)
        jobs = client.run(client.scheduler.waiting(account.username))
    except (HpcError, ValueError) as error:
        logger.info("%s does not say when jobs may start: %s", account, trouble.describe(error))
        return
    found = {j.job_id: (j.reason, j.priority, j.start) for j in jobs if j.job_id in wanted}
    cache.set(_key(account_id), {"at": timezone.now(), "jobs": found}, KEPT_SECONDS)


def _key(account_id: int) -> str:
    return f"waiting:{account_id}"
