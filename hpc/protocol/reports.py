"""What jobs report: the program they do it with, and reading what it wrote down."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from hpc.protocol.scripts import program
from hpc.quoting import shell_words
from hpc.schedulers.base import UNIT

EVENTS_FILE = "events.ndjson"
TOKEN_FILE = ".token"  # noqa: S105  a file's name
PROGRAM = "bin/centro-event"
"""These three lie in the run's directory."""


@dataclass(frozen=True, slots=True)
class EventTail:
    """``data`` starts at byte ``offset`` of an events file that had ``size`` bytes; it may end inside a line."""

    offset: int
    size: int
    data: bytes

    @property
    def is_cut(self) -> bool:
        """Whether the file had more."""
        return self.offset + len(self.data) < self.size


def reporting_program() -> bytes:
    """The program ``centro-event``, for the run's directory."""
    return program("centro_event").encode()


def reading_prelude() -> str:
    """Shell code that gives the program for reading events files to ``observe.sh``."""
    setting = f"CENTRO_READ_EVENTS={program('read_events')}"
    return f"export {shell_words([setting])}\n"


def parse_tails(lines: Iterable[str]) -> dict[str, EventTail]:
    """By run id what ``read_events.sh`` printed; lines that are something else are left out."""
    tails = {}
    for line in lines:
        fields = line.split(UNIT)
        if len(fields) != 5 or fields[0] != "E" or not (fields[2] + fields[3]).isdecimal():
            continue
        try:
            data = base64.b64decode(fields[4], validate=True)
        except binascii.Error:
            continue
        if data:
            tails[fields[1]] = EventTail(int(fields[2]), int(fields[3]), data)
    return tails
