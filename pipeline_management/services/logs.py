"""Reading a run's output: from the system while it can be reached, else the tail that was kept."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from django.utils import timezone
from django.utils.translation import gettext as _

from hpc.errors import FileMissing, HpcError
from pipeline_management.choices import RunKind, RunState
from pipeline_management.models import Run, RunLog
from pipeline_management.services import log_sharing, log_text, trouble
from pipeline_management.services.engines.registry import engine_of

STREAMS = ("stdout", "stderr", "scheduler")
"""What the job script printed (two streams), and what the scheduler itself wrote about the job."""
RUNNER = "runner"
"""What the engine's own runner wrote, for engines that have one."""
NAMES = (*STREAMS, RUNNER)
"""All streams by name; besides there is ``task:<number>``, the log of one task."""
MAX_LIMIT = 1024 * 1024
MOST_TASKS = 500
_TASK = re.compile(r"task:([1-9][0-9]{0,17})")
_BEFORE_A_JOB = (RunState.DRAFT, RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING)

Lines = Literal["", "end", "whole"]


@dataclass(frozen=True, slots=True)
class LogSlice:
    """Bytes ``offset`` to ``next_offset`` of a stream of ``size`` bytes at the time ``at`` (aware UTC).

    ``complete``: the run is over and this slice reaches the end. ``source``: "system" (read now), "stored"
    (the tail kept when the run ended) or "none"; ``note`` says in a sentence why it is not "system".
    ``starts_line``: the first byte is the first of a line; False where that is not known.
    """

    data: bytes
    offset: int
    next_offset: int
    size: int
    complete: bool
    source: str
    at: datetime
    note: str = ""
    starts_line: bool = False


def streams_of(run: Run) -> tuple[str, ...]:
    """The streams that the run has, without those of tasks. A job script has those whose files are known and
    its own: both in one file are one stream, and those of an array are many files, none of which stands for
    it."""
    if run.kind == RunKind.PIPELINE:
        return NAMES if engine_of(run.version).runner_log else STREAMS
    files = {name: run.job_files.get(name, "") for name in ("stdout", "stderr")}
    if files["stderr"] == files["stdout"]:
        del files["stderr"]
    return tuple(name for name, path in files.items() if path and "%" not in path)


def task_streams(run: Run) -> list[tuple[str, str]]:
    """The streams of the run's tasks that have a log: (stream, the task's name), at most ``MOST_TASKS``."""
    tasks = run.tasks.exclude(log_path="").order_by("pk").values_list("pk", "name")
    return [(f"task:{pk}", name) for pk, name in tasks[:MOST_TASKS]]


def is_stream(name: str) -> bool:
    """Whether there can be a stream of this name, for some run."""
    return name in NAMES or _TASK.fullmatch(name) is not None


def path_of(run: Run, stream: str) -> str:
    """Where a stream's file is on the system. ``ValueError`` for what is no stream's name, ``FileMissing`` for
    a stream that the run does not have, and for the log of a task outside of the run's own directories."""
    if stream in NAMES:
        return _named_path(run, stream)
    match = _TASK.fullmatch(stream)
    if match is None:
        names = ", ".join(NAMES)
        raise ValueError(f"stream {stream!r} is not one of {names} or task: and a number")
    task = run.tasks.filter(pk=int(match[1])).exclude(log_path="").first()
    if task is None:
        raise FileMissing(stream, "the run has no such task, or it has no log")
    # the path is the job's word: nobody may be led to another's file by it
    path = posixpath.normpath(posixpath.join(run.works_in, task.log_path))
    if not any(path.startswith(f"{top}/") for top in (run.works_in, run.directory) if top):
        raise FileMissing(stream, "the task's log is not in the run's directory")
    return path


def path_now(run: Run, stream: str) -> str:
    """``path_of``, and ``FileMissing`` for a run that has no job yet, without asking the system."""
    path = path_of(run, stream)
    if not run.job_id or RunState(run.state) in _BEFORE_A_JOB:
        raise FileMissing(path, "the run has no job yet")
    return path


