"""Job scripts whose submission gave no answer: look for the job, and say nothing before that is settled.

Nothing here submits. A job that neither the queue nor accounting knows, after a time in which the submit
command has ended for certain, was not submitted.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError
from hpc.protocol.native import NativeAnswer, NativeJob, find_native
from hpc.protocol.submission import Answer
from pipeline_management.choices import (
    Attention,
    Desired,
    Reason,
    RunKind,
    RunState,
    TaskStatus,
)
from pipeline_management.models import ApiTask, Run, SystemAccount
from pipeline_management.models.api_task import OPEN_STATUSES
from pipeline_management.services import api_tasks, dispatch, leases, trouble
from pipeline_management.services.clients import client_for, settle_seconds
from pipeline_management.services.native_outcomes import accepted, job_submit, refused
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, apply

logger = logging.getLogger(__name__)

TROUBLE_AFTER = timedelta(minutes=3)
ANSWER_AFTER = timedelta(minutes=10)
"""How long a client is left waiting at most; the run itself is looked for as long as it takes."""
_CLOCKS = 120
"""Seconds by which the portal's clock and the system's may differ."""


def due_runs(account_id: int) -> QuerySet[Run]:
    """Runs of the account with a job script whose submission is not settled and that nobody works on."""
    return Run.objects.filter(
        account_id=account_id,
        kind=RunKind.JOB,
        state=RunState.SUBMITTING,
        next_at__lte=Now(),
    )


def look_up_due(account_id: int) -> int:
    """Look for the jobs of a batch of runs; returns how many. Never raises for a failing system."""
    if not due_runs(account_id).exists():
        return 0
    with leases.holding() as holder:
        take = partial(leases.take_runs, due_runs(account_id), holder, settings.CENTRO_SUBMIT_BATCH)
        runs = atomically(take)
        if not runs:
            return 0
        account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
        settle = timedelta(seconds=settle_seconds(account.system))
        try:
            client = client_for(account)
            client.connect()
        except (HpcError, ValueError) as error:
            apply([_later(run, trouble.describe(error), settle) for run in runs], actor=holder)
            return len(runs)
        for run in runs:
            _look_up(run, client, settle, holder)
    return len(runs)


def _look_up(run: Run, client: SystemClient, settle: timedelta, holder: str) -> None:
    asked = run.configuration
    job = NativeJob(
        tag=f"centro:{run.key}",
        directory=asked["directory"],
        file=asked["file"],
        stdout=asked.get("stdout"),
        stderr=asked.get("stderr"),
    )
    since = int(run.created_at.timestamp()) - _CLOCKS
    found: NativeAnswer | None
    try:
        found = client.run(
            find_native(client.scheduler, job, since=since, user=run.account.username)
        )
    except (HpcError, ValueError) as error:
        found = NativeAnswer(Answer.UNKNOWN, text=trouble.describe(error))
    if found is None:
        _not_there(run, settle, holder)
    elif found.answer is Answer.ID:
        _found(run, found)
    else:
        apply([_later(run, found.text, settle)], actor=holder)


def _found(run: Run, answer: NativeAnswer) -> None:
    try:
        told = accepted(run, answer, "found")
    except api_tasks.StillRunning:
        return
    api_tasks.finish_of_runs([run], TaskStatus.SUCCESS, told)
    if run.desired == Desired.CANCEL:
        dispatch.ring(dispatch.CANCEL, run.account_id)


def _not_there(run: Run, settle: timedelta, holder: str) -> None:
    now = timezone.now()
    if run.missing_since is None or now - run.missing_since < settle:
        apply([_later(run, "", settle)], actor=holder)
        return
    text = "The job was not submitted: the connection to the system was lost before."
    if run.desired == Desired.CANCEL:
        refused(run, "", reason=Reason.CANCELLED_BY_USER, to=RunState.CANCELLED)
    else:
        refused(run, text)
    api_tasks.finish_of_runs([run], TaskStatus.ERROR, text)


def _later(run: Run, text: str, settle: timedelta) -> Change:
    """Look again soon. The doubt begins with the first look, where nobody was there to note it."""
    now = timezone.now()
    since: datetime = run.missing_since or now
    pause = trouble.pause(min(run.tries, 3))
    left = since + settle - now
    if not text and timedelta(0) < left < pause:
        pause = left
    fields: dict[str, object] = {
        "next_at": now + pause,
        "tries": run.tries + 1,
        "missing_since": since,
        **leases.RELEASED,
    }
    if text and now - since > TROUBLE_AFTER:
        fields |= {
            "attention": Attention.SUBMIT_UNKNOWN,
            "attention_text": text[:500],
            "attention_since": run.attention_since or now,
        }
    return Change(run, fields=fields, fenced=True)


def end_tasks() -> None:
    """Bring the tasks of submissions to an end whose process died between the two writes, or that
    are in doubt for so long that the client should be told."""
    now = timezone.now()
    stuck = ApiTask.objects.filter(status__in=OPEN_STATUSES, run__isnull=False).filter(
        Q(updated_at__lt=now - timedelta(seconds=10)) & ~Q(run__state=RunState.SUBMITTING)
        | Q(created_at__lt=now - ANSWER_AFTER)
    )
    for task in stuck.select_related("run")[:200]:
        _end(task, task.run)


def _end(task: ApiTask, run: Run | None) -> None:
    if run is not None and run.job_id:
        api_tasks.finish(task, TaskStatus.SUCCESS, job_submit(run.job_id, run.job_files))
    elif run is not None and run.state == RunState.SUBMITTING:
        text = (
            "It is not known whether the job was submitted: the system gives no complete answer. The run "
            f"{run.pk} will tell; do not submit it again before."
        )
        api_tasks.finish(task, TaskStatus.ERROR, text)
    else:
        reason = run.reason_text if run is not None else ""
        api_tasks.finish(task, TaskStatus.ERROR, reason or "The job was not submitted.")
