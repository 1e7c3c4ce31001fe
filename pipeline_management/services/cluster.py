"""What a cluster says of its jobs, nodes and partitions, in its scheduler's words, and ending jobs there.

Many clients ask the same again and again: answers are shared for a moment, per account and process. What
asks the cluster does not touch the database, so that it may run in a thread of its own; what does says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from hpc.commands import Command
from hpc.errors import NotSupported, SchedulerError
from hpc.jobs import JobInfo
from hpc.rows import AccountingRow, EndAnswer, NodeRow, PartitionRow, QueueRow, ReservationRow
from pipeline_management.choices import TERMINAL_STATES, Desired
from pipeline_management.models import Run, SystemAccount
from pipeline_management.policy import may_cancel
from pipeline_management.services import cancellation, job_ids
from pipeline_management.services.clients import client_for
from pipeline_management.services.coalescing import Coalesced, Flight
from pipeline_management.services.system_access import is_shared

FRESH = 2.0
"""Seconds for which an answer about jobs is shared; with two web processes one question a second."""
STALE = 5.0
"""For who need not wait: how old an answer may be while somebody asks for a newer one."""
FRESH_NODES = 5.0
REMEMBERED = timedelta(seconds=300)
"""For so long after its end an id is known, also where the scheduler forgets earlier (MinJobAge)."""

UNKNOWN_ID = "Invalid job id specified"
NOT_YOURS = "User does not have permission to cancel job"
_MOST_IDS = 500
_STAMP_SECONDS = 3600

_jobs: Coalesced[Any] = Coalesced(FRESH, STALE)
_rest: Coalesced[Any] = Coalesced(FRESH_NODES)


class _HasId(Protocol):
    @property
    def job_id(self) -> str: ...


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=_HasId)
N = TypeVar("N", bound=_HasName)


def changed(account: SystemAccount) -> None:
    """To be called after a job was submitted or ended, or a reservation changed: what was heard before does
    not count any more."""
    cache.set(_stamp_key(account), secrets.token_hex(8), _STAMP_SECONDS)


def forget() -> None:
    """Forget every shared answer of this process."""
    _jobs.clear()
    _rest.clear()


def queue(
    account: SystemAccount, ids: Sequence[str] = (), *, everybody: bool = False
) -> list[QueueRow]:
    """The jobs in the queue that are not over: the account's, or everybody's without their files.

    With ``ids`` only those, in the order asked for. Raises ``SchedulerError`` where none of them is known,
    and the ``HpcError`` tree.
    """
    begun = _jobs.now()
    listing = _queue(account, everybody)
    if not ids:
        return listing.active
    found = listing.matching(ids)
    if not all(found.values()):  # perhaps submitted since
        found = _queue(account, everybody, since=begun).matching(ids)
    if not any(found.values()) and not _ended_lately(account, ids):
        raise SchedulerError(f"slurm_load_jobs error: {UNKNOWN_ID}")
    return _active(found)


def heard_of_queue(
    account: SystemAccount, ids: Sequence[str] = (), *, everybody: bool = False
) -> list[QueueRow] | None:
    """What ``queue`` would return, if that is known without asking the cluster; else None."""
    listing: job_ids.Listing | None = _jobs.kept(
        ("queue", account.pk, everybody), stamp=_stamp(account)
    )
    if listing is None or not ids:
        return listing.active if listing is not None else None
    found = listing.matching(ids)
    return _active(found) if all(found.values()) else None


def asking_queue(account: SystemAccount, *, everybody: bool = False) -> Flight[Any] | None:
    """The question about the queue that somebody asks at this moment, or None."""
    return _jobs.on_its_way(("queue", account.pk, everybody), stamp=_stamp(account))


def accounting(
    account: SystemAccount, ids: Sequence[str] = (), start: str = "", end: str = ""
) -> list[AccountingRow]:
    """The account's own jobs as accounting has them: those of ``ids``, or between the times, or today's.

    Times in one of sacct's forms, "" for none. Raises ``NotSupported`` where there is no accounting.
    """
    client = client_for(account)
    command = client.scheduler.accounting_rows(client.username, ids, start, end)
    key = _accounting_key(account, ids, start, end)
    rows: list[AccountingRow] = _jobs.get(key, lambda: client.run(command), stamp=_stamp(account))
    return rows


def heard_of_accounting(
    account: SystemAccount, ids: Sequence[str] = (), start: str = "", end: str = ""
) -> list[AccountingRow] | None:
    """What ``accounting`` would return, if that is known without asking the cluster; else None."""
    rows: list[AccountingRow] | None = _jobs.kept(
        _accounting_key(account, ids, start, end), stamp=_stamp(account)
    )
    return rows


def asking_accounting(
    account: SystemAccount, ids: Sequence[str] = (), start: str = "", end: str = ""
) -> Flight[Any] | None:
    """The same question to accounting that somebody asks at this moment, or None."""
    return _jobs.on_its_way(_accounting_key(account, ids, start, end), stamp=_stamp(account))


def nodes(account: SystemAccount, names: Collection[str] = ()) -> list[NodeRow]:
    """All nodes of the system, or those of these names. Raises ``SchedulerError`` for an unknown name."""
    client = client_for(account)
    rows = _rows(account, "nodes", client.scheduler.node_rows(), names)
    known = {row.name for row in rows}
    for name in names:
        if name not in known:
            raise SchedulerError(f"Node {name} not found")
    return [row for row in rows if not names or row.name in names]


def partitions(account: SystemAccount, names: Collection[str] = ()) -> list[PartitionRow]:
    """All partitions of the system, or those of these names; unknown names are left out."""
    client = client_for(account)
    rows = _rows(account, "partitions", client.scheduler.partition_rows(), names)
    return [row for row in rows if not names or row.name in names]


def reservations(
    account: SystemAccount, names: Collection[str] = (), *, anew: bool = False
) -> list[ReservationRow]:
    """All reservations of the system, or those of these names; ``anew`` takes no answer that others had.

    None where the scheduler knows no reservations.
    """
    client = client_for(account)
    if "reservations" not in client.scheduler.capabilities:
        return []
    rows = _rows(account, "reservations", client.scheduler.reservation_rows(), names, anew=anew)
    return [row for row in rows if not names or row.name in names]


def only_own(person: User, account: SystemAccount, rows: Sequence[R]) -> list[R]:
    """The rows that are the person's: all of them, unless the account is for everybody. Reads the database."""
    if not is_shared(account):
        return list(rows)
    numbers = sorted({job_ids.base_of(row.job_id) for row in rows})
    own: set[str] = set()
    for start in range(0, len(numbers), _MOST_IDS):
        some = numbers[start : start + _MOST_IDS]
        runs = Run.objects.filter(account=account, submitter=person, job_id__in=some)
        own.update(runs.values_list("job_id", flat=True))
    return [row for row in rows if job_ids.base_of(row.job_id) in own]


