"""Cancelling: people state the wish, the engine carries it out, the cluster's evidence decides."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError, SchedulerError
from hpc.protocol.cancellation import CancelAnswer, end_runs
from pipeline_management.choices import (
    WATCHED_STATES,
    Attention,
    Desired,
    RunKind,
)
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import leases, trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.control import children, wishes
from pipeline_management.services.polling import request_look
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

FAILING_AFTER = timedelta(minutes=5)
_AGAIN = timedelta(seconds=15)


def request_cancel(*, run: Run, user: User, address: str | None = None) -> Run:
    """Want the run cancelled; returns it as it is now. Repeating it, and a run that is over, change nothing.

    A run that waits in Centro is cancelled at once; for one that may have a job the request is passed on
    and the state follows when the cluster has confirmed it. Raises ``NotAllowed``.
    """
    return wishes.request(wishes.Wish.CANCEL, run=run, user=user, address=address)


def due_runs(account_id: int) -> QuerySet[Run]:
    """Runs of the account whose jobs are to be cancelled now, for the first time or again."""
    return Run.objects.filter(
        Q(next_at__isnull=True) | Q(next_at__lte=Now()),
        account_id=account_id,
        state__in=WATCHED_STATES,
        desired=Desired.CANCEL,
    )


def cancel_due(account_id: int) -> int:
    """Pass cancellations on to the scheduler; returns how many. Never raises for a failing system."""
    with leases.holding() as holder:
        take = partial(
            leases.take_runs, due_runs(account_id), holder, 10 * settings.CENTRO_SUBMIT_BATCH
        )
        runs = atomically(take)
        if not runs:
            return 0
        account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
        try:
            client = client_for(account)
            answers = _ask(client, runs)
        except (HpcError, ValueError) as error:
            logger.warning("cancellations on %s: %s", account, trouble.describe(error))
            missing = CancelAnswer(False, trouble.describe(error))
            answers = {str(run.pk): missing for run in runs}
        apply([_passed_on(run, answers.get(str(run.pk))) for run in runs], actor=holder)
        request_look(account)
    return len(runs)


def _ask(client: SystemClient, runs: list[Run]) -> dict[str, CancelAnswer]:
    """Pass cancellations on. Job scripts have no name of ours and no directory for a tombstone: their jobs
    are ended by id, which the last look has found to be theirs."""
    pipelines = [run for run in runs if run.kind == RunKind.PIPELINE]
    answers: dict[str, CancelAnswer] = {}
    if pipelines:
        endings = children.endings(pipelines, client.scheduler.name)
        answers = client.run(end_runs(client.scheduler, endings))
    for run in runs:
        if run.kind == RunKind.JOB:
            try:
                client.run(client.scheduler.cancel([run.job_id]))
                answers[str(run.pk)] = CancelAnswer(True, "")
            except SchedulerError as error:
                answers[str(run.pk)] = CancelAnswer(False, error.text)
    return answers


def _passed_on(run: Run, answer: CancelAnswer | None) -> Change:
    """Ask again until the end is seen: the scheduler's "taken" is no evidence."""
    now = timezone.now()
    tries = run.tries + 1
    fields: dict[str, object] = {"tries": tries, **leases.RELEASED}
    notes = []
    if answer is not None and answer.taken:
        gently = children.is_asked_gently(run, now)
        fields["next_at"] = now + (children.GRACE if gently else _AGAIN * min(tries, 8))
        if run.cancel_sent_at is None:
            fields["cancel_sent_at"] = now
            notes.append(Note("cancel_sent", "submission", {"job_id": run.job_id}))
        if run.attention == Attention.CANCEL_FAILING:
            fields |= {"attention": Attention.NONE, "attention_text": "", "attention_since": None}
    else:
        fields["next_at"] = now + trouble.pause(tries)
        text = answer.text if answer is not None else "no answer"
        asked = run.cancel_requested_at or now
        if now - asked > FAILING_AFTER and run.attention == "":
            fields |= {
                "attention": Attention.CANCEL_FAILING,
                "attention_text": text[:500],
                "attention_since": now,
            }
    return Change(run, fields=fields, notes=notes, fenced=True)
