"""What the demonstration's runs have used, its budget, queues and tasks."""

from __future__ import annotations

import random
from datetime import timedelta

from django.utils import timezone

from accounts.models import Lab
from hpc.jobs import QueueInfo
from pipeline_management.choices import TERMINAL_STATES, TaskState
from pipeline_management.models import Budget, Run, RunTask, RunUsage, System
from pipeline_management.services import queues
from pipeline_management.services.usage import counting

STEPS = ("trim", "align", "mark duplicates", "call variants", "annotate", "report")


def add_usage(lab: Lab, dice: random.Random) -> None:
    """Accounting of every run that is over, and a budget that is three quarters used."""
    found = {}
    for run in Run.objects.filter(state__in=TERMINAL_STATES, finished_at__isnull=False):
        RunUsage.objects.get_or_create(run=run)
        elapsed = int(((run.ended_at or timezone.now()) - (run.started_at or run.created_at)).total_seconds())
        found[run.pk] = {
            "wait_seconds": dice.randint(30, 900), "elapsed_seconds": elapsed, "cpus": 4, "nodes": 1,
            "memory_mb": 16_000, "max_memory_mb": dice.randint(1_500, 9_000), "walltime_seconds": 86_400,
            "cpu_seconds": 3.1 * elapsed, "core_seconds": 4 * elapsed, "gpu_seconds": 0, "source": "sacct",
            "collected_at": timezone.now(),
        }  # fmt: skip
    counting.record(found)
    Budget.objects.create(lab=lab, core_hours=400)


def add_queues(system: System) -> None:
    """Two queues with free places and jobs in line."""
    day = timedelta(days=1)
    queues.store(system, [
        QueueInfo("defq", True, "up", 2 * day, 24, 9, 768, 301, 192_000, 14, 61),
        QueueInfo("gpu", False, "up", day, 4, 0, 128, 6, 384_000, 5, 11),
    ])  # fmt: skip


def add_tasks(run: Run, failed: bool) -> None:
    """The steps of a run: half of them done, the next one running or failed."""
    begun = run.started_at or run.created_at
    for number, name in enumerate(STEPS):
        state = TaskState.COMPLETE if number < 3 else TaskState.PENDING
        if number == 3:
            state = TaskState.FAILED if failed else TaskState.RUNNING
        at = begun + timedelta(minutes=7 * number)
        RunTask.objects.create(
            run=run, name=name, key=name, state=state, job_id=str(48200 + number) if number < 4 else "", seq=number,
            reported_at=at, started_at=at if number < 4 else None,
            exit_code={TaskState.COMPLETE: 0, TaskState.FAILED: 3}.get(state),
            ended_at=at + timedelta(minutes=6) if state in (TaskState.COMPLETE, TaskState.FAILED) else None,
        )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(
        tasks_total=len(STEPS), tasks_done=3, tasks_failed=int(failed), progress=52
    )
