"""What a run's tasks and progress become when reports arrive in any order; pure functions.

Reports of one sender are ordered by its numbers, reports of different senders by their times. A report that is older
than what is known changes no state; it may still tell what was not known (a job id, a start).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline_management.choices import TaskState
from pipeline_management.models import Run, RunTask
from pipeline_management.services.reports.wire import Report

MAX_RESOURCES = 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Which report something is from; without a time none yet."""

    sender: str
    seq: int
    at: datetime | None

    def is_before(self, report: Report) -> bool:
        """Whether the report is newer."""
        if self.at is None:
            return True
        if self.sender == report.sender:
            return self.seq < report.seq
        return self.at <= report.at


def key_of(name: str) -> str:
    """By what a task's name is compared."""
    return hashlib.sha256(name.encode()).hexdigest()


def merged_tasks(
    run: Run, known: Mapping[str, RunTask], reports: Iterable[Report]
) -> dict[str, RunTask]:
    """The tasks that the reports change or add, by key. ``known`` is changed in place; nothing is written."""
    touched: dict[str, RunTask] = {}
    for report in reports:
        if report.type != "task":
            continue
        name = report.data["name"]
        key = key_of(name)
        task = touched.get(key) or known.get(key)
        if task is None:
            task = RunTask(run=run, name=name, key=key, reported_at=report.at)
        elif not Origin(task.sender, task.seq, task.reported_at).is_before(report):
            _fill(task, report)
            touched[key] = task
            continue
        _replace(task, report)
        touched[key] = task
    return touched


def _replace(task: RunTask, report: Report) -> None:
    """A newer report: its state counts, and whatever else it says."""
    data = report.data
    state = TaskState(data["state"])
    again = task.seq > 0 and TaskState(task.state).is_over and not state.is_over
    if again:  # it is being done once more: what the last time left is no longer true
        task.exit_code = task.started_at = task.ended_at = None
    task.state = state
    task.sender, task.seq, task.reported_at = report.sender, report.seq, report.at
    task.job_id = data.get("job_id") or task.job_id
    task.log_path = data.get("log_path") or task.log_path
    task.exit_code = data.get("exit_code", task.exit_code)
    task.resources = _resources(task.resources | data.get("resources", {}))
    started = _moment(data.get("started")) or task.started_at
    task.started_at = started or (report.at if state is TaskState.RUNNING else None)
    task.ended_at = (
        (_moment(data.get("ended")) or task.ended_at or report.at) if state.is_over else None
    )


def _fill(task: RunTask, report: Report) -> None:
    """An older report that comes late: it tells what no newer one said."""
    data = report.data
    state = TaskState(data["state"])
    task.job_id = task.job_id or data.get("job_id") or ""
    task.log_path = task.log_path or data.get("log_path") or ""
    task.resources = _resources(data.get("resources", {}) | task.resources)
    started = _moment(data.get("started")) or (report.at if state is TaskState.RUNNING else None)
    if task.started_at is None and TaskState(task.state) not in (TaskState.NEW, TaskState.PENDING):
        task.started_at = started
    if state.is_over and TaskState(task.state).is_over and task.exit_code is None:
        task.exit_code = data.get("exit_code")


def _resources(values: dict[str, Any]) -> dict[str, Any]:
    return dict(list(values.items())[:MAX_RESOURCES])


def _moment(value: float | None) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if value is not None else None


def merged_progress(run: Run, reports: Iterable[Report]) -> dict[str, Any]:
    """The fields of the run that the newest of the progress reports sets; none if it knows a newer one."""
    origin = Origin(run.progress_sender, run.progress_seq, run.progress_at)
    fields: dict[str, Any] = {}
    for report in reports:
        if report.type == "progress" and origin.is_before(report):
            origin = Origin(report.sender, report.seq, report.at)
            fields = {
                "progress": report.data["percent"],
                "progress_text": report.data.get("text", ""),
                "progress_sender": report.sender,
                "progress_seq": report.seq,
                "progress_at": report.at,
            }
    return fields
