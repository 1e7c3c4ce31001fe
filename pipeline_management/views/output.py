"""The output of a run as text that is safe and pleasant to show."""

from __future__ import annotations

import re
from typing import Any

from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Run
from pipeline_management.services.logs import read_log

TAIL = 65_536
MOST = 262_144
# ECMA-48: control sequences (colours, cursor), operating system commands (window titles), single escapes
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def whole_characters(data: bytes) -> int:
    """How many bytes of ``data`` end with a whole UTF-8 character; at most three are left over."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 != 0b1000_0000:
            length = 1 if byte < 0x80 else 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4
            return len(data) - back if length > back and byte >= 0xC0 else len(data)
    return len(data)


def readable(data: bytes) -> str:
    """Text without escape sequences and other control characters.

    A line that was overwritten with carriage returns (progress bars) shows what was written last;
    bytes that are not UTF-8 show as replacement characters.
    """
    text = _ESCAPES.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))


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
