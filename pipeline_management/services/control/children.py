"""Jobs that a run's own job has submitted: how they end with it, and what is left of them afterwards."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from hpc.client import SystemClient
from hpc.protocol.cancellation import CancelAnswer, End, Ending, end_runs, live
from pipeline_management.choices import Attention, Desired, RunKind, RunState
from pipeline_management.models import Run, RunTask
from pipeline_management.services import leases
from pipeline_management.services.engines.base import CancelSignal
from pipeline_management.services.engines.registry import engine_of
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=30)
"""What a pipeline's runner gets to end its own jobs, before the scheduler ends it with all of them."""
PATIENCE = timedelta(minutes=3)
"""How long a cancelled run waits for the last of its jobs: several times Slurm's KillWait of 30 s."""
_AGAIN = timedelta(seconds=2)


def endings(runs: Iterable[Run], scheduler: str, how: End | None = None) -> list[Ending]:
    """What to tell the system to end these runs, or to sweep up behind them. One query for all runs."""
    listed = list(runs)
    reported: dict[object, list[str]] = defaultdict(list)
    tasks = RunTask.objects.filter(run__in=[run.pk for run in listed]).exclude(job_id="")
    for run_id, job_id in tasks.order_by().values_list("run_id", "job_id"):
        if job_id.isascii() and job_id.isdigit():
            reported[run_id].append(job_id)
    now = timezone.now()
    return [
        Ending(
            run=str(run.pk),
            key=run.key,
            job_id=run.job_id,
            how=how or (End.TERM if is_asked_gently(run, now, scheduler) else End.CANCEL),
            directory=run.directory,
            work=run.work_directory,
            children=tuple(sorted(set(reported[run.pk]))),
        )
        for run in listed
    ]


def is_asked_gently(run: Run, now: datetime, scheduler: str | None = None) -> bool:
    """Whether the run's job has a runner that ends its own jobs, and still has time to do so."""
    if run.version is None or run.state != RunState.RUNNING:
        return False
    if run.cancel_sent_at is not None and now - run.cancel_sent_at >= GRACE - timedelta(seconds=1):
        return False
    name = scheduler or run.system.scheduler
    return engine_of(run.version).cancel_signal(run.version, name) is CancelSignal.BATCH_TERM


def sweep(client: SystemClient, runs: list[Run], holder: str) -> list[Run]:
    """End what cancelled runs have left in the queue; returns the runs of which nothing is left.

    The others are put off for a moment, and looked at again; after ``PATIENCE`` they end with a flag. Raises
    ``HpcError`` where the system does not answer.
    """
    swept = [run for run in runs if run.kind == RunKind.PIPELINE and run.desired == Desired.CANCEL]
    if not swept:
        return runs
    wanted = endings(swept, client.scheduler.name, End.SWEEP)
    answers = client.run(end_runs(client.scheduler, wanted))
    now = timezone.now()
    waiting = {
        run.pk: change
        for run in swept
        for change in (_left(run, answers.get(str(run.pk)), now),)
        if change is not None
    }
    apply(waiting.values(), actor=holder)
    return [run for run in runs if run.pk not in waiting or _is_late(run, now)]


def _left(run: Run, answer: CancelAnswer | None, now: datetime) -> Change | None:
    """Wait on, or the flag with which the run ends; None where nothing is left."""
    if answer is not None and answer.taken and answer.left == 0:
        return None
    if not _is_late(run, now):
        return Change(run, fields={"next_at": now + _AGAIN, **leases.RELEASED}, fenced=True)
    left = answer.left if answer is not None else 0
    return Change(run, fields=_flag(left, now), notes=[Note("jobs_left", "queue", {"count": left})])


def _is_late(run: Run, now: datetime) -> bool:
    return run.ended_at is not None and now - run.ended_at > PATIENCE


def _flag(count: int, now: datetime) -> dict[str, object]:
    number = f"{count} job{'s' if count > 1 else ''}" if count else "Some jobs"
    return {
        "attention": Attention.JOBS_LEFT,
        "attention_text": f"{number} that it had submitted could not be ended.",
        "attention_since": now,
    }


def note_leftovers(client: SystemClient, account_id: int) -> None:
    """Compare the queue of an account with its runs that are over: what a cancelled run has left behind is
    ended, what another one has is shown on it and left alone; a flag of that kind goes when they are gone.

    One round trip, another one only where something is to be ended. Raises ``HpcError``.
    """
    homes: dict[str, list[str]] = defaultdict(list)
    for job in client.run(live(client.scheduler)):
        for directory in {*_parents(job.directory), job.mark} - {""}:
            homes[directory].append(job.job_id)
    over = [state for state in RunState if state.is_terminal]
    runs = Run.objects.filter(account_id=account_id, kind=RunKind.PIPELINE, state__in=over).order_by()
    used = set(
        Run.objects.open().filter(account_id=account_id).exclude(work_directory="")
        .values_list("work_directory", flat=True)
    )  # fmt: skip
    leaving = [
        run
        for run in runs.filter(directory__in=list(homes)).defer("configuration_json", "script")
        if run.directory not in used
    ]
    flagged = runs.filter(attention=Attention.JOBS_LEFT).exclude(pk__in=[run.pk for run in leaving])
    flagged.update(attention=Attention.NONE, attention_text="", attention_since=None)
    cancelled = [run for run in leaving if run.desired == Desired.CANCEL]
    if cancelled:
        wanted = endings(cancelled, client.scheduler.name, End.SWEEP)
        client.run(end_runs(client.scheduler, wanted))
    apply(
        [
            _shown(run, homes[run.directory])
            for run in leaving
            if run not in cancelled and run.attention == ""
        ],
        actor="sweep:orphans",
    )


def _shown(run: Run, ids: list[str]) -> Change:
    some = ", ".join(sorted(ids)[:10]) + (" …" if len(ids) > 10 else "")
    fields: dict[str, object] = {
        "attention": Attention.JOBS_LEFT,
        "attention_text": f"Submitted by the run and still in the queue: {some}."[:500],
        "attention_since": timezone.now(),
    }
    return Change(run, fields=fields, notes=[Note("jobs_left", "queue", {"text": some})])


def _parents(path: str) -> Iterable[str]:
    """A directory and all above it, the root left out."""
    while path not in ("", "/"):
        yield path
        path = path.rpartition("/")[0]
