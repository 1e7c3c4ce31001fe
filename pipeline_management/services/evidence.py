"""What the evidence about one run amounts to. Pure: no database, no clock, no system.

The ladder, strongest first: the result marker that the claim's owner wrote; a terminal record of
accounting; a line of the queue; the started marker. Silence and errors are not on it. Success needs
the result marker; the others can prove failure only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from hpc.jobs import JobInfo, JobState
from hpc.protocol.markers import Markers
from pipeline_management.choices import Confirmation, Reason, RunState


@dataclass(frozen=True, slots=True)
class Known:
    """What the portal knows of the run before this look."""

    state: RunState
    job_id: str
    cancel_wanted: bool
    cancel_sent: bool
    misses: int
    missing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one complete look found. ``listed``: the job's line in the queue. ``record``: accounting's
    current record, if it was asked and had one; ``accounting`` says whether it answered (None: there is
    no accounting). ``claim_job``: who holds the claim, "" for nobody, None when not looked at."""

    listed: JobInfo | None = None
    markers: Markers = field(default_factory=Markers)
    record: JobInfo | None = None
    accounting: bool | None = None
    claim_job: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long doubt lasts. ``grace``: until a file written on a compute node must be visible; ``settle``:
    until a job nobody knows counts as gone; ``phantom``: until a job that the scheduler says runs, and that
    never claimed its run, is kicked out; ``ending``: how long the scheduler may take to say why it ended a
    job. ``polls``: how many complete looks a loss needs."""

    grace: timedelta
    settle: timedelta
    phantom: timedelta
    ending: timedelta = timedelta(minutes=2)
    polls: int = 4


class Verdict(Enum):
    KEEP = auto()
    """As it was, or not enough to say more."""
    WAITING = auto()
    RUNNING = auto()
    SUSPECT = auto()
    """Something is odd: count, and look again."""
    ADOPT = auto()
    """Another job of this run holds the claim: that one is the run's job."""
    LOOK = auto()
    """Look at the directory under its lock before the end is believed."""
    FORGET = auto()
    """The job never started and is gone: take it back, under the lock, if nothing claimed the run."""
    KICK = auto()
    """The scheduler runs a job that never started executing: cancel that job."""
    FINISH = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what goes with it; ``outcome`` and ``reason`` for FINISH, ``job_id`` for ADOPT."""

    verdict: Verdict
    source: Confirmation = Confirmation.NONE
    outcome: RunState | None = None
    reason: Reason = Reason.NONE
    text: str = ""
    exit_code: int | None = None
    signal: int | None = None
    job_id: str = ""
    late_cancel: bool = False


_KEEP = Judgement(Verdict.KEEP)

FAILURES = {
    JobState.TIMEOUT: Reason.TIMEOUT,
    JobState.DEADLINE: Reason.DEADLINE,
    JobState.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
    JobState.NODE_FAIL: Reason.NODE_FAIL,
    JobState.BOOT_FAIL: Reason.BOOT_FAIL,
    JobState.PREEMPTED: Reason.PREEMPTED,
    JobState.LAUNCH_FAILED: Reason.LAUNCH_FAILED,
}
_LOST_BEFORE_START = frozenset(
    {JobState.COMPLETED, JobState.NODE_FAIL, JobState.BOOT_FAIL, JobState.PREEMPTED}
)


def judge(known: Known, sighting: Sighting, now: datetime, timing: Timing) -> Judgement:
    """What to do about a run after one complete look at it."""
    markers = sighting.markers
    owner = _owner(sighting)
    if owner and owner != known.job_id:
        return Judgement(Verdict.ADOPT, Confirmation.MARKER, job_id=owner)
    if markers.result is not None:
        return _with_result(known, sighting, now, timing)
    if sighting.listed is not None and not _is_end(sighting.listed):
        return _listed(known, sighting, sighting.listed, now, timing)
    end = _end(sighting)
    if end is not None:
        return _ended(known, sighting, end, now, timing)
    return _gone(known, sighting, now, timing)


def _owner(sighting: Sighting) -> str:
    """The job that holds the claim, as far as this look tells."""
    if sighting.markers.result is not None:
        return sighting.markers.result.job_id
    if sighting.markers.started is not None:
        return sighting.markers.started.job_id
    return sighting.claim_job or ""


def _claimed(known: Known, sighting: Sighting) -> bool:
    return known.state is RunState.RUNNING or bool(_owner(sighting))


def _is_end(job: JobInfo) -> bool:
    return job.state.is_final


def _end(sighting: Sighting) -> JobInfo | None:
    """The scheduler's word about the end: accounting's, which knows exit codes, else the queue's."""
    for job in (sighting.record, sighting.listed):
        if job is not None and _is_end(job):
            return job
    return None


def _with_result(known: Known, sighting: Sighting, now: datetime, timing: Timing) -> Judgement:
    """The job itself said how it ended; below 128 that is all, above it the scheduler says who ended it."""
    result = sighting.markers.result
    assert result is not None  # noqa: S101  the caller looked
    source = Confirmation.MARKER
    if result.code == 0:
        return Judgement(
            Verdict.FINISH, source, RunState.SUCCEEDED, exit_code=0, late_cancel=known.cancel_wanted
        )
    if result.code < 128:
        text = f"The job script ended with exit code {result.code}."
        return Judgement(
            Verdict.FINISH, source, RunState.FAILED, Reason.EXIT_NONZERO, text,
            exit_code=result.code, late_cancel=known.cancel_wanted,
        )  # fmt: skip
    if known.cancel_sent:
        return Judgement(
            Verdict.FINISH, source, RunState.CANCELLED, Reason.CANCELLED_BY_USER, exit_code=result.code
        )
    end = _end(sighting)
    if end is not None and (end.state in FAILURES or end.state is JobState.CANCELLED):
        return _by_scheduler(known, end, result.code)
    patience = timing.ending if sighting.listed is not None else timing.grace
    if end is None and _waited(known, now) < patience:
        return Judgement(Verdict.SUSPECT, source)
    signal = result.code - 128
    text = f"The job script was ended by signal {signal}."
    return Judgement(
        Verdict.FINISH, source, RunState.FAILED, Reason.SIGNAL, text, result.code, signal
    )


