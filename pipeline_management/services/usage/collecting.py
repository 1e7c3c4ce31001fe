"""Ask accounting what ended runs have used. It changes no run: whatever fails here is asked again later."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError, NotSupported
from hpc.schedulers.base import MAX_IDS
from hpc.usage import JobUsage, Total, total
from pipeline_management.choices import SchedulerKind, UsageSource
from pipeline_management.models import Run, RunTask, RunUsage, SystemAccount
from pipeline_management.services import dispatch, leases, trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.jobspec import parse_walltime
from pipeline_management.services.usage import counting, pending

logger = logging.getLogger(__name__)

BATCH = 100
"""Runs in one round."""
MOST_JOBS = 5_000
"""Jobs of one run that are asked about; of more the first that were reported."""
_NUMBER = re.compile(r"[0-9]{1,18}(?:\[\])?", re.ASCII)
_SOURCES = {
    SchedulerKind.SLURM: UsageSource.SACCT,
    SchedulerKind.PBS: UsageSource.QSTAT,
    SchedulerKind.LOCAL: UsageSource.PROCESS,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One run that is due, and the jobs that it says it has submitted (its own is not among them)."""

    usage: RunUsage
    run: Run
    own: str
    others: tuple[str, ...]


def collect_due(account_id: int) -> int:
    """One batch of the account's runs that are due; how many were recorded. Never raises for a failing system."""
    name = f"usage:{account_id}"
    with leases.holding() as holder:
        if not leases.take_named(name, holder):
            return 0
        try:
            done = _collect(account_id)
        finally:
            leases.release_named(name, holder)
    if done == BATCH:
        dispatch.ring(dispatch.USAGE, account_id)
    return done


def sweep() -> None:
    """Ring for the accounts whose ended runs are due."""
    accounts = pending.due().order_by().values_list("run__account_id", flat=True)[:1000]
    for account_id in set(accounts):
        dispatch.ring(dispatch.USAGE, account_id)


def _collect(account_id: int) -> int:
    account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
    due = pending.due().filter(run__account_id=account_id).order_by("next_at")
    rows = due.select_related("run").defer("run__configuration_json", "run__script")[:BATCH]
    asked = _with_jobs([usage for usage in rows if usage.run.finished_at is not None])
    if not asked:
        return 0
    ids = dict.fromkeys(job for one in asked for job in (one.own, *one.others) if job)
    found: dict[str, list[JobUsage]] | None = {}
    may_come = True
    try:
        if ids:
            client = client_for(account)
            found = _ask(client, list(ids))
    except NotSupported:
        may_come = False
    except (HpcError, ValueError) as error:
        logger.warning("usage on %s was not collected: %s", account, trouble.describe(error))
        found = None
    source = _SOURCES[SchedulerKind(account.system.scheduler)]
    return counting.record({one.run.pk: _columns(one, found, source, may_come) for one in asked})


def _ask(client: SystemClient, ids: list[str]) -> dict[str, list[JobUsage]]:
    found: dict[str, list[JobUsage]] = {}
    for start in range(0, len(ids), MAX_IDS):
        part = client.run(client.scheduler.usage(ids[start : start + MAX_IDS]))
        found |= part
    return found


def _with_jobs(usages: list[RunUsage]) -> list[Asked]:
    """With the jobs that the runs have reported; those that are another run's own are not counted twice."""
    keys = [usage.run_id for usage in usages]
    reported: dict[UUID, dict[str, None]] = {pk: {} for pk in keys}
    tasks = RunTask.objects.filter(run_id__in=keys).exclude(job_id="").order_by("pk")
    for run_id, job_id in tasks.values_list("run_id", "job_id").iterator(chunk_size=2000):
        number = _number(job_id)
        if number and len(reported[run_id]) < MOST_JOBS:
            reported[run_id][number] = None
    others = {number for numbers in reported.values() for number in numbers}
    taken = _own_of_runs(usages[0].run.account_id, others) if usages else set()
    return [
        Asked(usage, usage.run, own := _number(usage.run.job_id),
              tuple(n for n in reported[usage.run_id] if n != own and n not in taken))
        for usage in usages
    ]  # fmt: skip


