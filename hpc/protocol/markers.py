"""The small files by which a job speaks for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Started:
    """The claim's owner began to execute. ``at`` is aware UTC on the compute node's clock."""

    job_id: str
    restarts: int
    at: datetime
    node: str


@dataclass(frozen=True, slots=True)
class Result:
    """The claim's owner ended and says with which exit code (0 to 255)."""

    code: int
    at: datetime
    job_id: str


@dataclass(frozen=True, slots=True)
class Markers:
    """What a run's directory says; None is "not there", never "did not happen"."""

    started: Started | None = None
    result: Result | None = None


def parse_started(text: str) -> Started | None:
    """Read the line "JOBID RESTARTS EPOCH NODE"; None where it is not one (a job may write anything)."""
    fields = text.split()
    if len(fields) != 4 or not (fields[1].isdecimal() and _is_epoch(fields[2])):
        return None
    return Started(fields[0][:64], int(fields[1][:6]), _time(fields[2]), fields[3][:200])


def parse_result(text: str) -> Result | None:
    """Read the line "CODE EPOCH JOBID"; None where it is not one."""
    fields = text.split()
    if len(fields) != 3 or not (fields[0].isdecimal() and _is_epoch(fields[1])):
        return None
    code = int(fields[0][:6])
    return Result(code, _time(fields[1]), fields[2][:64]) if code <= 255 else None


def _is_epoch(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 11


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)
