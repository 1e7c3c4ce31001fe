"""Ending jobs on the system: for a cancelled run a tombstone first, then the scheduler's own command."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hpc.commands import Command, CommandResult
from hpc.errors import SchedulerSilent
from hpc.protocol.scripts import program
from hpc.schedulers.base import UNIT, Scheduler


class End(StrEnum):
    """CANCEL ends the run for good, with all jobs that its own job has submitted. TERM asks the job's script
    to end by itself, and with it what it has started. SWEEP ends what a job that is over has left behind.
    KICK ends one job that has no business any more."""

    CANCEL = "cancel"
    TERM = "term"
    SWEEP = "sweep"
    KICK = "kick"


class Ending(NamedTuple):
    """What is to end: the run's id, its job name and job id, how, its directory, the directory in which it works
    where that is another one, and the ids of jobs that it has reported as its own."""

    run: str
    key: str
    job_id: str
    how: End
    directory: str
    work: str = ""
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Whether the scheduler took the request, which is no evidence that anything ended, and how many jobs of
    the run it still had just before."""

    taken: bool
    text: str
    left: int = 0


def cancel(
    scheduler: Scheduler, runs: Iterable[tuple[str, str, str, End, str]]
) -> Command[dict[str, CancelAnswer]]:
    """Ask for the end of (run id, key, job id, how, directory); see ``end_runs``."""
    return end_runs(scheduler, (Ending(*run) for run in runs))


def end_runs(scheduler: Scheduler, endings: Iterable[Ending]) -> Command[dict[str, CancelAnswer]]:
    """End jobs of any number of runs with one look at the queue and one command to the scheduler.

    The name and id of a run's job must both match, so that a job id that went to somebody else's job does no
    harm. Submitted by the run is what was submitted from its directory or below, by whatever job of it, or
    carries its mark, or is among ``children``. Unanswered runs are left out.
    """
    nonce = secrets.token_hex(8)
    text = f"{scheduler.find_functions}\n{program('cancel')}"
    return Command(
        argv=("/bin/sh", "-c", text, "centro-cancel", nonce),
        parse=lambda result: _parse(result, nonce),
        stdin="".join(map(_line, endings)).encode("utf-8", "surrogateescape"),
        timeout=120.0,
    )


class LiveJob(NamedTuple):
    """A job that has not ended: its id, the directory of the run whose job submitted it, as far as its mark tells
    ("" otherwise), the directory from which it was submitted, and its name."""

    job_id: str
    mark: str
    directory: str
    name: str


def live(scheduler: Scheduler) -> Command[list[LiveJob]]:
    """Every job of the user that has not ended, by where it comes from. Raises ``SchedulerSilent``."""

    def parse(result: CommandResult) -> list[LiveJob]:
        if result.exit_code != 0:
            raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
        rows = (line.split(UNIT) for line in result.text.splitlines())
        return [
            LiveJob(job_id, mark.removesuffix("/.stdin"), directory, name)
            for job_id, mark, directory, name in (row for row in rows if len(row) == 4)
        ]

    text = f"{scheduler.find_functions}\ncentro_live"
    argv = ("/bin/sh", "-c", text, "centro-live")
    return Command(argv=argv, parse=parse, timeout=120.0, read_only=True)


def _line(one: Ending) -> str:
    children = " ".join(one.children)
    fields = (one.run, one.key, one.job_id, one.how, children, one.directory, one.work)
    return f"{UNIT.join(fields)}\n"


def _parse(result: CommandResult, nonce: str) -> dict[str, CancelAnswer]:
    answers = {}
    for line in result.text.splitlines():
        fields = line.split(UNIT)
        if len(fields) == 5 and fields[0] == nonce:
            left = int(fields[3]) if fields[3].isdecimal() else 0
            answers[fields[1]] = CancelAnswer(fields[2] == "taken", fields[4].strip(), left)
    return answers
