"""Cancelling: people state the wish, the engine carries it out, the cluster's evidence decides."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError, SchedulerError
from hpc.protocol.cancellation import CancelAnswer, End, cancel
from pipeline_management.choices import (
    WATCHED_STATES,
    Attention,
    Desired,
    Reason,
    RunKind,
    RunState,
)
from pipeline_management.errors import NotAllowed
from pipeline_management.models import Run, SystemAccount
from pipeline_management.policy import may_cancel
from pipeline_management.services import audit, dispatch, leases, trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.polling import request_look
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

FAILING_AFTER = timedelta(minutes=5)
_AGAIN = timedelta(seconds=15)
_IDLE_STATES = (RunState.DRAFT, RunState.QUEUED)


def request_cancel(*, run: Run, user: User, address: str | None = None) -> Run:
    """Want the run cancelled; returns it as it is now. Repeating it, and a run that is over, change nothing.

    A run that waits in Centro is cancelled at once; for one that may have a job the request is passed on
    and the state follows when the cluster has confirmed it. Raises ``NotAllowed``.
    """
    if not may_cancel(user, run):
        raise NotAllowed(
            "Only its submitter, managers of its lab and administrators can cancel this run."
        )
    atomically(partial(_want, run.pk, user, address))
    run.refresh_from_db()
    return run


def _want(run_id: UUID, user: User, address: str | None) -> None:
    run = Run.objects.select_for_update().select_related("account").get(pk=run_id)
    if RunState(run.state).is_terminal or run.desired == Desired.CANCEL:
        return
    now = timezone.now()
    fields = {
        "desired": Desired.CANCEL,
        "cancel_requested_at": now,
        "cancel_requested_by": user,
        "next_at": now,
    }
    note = Note("cancel_requested", "portal")
    idle = run.state in _IDLE_STATES and (run.lease_until is None or run.lease_until < now)
    if idle:
        reason = {
            "reason": Reason.CANCELLED_BY_USER,
            "attention": Attention.NONE,
            "attention_text": "",
        }
        change = Change(run, RunState.CANCELLED, "portal", {}, {**fields, **reason}, [note])
    else:
        change = Change(run, fields=fields, notes=[note])
    apply([change], actor=user.get_username())
    audit.record(user, "run.cancel", str(run.pk), address=address)
    if not idle:
        task = dispatch.CANCEL if run.state in WATCHED_STATES else dispatch.SUBMIT
        dispatch.ring_on_commit(task, run.account_id)


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
        jobs = [(str(r.pk), r.key, r.job_id, End.CANCEL, r.directory) for r in pipelines]
        answers = client.run(cancel(client.scheduler, jobs))
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
        fields["next_at"] = now + _AGAIN * min(tries, 8)
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