# --- ending jobs ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """Ids that the person may not end, and those whose end was wished only now."""

    forbidden: frozenset[str]
    wished: frozenset[str]


def begin_ending(
    person: User, account: SystemAccount, ids: Sequence[str], address: str | None = None
) -> Ending:
    """Record the wish for those jobs that are runs of the history, and tell what may not be ended.

    Raises ``SchedulerError`` for what is no job id. Writes to the database.
    """
    for job_id in ids:
        if not job_ids.is_id(job_id, account.system.scheduler):
            raise SchedulerError(f"scancel: error: Invalid job id {job_id}")
    runs = _open_runs(account, {job_ids.base_of(job_id) for job_id in ids})
    forbidden, wished = set(), set()
    for job_id in ids:
        run = runs.get(job_ids.base_of(job_id))
        if run is None:
            if is_shared(account):
                forbidden.add(job_id)
        elif not may_cancel(person, run):
            forbidden.add(job_id)
        elif run.job_id == job_ids.short(job_id):  # else one task of an array: the run goes on
            if run.desired != Desired.CANCEL:
                wished.add(job_id)
            cancellation.request_cancel(run=run, user=person, address=address)
    return Ending(frozenset(forbidden), frozenset(wished))


def end(account: SystemAccount, ids: Sequence[str], ending: Ending) -> str:
    """Let the scheduler end the jobs but the forbidden ones; what it said, a line each.

    At once, for a client waits. The engine asks as well, and if it was quicker the scheduler calls the job
    over: for a job whose end was wished just now that is what was wanted.
    Raises ``SchedulerError`` with the text if any was refused.
    """
    said = dict.fromkeys(ending.forbidden, (False, NOT_YOURS))
    if asked := [job_id for job_id in ids if job_id not in said]:
        client = client_for(account)
        answers = client.run(client.scheduler.end_jobs(asked))
        changed(account)
        for job_id, answer in answers.items():
            taken = answer.is_taken or (answer.is_over and job_id in ending.wished)
            said[job_id] = (taken, _line(job_id, EndAnswer(taken, answer.text)))
    text = "\n".join(dict.fromkeys(said[job_id][1] for job_id in ids))
    if not all(taken for taken, _ in said.values()):
        raise SchedulerError(text)
    return text