def _own_of_runs(account_id: int, numbers: Iterable[str]) -> set[str]:
    wanted = sorted(numbers)
    taken: set[str] = set()
    for start in range(0, len(wanted), 500):
        runs = Run.objects.filter(job_id__in=wanted[start : start + 500], account_id=account_id)
        taken.update(runs.order_by().values_list("job_id", flat=True))
    return taken


def _number(job_id: str) -> str:
    """What accounting is asked for: the number of "40", "40_3", "40+1" and "40.server"; "" for anything else."""
    match = _NUMBER.match(job_id)
    return match[0] if match else ""


def _columns(
    one: Asked, found: Mapping[str, list[JobUsage]] | None, source: str, may_come: bool
) -> dict[str, Any]:
    """What is written of one run, and when it is asked for again, if at all."""
    usage, run = one.usage, one.run
    own = (found or {}).get(one.own, []) if one.own else []
    user = own[0].user if own else ""
    others = [
        job for number in one.others for job in (found or {}).get(number, []) if job.user == user
    ]
    sums = total(own, others)
    tries = usage.tries + 1
    complete = not one.own or not may_come or bool(own and sums.is_over)
    values: dict[str, Any] = {
        "tries": min(tries, 30_000),
        "next_at": None if complete else pending.next_try(tries, run.finished_at),
        "collected_at": timezone.now(),
    }
    if own:
        return values | _measured(run, sums) | {"source": source}
    if usage.source in ("", UsageSource.REQUEST):  # an answer of before is better than a guess
        values |= _estimated(run)
    return values


def _measured(run: Run, sums: Total) -> dict[str, Any]:
    of = sums.of
    wait = sums.wait_seconds
    return {
        "wait_seconds": _between(run.submitted_at, run.started_at) if wait is None else wait,
        "elapsed_seconds": sums.elapsed_seconds,
        "walltime_seconds": sums.walltime_seconds,
        "cpus": of.cpus, "gpus": of.gpus, "nodes": of.nodes, "memory_mb": of.memory_mb,
        "cpu_seconds": sums.cpu_seconds, "max_memory_mb": of.max_memory_mb,
        "core_seconds": sums.core_seconds, "gpu_seconds": sums.gpu_seconds, "jobs": sums.jobs,
    }  # fmt: skip


def _estimated(run: Run) -> dict[str, Any]:
    """What Centro knows by itself: what was asked for, and when the run started and ended."""
    asked = run.resources if isinstance(run.resources, dict) else {}
    elapsed = _between(run.started_at, run.ended_at or run.finished_at)
    nodes = _asked(asked, "nodes") or 1
    cpus = (_asked(asked, "cpus") or 1) * max(_asked(asked, "tasks") or 1, nodes)
    gpus = (_asked(asked, "gpus") or 0) * nodes
    return {
        "wait_seconds": _between(run.submitted_at, run.started_at),
        "elapsed_seconds": elapsed,
        "walltime_seconds": _walltime(asked.get("walltime")),
        "cpus": cpus, "gpus": gpus, "nodes": nodes, "memory_mb": _asked(asked, "memory_mb"),
        "core_seconds": None if elapsed is None else elapsed * cpus,
        "gpu_seconds": None if elapsed is None else elapsed * gpus,
        "jobs": int(bool(run.job_id)), "source": UsageSource.REQUEST,
    }  # fmt: skip


def _between(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else max(0, int((end - start).total_seconds()))


def _asked(asked: Mapping[str, Any], name: str) -> int | None:
    value = asked.get(name)
    return value if isinstance(value, int) and 0 < value < 2**31 else None


def _walltime(text: object) -> int | None:
    try:
        return int(parse_walltime(str(text)).total_seconds()) if text else None
    except ValueError:
        return None
