"""Passing holds and releases on to the scheduler. Whether a job is held is what its queue says."""

from __future__ import annotations

import logging
from functools import partial

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError, NotSupported
from pipeline_management.choices import Attention, Desired, RunState
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import leases, trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.polling import request_look
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

FAILING_AFTER = 4
"""Tries after which a scheduler that takes no hold or release is shown on the run."""


def due() -> Q:
    """Which submitted runs the scheduler still has to be told of."""
    to_hold = Q(desired=Desired.HOLD, hold_sent_at__isnull=True)
    to_release = Q(desired=Desired.RUN, hold_sent_at__isnull=False)
    now = Q(next_at__isnull=True) | Q(next_at__lte=Now())
    return now & (to_hold | to_release) & Q(state=RunState.SUBMITTED)


def due_runs(account_id: int) -> QuerySet[Run]:
    """Submitted runs of the account that are to be held or released now."""
    return Run.objects.filter(due(), account_id=account_id)


def hold_due(account_id: int) -> int:
    """Tell the scheduler, in one command for all holds and one for all releases; returns how many runs.

    Never raises for a system that fails: its runs are tried again later.
    """
    if not due_runs(account_id).exists():
        return 0
    with leases.holding() as holder:
        limit = 10 * settings.CENTRO_SUBMIT_BATCH
        runs = atomically(partial(leases.take_runs, due_runs(account_id), holder, limit))
        if not runs:
            return 0
        account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
        wishes = {Desired.HOLD: "hold", Desired.RUN: "release"}
        for desired, verb in wishes.items():
            batch = [run for run in runs if run.desired == desired]
            if batch:
                answer = _tell(account, verb, batch)
                apply([_told(run, verb, answer) for run in batch], actor=holder)
        request_look(account)
    return len(runs)


def _tell(account: SystemAccount, verb: str, runs: list[Run]) -> HpcError | ValueError | None:
    """What went wrong, if anything. A job that is gone or runs by now is no fault: the next look tells."""
    ids = sorted({run.job_id for run in runs})
    try:
        client: SystemClient = client_for(account)
        act = client.scheduler.hold if verb == "hold" else client.scheduler.release
        for start in range(0, len(ids), 500):
            client.run(act(ids[start : start + 500]))
    except (HpcError, ValueError) as error:
        logger.warning("%s on %s: %s", verb, account, trouble.describe(error))
        return error
    return None


def _told(run: Run, verb: str, error: HpcError | ValueError | None) -> Change:
    now = timezone.now()
    if error is None or isinstance(error, NotSupported):
        fields: dict[str, object] = {
            "hold_sent_at": now if verb == "hold" else None,
            "tries": 0,
            "next_at": None,
            **leases.RELEASED,
        }
        if run.attention == Attention.HOLD_FAILING:
            fields |= {"attention": Attention.NONE, "attention_text": "", "attention_since": None}
        data = {"job_id": run.job_id}
        if error is not None:
            data["text"] = trouble.describe(error)
        done = f"{verb}_sent" if error is None else f"{verb}_refused"
        return Change(run, fields=fields, notes=[Note(done, "submission", data)], fenced=True)
    tries = run.tries + 1
    failure = error if isinstance(error, HpcError) else None
    fields = {"tries": tries, "next_at": now + trouble.pause(tries, failure), **leases.RELEASED}
    if tries >= FAILING_AFTER and run.attention == "":
        fields |= {
            "attention": Attention.HOLD_FAILING,
            "attention_text": trouble.describe(error),
            "attention_since": now,
        }
    return Change(run, fields=fields, fenced=True)
