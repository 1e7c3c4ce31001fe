"""Watching runs: the queue and the markers in one round trip, and a close look where it matters."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import IncompleteAnswer
from hpc.jobs import JobInfo
from hpc.protocol.markers import Markers, Started, parse_result, parse_started
from hpc.protocol.reports import EventTail, parse_tails, reading_prelude
from hpc.protocol.scripts import program
from hpc.schedulers.base import UNIT, Scheduler


class Watched(NamedTuple):  # thousands a tick: made in a third of a dataclass's time
    """A run to look at: its id, the directory that holds its directory, its recorded job id, and the
    native state and reason last seen (a state of "" asks for all that is known of it).

    ``offset`` is how many bytes of its events file have been read, "" where nothing can be in it yet."""

    run: str
    root: str
    job_id: str
    state: str
    reason: str
    offset: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """A complete answer about the watched runs. ``markers`` has every run that changed or is not listed,
    ``jobs`` (by job id) the listed ones among them. A run in neither is listed and as it was.

    ``tails`` (by run id) is what was added to the events files, read after the markers."""

    jobs: dict[str, JobInfo]
    markers: dict[str, Markers]
    tails: dict[str, EventTail]


def observe(
    scheduler: Scheduler, user: str, watched: Iterable[Watched]
) -> Command[Observation]:
    """One look at everything of one user. Raises ``SchedulerSilent`` or ``IncompleteAnswer``, and then
    nothing at all may be concluded."""
    nonce = secrets.token_hex(8)
    lines: list[str] = []
    root = None
    for one in watched:
        if one.root != root:
            root = one.root
            lines.append(f"R{UNIT}{root}")
        read = f"{UNIT}{one.offset}" if one.offset else ""
        lines.append(f"{one.job_id}{UNIT}{one.run}{UNIT}{one.state}{UNIT}{one.reason}{read}")
    lines.append("")
    text = reading_prelude() + program("observe")
    argv = ("/bin/sh", "-c", text, "centro-observe", nonce, scheduler.record_end)
    return Command(
        argv=(*argv, *scheduler.active_argv(user)),
        parse=lambda result: _parse(scheduler, result, nonce),
        stdin="\n".join(lines).encode("utf-8", "surrogateescape"),
        timeout=60.0,
        max_output=64 * MIB,
        read_only=True,
    )


def _parse(scheduler: Scheduler, result: CommandResult, nonce: str) -> Observation:
    listing, mark, rest = result.text.partition(f"{nonce} ")
    if not mark or not rest.endswith(f"{nonce} end\n"):
        raise IncompleteAnswer(result.error_text[:300] or "the listing came without its end")
    if listing and not listing.endswith("\n"):
        raise IncompleteAnswer("the listing was cut")
    code, _, body = rest.partition("\n")
    if not code.isdecimal():
        raise IncompleteAnswer("the listing came without its exit code")
    jobs = scheduler.parse_active(listing, int(code), result.error_text)
    markers = {}
    said = body.split("\n")[:-2]
    for line in said:
        fields = line.split(UNIT)
        if len(fields) != 4 or fields[0] != "M":
            continue  # a job wrote separators into its own marker: no marker, then
        markers[fields[1]] = Markers(parse_started(fields[2]), parse_result(fields[3]))
    return Observation({job.job_id: job for job in jobs}, markers, parse_tails(said))


class Look(StrEnum):
    """What a close look may do."""

    LOOK = "look"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a run's directory says under its lock. ``word``: looked, forgotten, busy or missing."""

    claim_job: str
    markers: Markers
    word: str


def probe(
    runs: Sequence[tuple[str, str, str, Look]],
) -> Command[dict[str, Probed]]:
    """Look closely at (run id, directory, job id, what to do). FORGET takes back the recorded job id
    where nothing ever claimed the run. A run without an answer is left out of the result."""
    nonce = secrets.token_hex(8)
    lines = [UNIT.join((run, job, look, directory)) for run, directory, job, look in runs]
    return Command(
        argv=("/bin/sh", "-c", program("probe"), "centro-probe", nonce),
        parse=lambda result: _parse_probe(result, nonce),
        stdin="".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"),
        timeout=60.0,
    )


def _parse_probe(result: CommandResult, nonce: str) -> dict[str, Probed]:
    answers = {}
    for line in result.text.splitlines():
        fields = line.split(UNIT)
        if len(fields) == 6 and fields[0] == nonce:
            _, run, claim, started, ended, word = fields
            marked: Started | None = parse_started(started)
            answers[run] = Probed(claim.partition(".")[0], Markers(marked, parse_result(ended)), word)
    return answers
