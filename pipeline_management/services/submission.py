"""From QUEUED to SUBMITTED: lease, write down, submit, write down (P1 to P4 of the protocol)."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import ConnectFailed, HpcError, NotSupported
from hpc.protocol.submission import Answer, Submission, SubmitAnswer, job_script, submit
from hpc.schedulers.base import Scheduler
from pipeline_management.choices import (
    Attention,
    Confirmation,
    Desired,
    HealthState,
    Reason,
    RunKind,
    RunState,
)
from pipeline_management.models import Attempt, Run, System, SystemAccount
from pipeline_management.services import dispatch, faults, leases, maintenance, polling, trouble
from pipeline_management.services.clients import client_for, settle_seconds
from pipeline_management.services.engines.registry import engine_files
from pipeline_management.services.jobspec import job_spec
from pipeline_management.services.reports.environment import job_environment, reporting_files
from pipeline_management.services.run_files import archive, inputs, waiting
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

UNKNOWN_IS_TROUBLE_AFTER = timedelta(minutes=3)
MAX_ATTEMPTS = 3
_WORK = (RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING)
_WAITING = (RunState.QUEUED, RunState.STAGING)
_NO_SPACE = re.compile(r"no space left|quota exceeded|disk quota", re.IGNORECASE)
_STAGE_TRIES = 3


def due_runs(account_id: int) -> QuerySet[Run]:
    """Runs of the account that wait to be submitted, or whose submission is not settled; none while their
    system is in maintenance."""
    return Run.objects.filter(
        ~maintenance.is_held(),
        account_id=account_id,
        kind=RunKind.PIPELINE,
        state__in=_WORK,
        next_at__lte=Now(),
    )


def submit_due(account_id: int) -> int:
    """Submit a batch of the account's due runs; returns how many were worked on.

    Never raises for a system that fails: its runs get a flag and a later next try.
    """
    if not due_runs(account_id).exists():
        return 0
    account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
    try:
        client = client_for(account)
        client.connect()
    except (HpcError, ValueError) as error:
        _postpone(account, error)
        return 0
    with leases.holding() as holder:
        faults.point("P1a")
        runs = atomically(partial(_begin, account_id, holder))
        faults.point("P1b")
        if runs:
            _submit(account, client, runs, holder)
    return len(runs)


def _begin(account_id: int, holder: str) -> list[Run]:
    """P1, one transaction: lease, move to SUBMITTING, write the attempt down."""
    runs = leases.take_runs(due_runs(account_id), holder, settings.CENTRO_SUBMIT_BATCH)
    waits = waiting.waits_of(runs)
    changes = [_first_change(run, waits.get(run.pk)) for run in runs if run.state in _WAITING]
    begun = {change.run.pk for change in changes if change.to is RunState.SUBMITTING}
    changed = apply(changes, actor=holder)
    Attempt.objects.bulk_create(
        [
            Attempt(
                run=run,
                number=run.lost_attempts + 1,
                script_sha256=hashlib.sha256(run.script.encode()).hexdigest(),
            )
            for run in runs
            if run.pk in begun
        ],
        ignore_conflicts=True,
    )
    kept = []
    for run in runs:
        if run.pk in begun & changed:
            run.state = RunState.SUBMITTING
            run.event_seq += 1
            run.tries = 0
        if run.state == RunState.SUBMITTING:
            kept.append(run)
    return kept


def _first_change(run: Run, wait: waiting.Wait | None) -> Change:
    """What becomes of a leased run that waited in Centro."""
    if run.desired == Desired.CANCEL:
        reason = {"reason": Reason.CANCELLED_BY_USER}
        fields = {**reason, **leases.RELEASED}
        return Change(run, RunState.CANCELLED, "portal", reason, fields, fenced=True)
    if run.desired == Desired.HOLD and run.state == RunState.QUEUED:
        # held while it was on its way here: due at no time
        return Change(run, fields={"next_at": None, **leases.RELEASED}, fenced=True)
    if wait is None:
        data = {"attempt": run.lost_attempts + 1}
        return Change(run, RunState.SUBMITTING, "portal", data, {"tries": 0}, fenced=True)
    if wait.lost and run.state == RunState.STAGING:
        return _ended(run, RunState.FAILED, Reason.STAGE_FAILED, wait.text)
    later = timedelta() if wait.lost else waiting.next_look(run.tries)
    fields = {"next_at": timezone.now() + later, "tries": run.tries + 1, **leases.RELEASED}
    to = RunState.STAGING if run.state == RunState.QUEUED else None
    return Change(run, to, "portal", {"text": wait.text} if to else {}, fields, fenced=True)


def _submit(account: SystemAccount, client: SystemClient, runs: list[Run], holder: str) -> None:
    """P2 to P4 for one batch."""
    settle = settle_seconds(account.system)
    answers = _impossible(runs, client.scheduler)
    batch = [_submission(run) for run in runs if run.key not in answers]
    begun = time.monotonic()
    try:
        faults.point("P3a")
        if batch:
            answered = client.run(submit(client.scheduler, batch, settle=settle))
            answers.update(answered)
        faults.point("P3b")
    except HpcError as error:
        logger.warning("submission to %s: %s", account, error)
        text = trouble.describe(error)
        word = Answer.BUSY if isinstance(error, ConnectFailed) else Answer.UNKNOWN
        answers |= {one.key: SubmitAnswer(word, text=text) for one in batch}
    _remember_duration(account.system, (time.monotonic() - begun) / len(runs))
    faults.point("P4a")
    changes = [_settle(run, answers[run.key], client) for run in runs]
    atomically(partial(_write_down, runs, answers, changes, holder))
    faults.point("P4b")
    _ring(account, changes)


def _impossible(runs: list[Run], scheduler: Scheduler) -> dict[str, SubmitAnswer]:
    """Runs that ask for what the scheduler does not have: refused before anything is sent."""
    refused = {}
    for run in runs:
        try:
            scheduler.submit_argv(job_spec(run))
        except (NotSupported, ValueError) as error:
            refused[run.key] = SubmitAnswer(Answer.REJECT, text=str(error))
    return refused


def _submission(run: Run) -> Submission:
    """What goes to the system for one run."""
    return Submission(
        key=run.key,
        directory=run.directory,
        files={
            "config.json": run.configuration_json.encode(),
            "script.sh": run.script.encode(),
            "job.sh": job_script(job_environment(run)),
            **reporting_files(run),
            **engine_files(run),
            **inputs.job_files(run),
            **archive.job_files(run),
        },
        spec=job_spec(run),
        cancel=run.desired == Desired.CANCEL,
    )


def _settle(run: Run, answer: SubmitAnswer, client: SystemClient) -> Change:
    """P4: what the answer makes of the run."""
    if answer.answer is Answer.ID:
        return _submitted(run, answer)
    if answer.answer is Answer.CANCELLED:
        return _ended(run, RunState.CANCELLED, Reason.CANCELLED_BY_USER, "")
    if answer.answer is Answer.REJECT:
        if re.search(client.scheduler.submit_errors.transient, answer.text, re.IGNORECASE):
            away = "unable to contact" in answer.text.lower()
            return _again(run, Attention.CLUSTER_DOWN if away else Attention.HELD, answer.text)
        return _ended(run, RunState.FAILED, Reason.SUBMIT_REJECTED, answer.text)
    if answer.answer is Answer.STAGE:
        if _NO_SPACE.search(answer.text):
            return _again(run, Attention.QUOTA, answer.text)
        if run.tries < _STAGE_TRIES and "checksum" in answer.text.lower():
            return _wait(run, answer)
        return _ended(run, RunState.FAILED, Reason.STAGE_FAILED, answer.text)
    return _wait(run, answer)


def _submitted(run: Run, answer: SubmitAnswer) -> Change:
    pass_on = timezone.now() if run.desired != Desired.RUN else None
    return Change(
        run,
        RunState.SUBMITTED,
        "submission",
        {"job_id": answer.job_id, "how": answer.how},
        {
            "job_id": answer.job_id,
            "submitted_at": datetime.fromtimestamp(answer.submitted, UTC),
            "confirmed_at": timezone.now(),
            "confirmed_source": Confirmation.SUBMISSION,
            "next_at": pass_on,
            "queue_state": "",
            "queue_reason": "",
            "misses": 0,
            "missing_since": None,
            **_CALM,
            **leases.RELEASED,
        },
        fenced=True,
    )


_CALM: dict[str, object] = {
    "tries": 0,
    "attention": Attention.NONE,
    "attention_text": "",
    "attention_since": None,
}


def _ended(run: Run, to: RunState, reason: Reason, text: str) -> Change:
    data = {"reason": reason, "text": text}
    fields = {"reason": reason, "reason_text": text[:1000], "next_at": None, **_CALM}
    return Change(run, to, "submission", data, {**fields, **leases.RELEASED}, fenced=True)


def _again(run: Run, attention: Attention, text: str) -> Change:
    """Surely no job exists and trying later can help: back into the queue."""
    fields = {"next_at": timezone.now() + trouble.pause(run.tries + 1), "tries": run.tries + 1}
    return Change(
        run,
        RunState.QUEUED,
        "submission",
        {"text": text, "attention": attention},
        {**fields, **_flag(run, attention, text), **leases.RELEASED},
        fenced=True,
    )


def _wait(run: Run, answer: SubmitAnswer) -> Change:
    """A job may exist or not: look again soon, submit nothing before that is settled."""
    seconds = float(answer.wait) + 0.5 if answer.answer is Answer.WAIT else 0.0
    later = timedelta(seconds=seconds) if seconds else trouble.pause(min(run.tries, 3))
    fields: dict[str, object] = {"next_at": timezone.now() + later, "tries": run.tries + 1}
    notes = []
    if answer.answer is Answer.UNKNOWN and run.tries == 0:
        notes.append(Note("submit_unknown", "submission", {"text": answer.text}))
    waited = timezone.now() - run.created_at
    if waited > UNKNOWN_IS_TROUBLE_AFTER:
        fields |= _flag(run, Attention.SUBMIT_UNKNOWN, answer.text)
    return Change(run, fields={**fields, **leases.RELEASED}, notes=notes, fenced=True)


def _flag(run: Run, attention: Attention, text: str) -> dict[str, object]:
    since = run.attention_since if run.attention == attention else timezone.now()
    return {"attention": attention, "attention_text": text[:500], "attention_since": since}


def _write_down(
    runs: list[Run], answers: dict[str, SubmitAnswer], changes: list[Change], holder: str
) -> None:
    changed = apply(changes, actor=holder)
    for run in runs:
        answer = answers[run.key]
        if run.pk in changed and answer.answer is Answer.ID:
            Attempt.objects.filter(run=run, number=run.lost_attempts + 1, job_id="").update(
                job_id=answer.job_id,
                found_by=answer.how,
                submitted_at=datetime.fromtimestamp(answer.submitted, UTC),
            )


def _remember_duration(system: System, seconds: float) -> None:
    """Keep the slowest submission; it fades by a tenth with every faster one."""
    slowest = max(seconds, system.submit_seconds * 0.9)
    if slowest > 1.0 or system.submit_seconds > 1.0:
        System.objects.filter(pk=system.pk).update(submit_seconds=slowest)


def _ring(account: SystemAccount, changes: list[Change]) -> None:
    submitted = [change for change in changes if change.to is RunState.SUBMITTED]
    if submitted:
        polling.look_soon(account.pk)
    if any(change.run.desired != Desired.RUN for change in submitted):
        dispatch.ring(dispatch.CANCEL, account.pk)
    if due_runs(account.pk).exists():
        dispatch.ring(dispatch.SUBMIT, account.pk)


def _postpone(account: SystemAccount, error: HpcError | ValueError) -> None:
    """The system cannot be reached, so nothing was begun: the runs stay as they are, flagged."""
    text = trouble.describe(error)
    logger.warning("%s cannot be reached for submission: %s", account, text)
    waiting = due_runs(account.pk)
    failure = error if isinstance(error, HpcError) else None
    later = trouble.pause(min(account.poll_failures, 4), failure)
    attention = trouble.attention_for(failure) if failure else Attention.CREDENTIAL
    ids = list(waiting.values_list("pk", flat=True)[:1000])
    runs = Run.objects.filter(pk__in=ids)
    trouble.flag(runs, attention, text)
    runs.update(next_at=Now() + later)
    health = trouble.health_for(failure) if failure else HealthState.BLOCKED
    trouble.set_health(account.system_id, health, text)
