"""The output of a run as text that is safe and pleasant to show."""

from __future__ import annotations

from typing import Any

from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Run
from pipeline_management.services.log_text import readable, whole_characters
from pipeline_management.services.logs import read_log

TAIL = 65_536
MOST = 262_144


def output_context(run: Run, stream: str, offset: int | None) -> dict[str, Any]:
    """What the templates of the output need; ``offset`` None is the end of the stream."""
    piece = read_log(run=run, stream=stream, offset=offset, limit=TAIL if offset is None else MOST)
    going_on = RunState(run.state) not in TERMINAL_STATES
    data, start = piece.data, piece.offset
    if going_on:
        data = data[: whole_characters(data)]
    if offset is None and start > 0:  # begin with a whole line
        first_line_end = data.find(b"\n") + 1
        data, start = data[first_line_end:], start + first_line_end
    if offset is not None and start != offset:  # a kept tail may begin elsewhere; never show a byte twice
        data, start = data[max(0, offset - start) :], max(offset, start)
    unread = piece.source == "system" and not piece.complete and bool(piece.data)
    return {
        "run": run,
        "stream": stream,
        "piece": piece,
        "text": readable(data),
        "skipped": start if offset is None else 0,
        "next_offset": start + len(data) if data else (offset or start),
        "following": going_on or unread,
    }