def _line(job_id: str, answer: EndAnswer) -> str:
    if answer.is_taken:
        return f"scancel: Terminating job {job_id}"
    if "ermission denied" in answer.text:
        return NOT_YOURS
    return f"scancel: error: Kill job error on job id {job_id}: {answer.text}"


# --- inner works ------------------------------------------------------------------------------


def _queue(
    account: SystemAccount, everybody: bool, since: float = float("-inf")
) -> job_ids.Listing:
    client = client_for(account)
    command = client.scheduler.queue_rows(None if everybody else client.username)

    def ask() -> job_ids.Listing:
        rows = client.run(command)
        return job_ids.Listing(rows)

    key = ("queue", account.pk, everybody)
    listing: job_ids.Listing = _jobs.get(key, ask, stamp=_stamp(account), since=since)
    return listing


def _active(found: Mapping[str, Sequence[QueueRow]]) -> list[QueueRow]:
    chosen = {row.job_id: row for rows in found.values() for row in rows if not row.is_over}
    return list(chosen.values())


def _accounting_key(account: SystemAccount, ids: Sequence[str], start: str, end: str) -> Hashable:
    return ("accounting", account.pk, tuple(ids), start, end)


def _rows(
    account: SystemAccount,
    kind: str,
    command: Command[list[N]],
    names: Collection[str],
    *,
    anew: bool = False,
) -> list[N]:
    begun = _rest.now()
    key = (kind, account.pk)
    client = client_for(account)
    stamp = _stamp(account) if kind == "reservations" else None
    since = begun if anew else float("-inf")
    rows: list[N] = _rest.get(key, lambda: client.run(command), stamp=stamp, since=since)
    if not anew and not set(names) <= {row.name for row in rows}:  # perhaps made since
        rows = _rest.get(key, lambda: client.run(command), stamp=stamp, since=begun)
    return rows


def _ended_lately(account: SystemAccount, ids: Collection[str]) -> bool:
    """Whether one of these jobs is the account's and open, or ended less than ``REMEMBERED`` ago."""
    client = client_for(account)
    numbers = sorted({job_ids.base_of(job_id) for job_id in ids})[:_MOST_IDS]
    try:
        found: dict[str, list[JobInfo]] = _jobs.get(
            ("ended", account.pk, tuple(numbers)),
            lambda: client.run(client.scheduler.history(numbers)),
        )
    except NotSupported:
        return False
    since = timezone.now() - REMEMBERED
    return any(
        job.user == client.username and (job.end_time is None or job.end_time > since)
        for jobs in found.values()
        for job in jobs
    )


def _open_runs(account: SystemAccount, numbers: Iterable[str]) -> dict[str, Run]:
    """The runs that are not over, by job id."""
    runs = Run.objects.filter(account=account, job_id__in=list(numbers))
    open_runs = runs.exclude(state__in=TERMINAL_STATES).select_related("version", "lab")
    return {run.job_id: run for run in open_runs}


def _stamp_key(account: SystemAccount) -> str:
    return f"cluster-stamp:{account.pk}"


def _stamp(account: SystemAccount) -> object:
    return cache.get(_stamp_key(account))
