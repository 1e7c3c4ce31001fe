"""Reading a run's output: from the system while it can be reached, else the tail that was kept."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from hpc.errors import FileMissing, HpcError
from hpc.files.ranges import read_range
from pipeline_management.choices import RunKind, RunState
from pipeline_management.models import Run, RunLog
from pipeline_management.services import trouble
from pipeline_management.services.clients import client_for

STREAMS = ("stdout", "stderr", "scheduler")
"""What the job script printed (two streams), and what the scheduler itself wrote about the job."""
MAX_LIMIT = 1024 * 1024
_BEFORE_A_JOB = (RunState.DRAFT, RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING)


@dataclass(frozen=True, slots=True)
class LogSlice:
    """Bytes ``offset`` to ``next_offset`` of a stream of ``size`` bytes at the time ``at`` (aware UTC).

    ``complete``: the run is over and this slice reaches the end. ``source``: "system" (read now), "stored"
    (the tail kept when the run ended) or "none"; ``note`` says in a sentence why it is not "system".
    """

    data: bytes
    offset: int
    next_offset: int
    size: int
    complete: bool
    source: str
    at: datetime
    note: str = ""


def streams_of(run: Run) -> tuple[str, ...]:
    """The streams that the run has. A job script has those whose files are known and its own: both in one
    file are one stream, and those of an array are many files, none of which stands for it."""
    if run.kind == RunKind.PIPELINE:
        return STREAMS
    files = {name: run.job_files.get(name, "") for name in ("stdout", "stderr")}
    if files["stderr"] == files["stdout"]:
        del files["stderr"]
    return tuple(name for name, path in files.items() if path and "%" not in path)


def path_of(run: Run, stream: str) -> str:
    """Where a stream's file is on the system. ``ValueError`` for a stream that is not in ``STREAMS``,
    ``FileMissing`` for one that the run does not have."""
    if stream not in STREAMS:
        raise ValueError(f"stream {stream!r} is not one of {', '.join(STREAMS)}")
    if run.kind == RunKind.JOB:
        if stream not in streams_of(run):
            raise FileMissing(stream, "the job has no such file")
        return str(run.job_files[stream])
    name = f"job.{run.job_id}.out" if stream == "scheduler" else stream
    return posixpath.join(run.directory, name)


def read_log(*, run: Run, stream: str, offset: int | None = None, limit: int = 65536) -> LogSlice:
    """Read up to ``limit`` bytes (at most 1 MiB) from ``offset``; None or negative counts from the end.

    Never raises for a system that fails: the kept tail comes instead, with a note. ``ValueError`` for an
    unknown stream.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    if stream not in STREAMS:
        raise ValueError(f"stream {stream!r} is not one of {', '.join(STREAMS)}")
    over = RunState(run.state).is_terminal
    now = timezone.now()
    if not run.job_id or RunState(run.state) in _BEFORE_A_JOB:
        note = "The run never had a job." if over else "The job has not been submitted yet."
        return LogSlice(b"", 0, 0, 0, over, "none", now, note)
    start = -limit if offset is None else offset
    try:
        piece = client_for(run.account).run(read_range(path_of(run, stream), start, limit))
    except FileMissing:
        note = "There is no such file on the system." if over else "Nothing has been written yet."
        return _stored(run, stream, start, limit, note)
    except (HpcError, ValueError) as error:
        note = f"The system does not answer ({trouble.describe(error)}); this is what was kept."
        return _stored(run, stream, start, limit, note)
    end = piece.offset + len(piece.data)
    return LogSlice(
        piece.data, piece.offset, end, piece.size, over and end >= piece.size, "system", now
    )


def _stored(run: Run, stream: str, start: int, limit: int, note: str) -> LogSlice:
    """The requested part of the kept tail, as far as it reaches."""
    over = RunState(run.state).is_terminal
    kept = RunLog.objects.filter(run=run, stream=stream).first()
    if kept is None:
        return LogSlice(b"", 0, 0, 0, over, "none", timezone.now(), note)
    begin = max(kept.offset, kept.size + start if start < 0 else start)
    data = bytes(kept.data)[begin - kept.offset :][:limit]
    end = begin + len(data)
    found = LogSlice(
        data, begin, end, kept.size, over and end >= kept.size, "stored", kept.collected_at
    )
    return replace(found, note=note)
