"""Ending jobs on the system: for a cancelled run a tombstone first, then the scheduler's own command."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hpc.commands import Command, CommandResult
from hpc.protocol.scripts import program
from hpc.schedulers.base import UNIT, Scheduler


class End(StrEnum):
    """CANCEL ends the run for good; KICK ends one job that has no business any more."""

    CANCEL = "cancel"
    KICK = "kick"


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Whether the scheduler took the request; no evidence that anything ended."""

    taken: bool
    text: str


def cancel(
    scheduler: Scheduler, runs: Iterable[tuple[str, str, str, End, str]]
) -> Command[dict[str, CancelAnswer]]:
    """Ask for the end of (run id, key, job id, how, directory). Name and id must both match on the scheduler,
    so that a job id that went to somebody else's job does no harm. Unanswered runs are left out."""
    nonce = secrets.token_hex(8)
    lines = "".join(f"{UNIT.join(run)}\n" for run in runs)
    text = f"{scheduler.find_functions}\n{program('cancel')}"
    return Command(
        argv=("/bin/sh", "-c", text, "centro-cancel", nonce),
        parse=lambda result: _parse(result, nonce),
        stdin=lines.encode("utf-8", "surrogateescape"),
        timeout=120.0,
    )


def _parse(result: CommandResult, nonce: str) -> dict[str, CancelAnswer]:
    answers = {}
    for line in result.text.splitlines():
        fields = line.split(UNIT)
        if len(fields) == 4 and fields[0] == nonce:
            answers[fields[1]] = CancelAnswer(fields[2] == "taken", fields[3].strip())
    return answers
