"""Reading a run's events file on: what the poller and the end of a run bring home becomes reports."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hpc.client import SystemClient
from hpc.errors import HpcError
from hpc.files.ranges import FileSlice, pieces
from hpc.protocol.reports import EVENTS_FILE, EventTail
from pipeline_management.choices import RunKind
from pipeline_management.errors import InvalidRequest
from pipeline_management.models import Run
from pipeline_management.services import trouble
from pipeline_management.services.reports.recording import record
from pipeline_management.services.reports.wire import MAX_LINE, Report, read_lines

logger = logging.getLogger(__name__)

PART = 1024 * 1024
"""Bytes of one file in one round trip at a run's end."""
_MOST_PARTS = 128


@dataclass(frozen=True, slots=True)
class Taken:
    """How far the file is read now, and how many of its events were new."""

    offset: int
    accepted: int


def take_tails(tails: Mapping[str, EventTail]) -> tuple[int, bool]:
    """Record what a look at an account brought; (new events, whether some file had more)."""
    accepted = 0
    for run, tail in tails.items():
        accepted += take(UUID(run), tail.offset, tail.data).accepted
    return accepted, any(tail.is_cut for tail in tails.values())


def take(run_id: UUID, offset: int, data: bytes, *, last: bool = False) -> Taken:
    """Record the whole lines of ``data``, which begins at byte ``offset``. With ``last`` nothing will be added
    to the file any more, so that its last line counts also without its end."""
    end = len(data) if last else data.rfind(b"\n") + 1
    if end == 0 and len(data) > MAX_LINE:
        end = len(data)  # longer than any event: what comes of it is refused
    if end == 0:
        return Taken(offset, 0)
    reports: list[Report] = []
    complaint = ""
    for item in read_lines(data[:end]):
        if isinstance(item, InvalidRequest):
            complaint = complaint or f"A line of {EVENTS_FILE} is no event: {item.message}"
        else:
            reports.append(item)
    recorded = record(run_id, reports, offset=offset + end, complaint=complaint)
    return Taken(offset + end, recorded.accepted)


def reporting(runs: Sequence[Run]) -> list[Run]:
    """Those of the runs whose jobs may have reported."""
    return [run for run in runs if run.kind == RunKind.PIPELINE and run.started_at is not None]


def place_of(run: Run, offset: int | None = None) -> tuple[str, int, int]:
    """The next part of the run's events file, for ``pieces``."""
    start = run.events_offset if offset is None else offset
    return f"{run.directory}/{EVENTS_FILE}", start, PART


def take_rest(client: SystemClient, run: Run, piece: FileSlice | None) -> None:
    """Record all that is left of an ended job's file, of which ``piece`` is the next part. Raises ``HpcError``."""
    for _ in range(_MOST_PARTS):
        if piece is None:
            return
        if piece.size < piece.offset:  # somebody cut it: what is known is known by its number
            (piece,) = client.run(pieces([place_of(run, 0)]))
            continue
        reached = piece.offset + len(piece.data) >= piece.size
        taken = take(run.pk, piece.offset, piece.data, last=reached)
        if reached:
            return
        (piece,) = client.run(pieces([place_of(run, taken.offset)]))
    logger.warning("the events file of run %s is too long; its end is not read", run.pk)


def take_rest_of(client: SystemClient, parts: Sequence[tuple[Run, FileSlice | None]]) -> None:
    """``take_rest`` for several runs. Raises the first ``HpcError`` after all were tried."""
    failure: HpcError | None = None
    for run, piece in parts:
        try:
            take_rest(client, run, piece)
        except HpcError as error:
            logger.warning("events of run %s were not read: %s", run.pk, trouble.describe(error))
            failure = error
    if failure is not None:
        raise failure