def _named_path(run: Run, stream: str) -> str:
    if run.kind == RunKind.JOB or stream == RUNNER:
        if stream not in streams_of(run):
            raise FileMissing(stream, "the job has no such file")
        if stream == RUNNER:
            return posixpath.join(run.works_in, engine_of(run.version).runner_log)
        return str(run.job_files[stream])
    name = f"job.{run.job_id}.out" if stream == "scheduler" else stream
    return posixpath.join(run.directory, name)


def read_log(
    *,
    run: Run,
    stream: str,
    offset: int | None = None,
    limit: int = 65536,
    before: int | None = None,
    lines: Lines = "",
) -> LogSlice:
    """Read up to ``limit`` bytes (at most 1 MiB) from ``offset``; None or negative counts from the end.

    ``before``, instead of ``offset``: the bytes that end there. ``lines``: "end" for whole lines where
    ``offset`` is the border of what was read before, "whole" to begin at the first line from there on, too.
    Only a line longer than ``limit`` is then cut, between characters, and what stands at the end of the
    stream comes without its newline. What was read less than a second ago may come again.

    Never raises for a system that fails: the kept tail comes instead, with a note. ``ValueError`` for an
    unknown stream.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    if not is_stream(stream):
        path_of(run, stream)
    start = -limit if offset is None else offset
    if before is not None:
        start = max(0, before - limit)
        limit = max(0, before) - start
    if not lines:
        return _fetch(run, stream, start, limit)
    look = 0 if start == 0 else 1
    found = _fetch(run, stream, start - look, limit + look)
    if found.source == "none":
        return found
    if before is not None:  # a kept tail that begins later would give more
        found = replace(found, data=found.data[: max(0, before - found.offset)])
    snap = lines == "whole" or start < 0
    piece = _aligned(found, start, snap=snap, exact=before is not None)
    over = RunState(run.state).is_terminal
    return replace(
        found,
        data=piece.data,
        offset=piece.offset,
        next_offset=piece.end,
        complete=over and piece.end >= found.size,
        starts_line=piece.starts_line,
    )


def _aligned(found: LogSlice, start: int, *, snap: bool, exact: bool) -> log_text.Piece:
    """Whole lines of what was read with a look back of one byte; ``exact``: its end is a border already."""
    data, offset = found.data, found.offset
    if offset == 0 and start <= 0:
        piece = log_text.begin_at_line(data, 0, look_back=False, snap=snap)
    elif start < 0 or offset == start - 1:
        piece = log_text.begin_at_line(data, offset + 1, look_back=True, snap=snap)
    else:  # the kept tail begins later; what stands before it is not known
        piece = log_text.begin_at_line(b"\0" + data, offset, look_back=True, snap=True)
    if exact or (found.next_offset >= found.size and found.complete):
        return piece
    if found.next_offset >= found.size:
        return log_text.end_with_character(piece)
    return log_text.end_with_line(piece)


def _fetch(run: Run, stream: str, start: int, limit: int) -> LogSlice:
    """Bytes of the stream, a negative ``start`` counted from its end."""
    over = RunState(run.state).is_terminal
    now = timezone.now()
    if not run.job_id or RunState(run.state) in _BEFORE_A_JOB:
        note = _("The run never had a job.") if over else _("The job has not been submitted yet.")
        return LogSlice(b"", 0, 0, 0, over, "none", now, note)
    try:
        path = path_of(run, stream)
        piece = log_sharing.read(run.account, path, start, limit, over=over)
    except FileMissing:
        gone, empty = _("There is no such file on the system."), _("Nothing has been written yet.")
        note = gone if over else empty
        return _stored(run, stream, start, limit, note)
    except (HpcError, ValueError) as error:
        note = _("The system does not answer (%(reason)s); this is what was kept.")
        note %= {"reason": trouble.describe(error)}
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
