"""From FINISHING to the end: keep the tails of the logs, then make the decided outcome the state."""

from __future__ import annotations

import logging
from collections import defaultdict
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError
from hpc.files.ranges import MAX_SLICES, FileSlice, pieces
from pipeline_management.choices import RunState
from pipeline_management.models import Run, RunLog, SystemAccount
from pipeline_management.services import causes, dispatch, leases, trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.control import children
from pipeline_management.services.logs import path_of, streams_of
from pipeline_management.services.reports import following
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

TAIL = 64 * 1024
"""Bytes of each stream that are kept in the database."""
GIVE_UP_AFTER = 12
"""Tries to collect the logs, about five minutes; then the run ends without them."""


def due_runs(account_id: int) -> QuerySet[Run]:
    """Runs of the account whose outcome is decided and whose logs are still to be collected."""
    return Run.objects.filter(account_id=account_id, state=RunState.FINISHING, next_at__lte=Now())


def finish_due(account_id: int) -> int:
    """Finish a batch of runs; returns how many were ended or put off. Never raises for a failing system.

    A cancelled run ends when nothing that its job has submitted is left in the queue.
    """
    with leases.holding() as holder:
        take = partial(leases.take_runs, due_runs(account_id), holder, settings.CENTRO_SUBMIT_BATCH)
        runs = atomically(take)
        if not runs:
            return 0
        account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
        try:
            client = client_for(account)
            runs = children.sweep(client, runs, holder)
            collected = _collect(client, runs) if runs else []
        except (HpcError, ValueError) as error:
            logger.warning("logs on %s were not collected: %s", account, trouble.describe(error))
            apply([_later(run, error) for run in runs], actor=holder)
        else:
            atomically(partial(_finish, runs, collected, holder))
    if due_runs(account_id).exists():
        dispatch.ring(dispatch.FINISH, account_id)
    return len(runs)


def _collect(
    client: SystemClient, runs: list[Run]
) -> list[tuple[tuple[Run, str], FileSlice | None]]:
    """The tails of the runs' streams, and what their jobs reported last; as a rule in one round trip."""
    streams = [(run, stream) for run in runs for stream in streams_of(run)]
    reporting = following.reporting(runs)
    wanted = [(path_of(run, stream), -TAIL, TAIL) for run, stream in streams]
    wanted += [following.place_of(run) for run in reporting]
    found: list[FileSlice | None] = []
    for start in range(0, len(wanted), MAX_SLICES):
        part = client.run(pieces(wanted[start : start + MAX_SLICES]))
        found += part
    following.take_rest_of(client, list(zip(reporting, found[len(streams) :], strict=True)))
    return list(zip(streams, found[: len(streams)], strict=True))


def _finish(
    runs: list[Run], collected: list[tuple[tuple[Run, str], FileSlice | None]], holder: str
) -> None:
    now = timezone.now()
    changed = apply([_ended(run) for run in runs], actor=holder)
    logs = [
        RunLog(
            run=run, stream=stream, offset=piece.offset, size=piece.size,
            data=piece.data, collected_at=now,
        )
        for (run, stream), piece in collected
        if piece is not None and run.pk in changed
    ]  # fmt: skip
    RunLog.objects.bulk_create(logs, ignore_conflicts=True)
    tails: dict[UUID, bytes] = defaultdict(bytes)
    for log in sorted(logs, key=lambda log: log.stream == "stderr"):  # its last lines decide
        tails[log.run_id] += bytes(log.data) + b"\n"
    causes.record(tails.keys(), tails)


def _ended(run: Run, notes: tuple[Note, ...] = ()) -> Change:
    data = {"reason": run.reason, "exit_code": run.exit_code}
    fields = {"next_at": None, "tries": 0, **leases.RELEASED}
    return Change(
        run, RunState(run.outcome), run.confirmed_source, data, fields, notes, fenced=True
    )


def _later(run: Run, error: HpcError | ValueError) -> Change:
    """Try again soon; an outcome that is known does not wait for ever for its logs."""
    tries = run.tries + 1
    if tries >= GIVE_UP_AFTER:
        return _ended(run, (Note("logs_not_collected", data={"why": trouble.describe(error)}),))
    failure = error if isinstance(error, HpcError) else None
    fields = {
        "tries": tries,
        "next_at": timezone.now() + trouble.pause(tries, failure),
        **leases.RELEASED,
    }
    return Change(run, fields=fields, fenced=True)
