"""The one writer of what jobs report, whichever way it came."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from pipeline_management.choices import DONE_TASKS, RunState, TaskState
from pipeline_management.models import Run, RunEvent, RunTask
from pipeline_management.services.announcing import announce
from pipeline_management.services.reports.merging import key_of, merged_progress, merged_tasks
from pipeline_management.services.reports.wire import Report
from pipeline_management.services.transactions import atomically

logger = logging.getLogger(__name__)

MAX_EVENTS = 100_000
"""Events that one run keeps; more are refused, so that one job cannot fill the database."""
REFUSED = "report_refused"
_CLOCKS_DIFFER = timedelta(hours=1)
_READ = (
    "state", "event_seq", "events_offset", "created_at",
    "progress_sender", "progress_seq", "progress_at",
)  # fmt: skip
_CHANGED = [
    "state", "job_id", "exit_code", "started_at", "ended_at", "resources", "log_path",
    "sender", "seq", "reported_at",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recorded:
    """``accepted`` events were new, ``duplicates`` known before, ``refused`` too many for one run or too late."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0


def record(
    run_id: UUID, reports: Sequence[Report], *, offset: int | None = None, complaint: str = ""
) -> Recorded:
    """Write down what is new among the reports, and with ``offset`` how far the run's file has been read.

    One transaction; the reports' numbers make doing it again harmless. A run that is over takes nothing any more.
    ``complaint`` says what was wrong with lines of the file; the first one goes into the run's history.
    """
    return atomically(partial(_record, run_id, reports, offset, complaint))


def _record(
    run_id: UUID, reports: Sequence[Report], offset: int | None, complaint: str
) -> Recorded:
    # Every writer of this run's events waits for this row, so that what is looked up stays true.
    run = Run.objects.select_for_update().only(*_READ).filter(pk=run_id).first()
    if run is None or RunState(run.state).is_terminal:
        return Recorded(refused=len(reports))
    fresh = _new_ones(run, reports)
    room = max(0, MAX_EVENTS - run.event_seq)
    kept = fresh[:room]
    fields: dict[str, Any] = {}
    if offset is not None and offset != run.events_offset:
        fields["events_offset"] = offset
    if kept:
        _write_events(run, kept)
        fields |= {"event_seq": run.event_seq + len(kept), **merged_progress(run, kept)}
        if any(report.type == "task" for report in kept):
            _write_tasks(run, kept)
            fields |= _counts(run)
    if complaint and not RunEvent.objects.filter(run=run, sender="", type=REFUSED).exists():
        fields["event_seq"] = fields.get("event_seq", run.event_seq) + 1
        RunEvent.objects.create(
            run_id=run.pk, seq=fields["event_seq"], at=timezone.now(), actor="", type=REFUSED,
            data={"text": complaint[:1000]},
        )  # fmt: skip
    if fields:
        Run.objects.filter(pk=run.pk).update(**fields)
    if "event_seq" in fields:
        announce(run.pk, fields["event_seq"], kept[-1].type if kept else REFUSED)
    if len(fresh) > len(kept):
        logger.warning("run %s has reported more than %s events", run_id, MAX_EVENTS)
    return Recorded(len(kept), len(reports) - len(fresh), len(fresh) - len(kept))


def _new_ones(run: Run, reports: Sequence[Report]) -> list[Report]:
    """The reports whose number is not known yet, each once, in the order they came."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for report in reports:
        numbers[report.sender].append(report.seq)
    known: set[tuple[str, int | None]] = set()
    for sender, seqs in numbers.items():
        stored = RunEvent.objects.filter(
            run=run, sender=sender, sender_seq__gte=min(seqs), sender_seq__lte=max(seqs)
        )
        known |= {(sender, seq) for seq in stored.values_list("sender_seq", flat=True)}
    fresh = []
    for report in reports:
        if (report.sender, report.seq) not in known:
            known.add((report.sender, report.seq))
            fresh.append(report)
    return fresh


def _write_events(run: Run, reports: Sequence[Report]) -> None:
    now = timezone.now()
    RunEvent.objects.bulk_create(
        [
            RunEvent(
                run_id=run.pk, seq=run.event_seq + number, at=_time(report.at, run, now),
                actor=report.sender, type=report.type, data=report.data,
                sender=report.sender, sender_seq=report.seq,
            )
            for number, report in enumerate(reports, start=1)
        ],
        batch_size=500,
    )  # fmt: skip


def _time(at: datetime, run: Run, now: datetime) -> datetime:
    """The sender's time where it can be true, else that of the arrival: a node's clock may be anything."""
    return at if run.created_at - _CLOCKS_DIFFER <= at <= now else now


def _write_tasks(run: Run, reports: Sequence[Report]) -> None:
    keys = {key_of(report.data["name"]) for report in reports if report.type == "task"}
    known = {task.key: task for task in RunTask.objects.filter(run=run, key__in=keys)}
    touched = merged_tasks(run, known, reports)
    RunTask.objects.bulk_create([task for key, task in touched.items() if key not in known], 500)
    changed = [task for key, task in touched.items() if key in known]
    for start in range(0, len(changed), 500):
        _update(changed[start : start + 500])


def _update(tasks: list[RunTask]) -> None:
    """One statement that inserts nothing, since each row is there: an UPDATE with a CASE a column and row
    takes MariaDB much longer."""
    targets = ["run", "key"] if connection.features.supports_update_conflicts_with_target else None
    for task in tasks:
        task.pk = None
    RunTask.objects.bulk_create(
        tasks, update_conflicts=True, unique_fields=targets, update_fields=_CHANGED
    )


def _counts(run: Run) -> dict[str, int]:
    found = dict(
        RunTask.objects.filter(run=run)
        .order_by()
        .values_list("state")
        .annotate(number=Count("pk"))
        .values_list("state", "number")
    )
    return {
        "tasks_total": sum(found.values()),
        "tasks_done": sum(found.get(state, 0) for state in DONE_TASKS),
        "tasks_failed": found.get(TaskState.FAILED, 0),
    }
