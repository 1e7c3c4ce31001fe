"""The regular rounds. Each may run twice or late without harm: they find work in the database and ring for it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import ApiToken
from hpc.errors import HpcError
from hpc.jobs import JobInfo
from hpc.protocol.cancellation import End, cancel
from pipeline_management.choices import (
    WATCHED_STATES,
    Attention,
    Desired,
    Reason,
    RunKind,
    RunState,
)
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import (
    api_tasks,
    dispatch,
    drafts,
    leases,
    maintenance,
    native_lookup,
    trouble,
)
from pipeline_management.services.catalogue import uploads
from pipeline_management.services.clients import client_for
from pipeline_management.services.control import children, holding
from pipeline_management.services.history import first_fault
from pipeline_management.services.notifications import outbox
from pipeline_management.services.run_files import archive
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

KEY = re.compile(r"c[a-z2-7]{14}")
IDLE_LOOK = timedelta(seconds=60)
"""How often a system without open runs is asked whether it still answers."""
_PARALLEL = 3


def _once(name: str, work: Callable[[], None]) -> bool:
    """Do a round unless another process is at the same one."""
    with leases.holding() as holder:
        if not leases.take_named(name, holder):
            return False
        try:
            work()
        finally:
            leases.release_named(name, holder)
    return True


def _ring_for(task: str, due: QuerySet[Run]) -> None:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    waiting = due.filter(free).order_by().values_list("account_id", flat=True)[:1000]
    counts: dict[int, int] = {}
    for account_id in waiting:
        counts[account_id] = counts.get(account_id, 0) + 1
    for account_id, count in counts.items():
        for _ in range(min(_PARALLEL, 1 + count // 20)):
            dispatch.ring(task, account_id)


def sweep_submit() -> None:
    """Ring for runs that wait to be submitted, but not to a system in maintenance; end the tasks of FirecREST
    that nobody works on."""
    maintenance.mark_runs()
    states = (RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING)
    due = Run.objects.filter(state__in=states, next_at__lte=Now())
    is_job = Q(kind=RunKind.JOB)  # such a run is only looked for
    _ring_for(dispatch.SUBMIT, due.filter(is_job | ~maintenance.is_held()))
    native_lookup.end_tasks()
    api_tasks.end_interrupted()


def sweep_finish() -> None:
    """Ring for runs whose logs are to be collected, and for results that are to go to the store."""
    if archive.due().exists():
        dispatch.ring(dispatch.ARCHIVE, dispatch.NO_ACCOUNT)
    _ring_for(dispatch.FINISH, Run.objects.filter(state=RunState.FINISHING, next_at__lte=Now()))


def sweep_cancel() -> None:
    """Ring for cancellations, holds and releases that are to be passed on, for the first time or again."""
    due = Q(next_at__isnull=True) | Q(next_at__lte=Now())
    cancelled = due & Q(state__in=WATCHED_STATES, desired=Desired.CANCEL)
    _ring_for(dispatch.CANCEL, Run.objects.filter(cancelled | holding.due()))


def sweep_poll() -> None:
    """Ring for accounts with open jobs whose next look is due."""
    open_accounts = (
        Run.objects.filter(state__in=WATCHED_STATES).order_by().values("account_id").distinct()
    )
    due = SystemAccount.objects.filter(
        Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=Now()),
        Q(poll_lease_until__isnull=True) | Q(poll_lease_until__lt=Now()),
        pk__in=open_accounts,
    )
    for account_id in due.values_list("pk", flat=True):
        dispatch.ring(dispatch.POLL, account_id)


def sweep_stale() -> None:
    """Flag runs whose state nobody has confirmed for a while; ask idle systems how they are."""
    _once("sweep:stale", _stale)


def _stale() -> None:
    now = timezone.now()
    for account in SystemAccount.objects.select_related("system").filter(
        runs__state__in=WATCHED_STATES
    ).distinct():  # fmt: skip
        patience = max(3 * account.system.poll_interval, 3 * 60)
        if account.polled_at is None or now - account.polled_at < timedelta(seconds=patience):
            continue
        runs = Run.objects.filter(account=account, state__in=WATCHED_STATES, attention="")
        text = account.poll_error or "The system has not given a complete answer."
        trouble.flag(runs, Attention.STALE, text)
    for account_id in _idle_accounts():
        dispatch.ring(dispatch.POLL, account_id)


def _idle_accounts() -> list[int]:
    """One account of every enabled system that has not been asked for a while: the one last used."""
    ago = timezone.now() - IDLE_LOOK
    rows = (
        SystemAccount.objects.filter(
            Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=Now()),
            Q(system__health_at__isnull=True) | Q(system__health_at__lt=ago),
            system__enabled=True,
        )
        .order_by("system_id", "-polled_at", "pk")
        .values_list("system_id", "pk")
    )
    first: dict[int, int] = {}
    for system_id, pk in rows:
        first.setdefault(system_id, pk)
    return list(first.values())


def sweep_orphans() -> None:
    """Find jobs under our names that no open run stands behind, and end them; and jobs that runs have left
    behind."""
    _once("sweep:orphans", _orphans)


def _orphans() -> None:
    month = timezone.now() - timedelta(days=30)
    accounts = SystemAccount.objects.select_related("system", "credential").filter(
        runs__created_at__gt=month, system__enabled=True
    )
    for account in accounts.distinct():
        try:
            client = client_for(account)
            jobs = client.run(client.scheduler.active(account.username))
            orphans = _orphaned(jobs)
            if orphans:
                client.run(cancel(client.scheduler, orphans))
            children.note_leftovers(client, account.pk)
        except (HpcError, ValueError) as error:
            logger.warning("orphans on %s: %s", account, trouble.describe(error))


def _orphaned(jobs: list[JobInfo]) -> list[tuple[str, str, str, End, str]]:
    """Live jobs of runs that are over. A job of an open run is the poller's; a name that no run has may
    belong to another installation of Centro and is left alone, and so is the job of a run that an administrator
    has settled without the wish to end it: ``children`` shows it on the run."""
    live = {job.name: job for job in jobs if KEY.fullmatch(job.name) and not job.state.is_final}
    orphans = []
    over = Run.objects.filter(key__in=list(live)).exclude(state__in=[s for s in RunState if not s.is_terminal])
    for run in over.defer("configuration_json", "script"):
        if run.reason == Reason.SETTLED and run.desired != Desired.CANCEL:
            continue
        job = live[run.key]
        note = Note("late_evidence", "queue", {"job_id": job.job_id, "native_state": job.native_state})
        apply([Change(run, notes=[note])], actor="sweep:orphans")
        orphans.append((str(run.pk), run.key, job.job_id, End.KICK, run.directory))
        logger.warning("job %s of the finished run %s is ended", job.job_id, run.pk)
    return orphans


def sweep_audit() -> None:
    """Replay the events of the runs that ended in the last two days and compare with their rows."""
    _once("sweep:audit", _audit)


def _audit() -> None:
    since = timezone.now() - timedelta(days=2)
    for run in Run.objects.filter(finished_at__gte=since).iterator(chunk_size=500):
        fault = first_fault(run)
        if fault:
            logger.error("audit of run %s: %s", run.pk, fault)


def sweep_retention() -> None:
    """Delete what is past its use: expired sessions and tasks, tokens that expired a month ago,
    old deliveries and drafts."""
    _once("sweep:retention", _retention)


def _retention() -> None:
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    api_tasks.delete_expired()
    outbox.delete_old()
    drafts.delete_expired()
    uploads.delete_old()
    ApiToken.objects.filter(expires_at__lt=timezone.now() - timedelta(days=30)).delete()