def _listed(
    known: Known, sighting: Sighting, job: JobInfo, now: datetime, timing: Timing
) -> Judgement:
    """The queue lists the job and it has not ended."""
    claimed = _claimed(known, sighting)
    if job.state.is_waiting or job.state is JobState.REQUEUED:
        return _KEEP if claimed else Judgement(Verdict.WAITING, Confirmation.QUEUE)
    if not job.state.is_active:
        return _KEEP
    if claimed:
        return Judgement(Verdict.RUNNING, Confirmation.MARKER)
    if _waited(known, now) >= timing.phantom:
        return Judgement(Verdict.KICK, Confirmation.QUEUE)
    return Judgement(Verdict.SUSPECT, Confirmation.QUEUE)


def _ended(
    known: Known, sighting: Sighting, end: JobInfo, now: datetime, timing: Timing
) -> Judgement:
    """The scheduler says that the job ended; the job itself left no result."""
    source = Confirmation.QUEUE if end.source == "queue" else Confirmation.ACCOUNTING
    waited = _waited(known, now)
    if known.misses < 2 or waited < timing.grace:
        return Judgement(Verdict.SUSPECT, source)
    if end.source == "queue" and sighting.accounting is not None and waited < timing.settle:
        return Judgement(Verdict.SUSPECT, source)  # accounting lags or is busy; it will tell the exit code
    if sighting.claim_job is None:
        return Judgement(Verdict.LOOK, source)
    if _claimed(known, sighting):
        return _by_scheduler(known, end, None)
    if known.cancel_wanted or end.state is JobState.CANCELLED:
        return _cancelled(known, source, end)
    if end.state not in _LOST_BEFORE_START:
        return _failed_to_launch(end, source)
    if known.misses < timing.polls or waited < timing.settle:
        return Judgement(Verdict.SUSPECT, source)
    return Judgement(Verdict.FORGET, source, text=f"{end.native_state} before it started")


def _gone(known: Known, sighting: Sighting, now: datetime, timing: Timing) -> Judgement:
    """Neither the queue nor accounting (if there is any) knows an end of the job."""
    if sighting.accounting is False:
        return Judgement(Verdict.SUSPECT)
    waited = _waited(known, now)
    if known.misses < timing.polls or waited < timing.settle:
        return Judgement(Verdict.SUSPECT)
    if sighting.claim_job is None:
        return Judgement(Verdict.LOOK)
    if not _claimed(known, sighting):
        if known.cancel_wanted:
            return _cancelled(known, Confirmation.QUEUE, None)
        return Judgement(Verdict.FORGET, Confirmation.QUEUE, text="unknown to the scheduler")
    if waited < 2 * timing.settle:
        return Judgement(Verdict.SUSPECT)
    if known.cancel_sent:
        return _cancelled(known, Confirmation.QUEUE, None)
    text = "The job started, is no longer known to the scheduler and left no result."
    return Judgement(
        Verdict.FINISH, Confirmation.QUEUE, RunState.FAILED, Reason.NO_RESULT, text
    )


def _by_scheduler(known: Known, end: JobInfo, code: int | None) -> Judgement:
    """A job that started and that the scheduler ended, or that ended without a result."""
    source = Confirmation.QUEUE if end.source == "queue" else Confirmation.ACCOUNTING
    if known.cancel_sent or end.state is JobState.CANCELLED:
        return _cancelled(known, source, end, code)
    reason = FAILURES.get(end.state)
    if reason is None and end.signal:
        reason = Reason.SIGNAL
    if reason is None and end.state is JobState.FAILED and end.exit_code:
        reason = Reason.EXIT_NONZERO
    if reason is None:
        text = f"The scheduler says {end.native_state}, but the job left no result."
        return Judgement(Verdict.FINISH, source, RunState.FAILED, Reason.NO_RESULT, text)
    text = f"The scheduler says {end.native_state}."
    exit_code = code if code is not None else end.exit_code or None
    return Judgement(
        Verdict.FINISH, source, RunState.FAILED, reason, text, exit_code, end.signal or None
    )


def _failed_to_launch(end: JobInfo, source: Confirmation) -> Judgement:
    reason = FAILURES.get(end.state, Reason.LAUNCH_FAILED)
    code = f", exit code {end.exit_code}" if end.exit_code else ""
    why = f" ({end.reason})" if end.reason not in ("", "None") else ""
    text = f"The scheduler says {end.native_state}{code}{why}; the job script was not reached."
    return Judgement(
        Verdict.FINISH, source, RunState.FAILED, reason, text, end.exit_code or None, end.signal or None
    )


def _cancelled(
    known: Known, source: Confirmation, end: JobInfo | None, code: int | None = None
) -> Judgement:
    wanted = known.cancel_wanted
    reason = Reason.CANCELLED_BY_USER if wanted else Reason.CANCELLED_OUTSIDE
    text = "" if wanted or end is None else f"The scheduler says {end.native_state}."
    return Judgement(
        Verdict.FINISH, source, RunState.CANCELLED, reason, text, exit_code=code
    )


def _waited(known: Known, now: datetime) -> timedelta:
    return now - known.missing_since if known.missing_since is not None else timedelta(0)
