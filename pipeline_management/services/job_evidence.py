"""What the scheduler's word amounts to for a job script of its submitter's own. Pure, like ``evidence``.

There is no marker that the job writes itself, so the scheduler is believed: accounting's terminal record
first, which knows the exit code, then the queue's. A job is never taken back and never submitted again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hpc.jobs import JobInfo, JobState
from pipeline_management.choices import Confirmation, Reason, RunState
from pipeline_management.services.evidence import FAILURES, Judgement, Known, Timing, Verdict

CLOCKS = timedelta(minutes=2)
"""By how much the clocks of a system's nodes may differ."""
LATEST = timedelta(minutes=10)
"""A job of our id that was submitted later than this after ours is another one, unless it was requeued."""


@dataclass(frozen=True, slots=True)
class JobSighting:
    """What one complete look found: the queue's lines and accounting's current records of the job, one for each
    task of an array; ``accounting`` as of ``evidence.Sighting``."""

    listed: Sequence[JobInfo] = ()
    records: Sequence[JobInfo] = ()
    accounting: bool | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a run's job is told from another one that has its id: ids come back after a crash.

    ``seen_until`` is until when looks found it, None if none ever did: a later submit time before that is
    one of a requeue.
    """

    user: str
    directory: str
    submitted_at: datetime | None
    seen_until: datetime | None

    def fits(self, job: JobInfo) -> bool:
        """Whether the job can be the one that was submitted."""
        if job.user not in ("", self.user):
            return False
        if job.workdir and posixpath.normpath(job.workdir) != posixpath.normpath(self.directory):
            return False
        if self.submitted_at is None or job.submit_time is None:
            return True
        if job.submit_time < self.submitted_at - CLOCKS:
            return False
        if job.submit_time <= self.submitted_at + LATEST:
            return True
        return self.seen_until is not None and job.submit_time <= self.seen_until + CLOCKS


def judge_job(known: Known, sighting: JobSighting, now: datetime, timing: Timing) -> Judgement:
    """What to do about a run after one complete look at its job."""
    live = [job for job in sighting.listed if not job.state.is_final]
    if live:
        return _live(known, live)
    if any(not job.state.is_final for job in sighting.records):
        return Judgement(Verdict.SUSPECT)  # accounting has not heard of the end yet
    waited = now - known.missing_since if known.missing_since is not None else timedelta(0)
    ends = {job.job_id: job for job in sighting.listed}
    recorded = {job.job_id: job for job in sighting.records}
    ends |= recorded
    if not ends:
        return _gone(known, sighting, waited, timing)
    hidden = ends.keys() - recorded.keys()
    if hidden and sighting.accounting is not None and waited < timing.settle:
        return Judgement(Verdict.SUSPECT)  # accounting lags; it will tell the exit code
    if known.misses < 2 and any(job.state.may_return for job in ends.values()):
        return Judgement(Verdict.SUSPECT)
    source = Confirmation.QUEUE if hidden else Confirmation.ACCOUNTING
    return _end(known, list(ends.values()), source)


def spokesman(jobs: Iterable[JobInfo]) -> JobInfo | None:
    """The job whose words stand for all tasks of an array: what runs, else what waits, else the last end."""
    ranked = sorted(jobs, key=_rank)
    return ranked[0] if ranked else None


def _rank(job: JobInfo) -> tuple[int, float]:
    ended = -job.end_time.timestamp() if job.end_time is not None else 0.0
    return (0 if job.state.is_active else 2 if job.state.is_final else 1), ended


def _live(known: Known, live: list[JobInfo]) -> Judgement:
    if any(job.state.is_active for job in live):
        return Judgement(Verdict.RUNNING, Confirmation.QUEUE)
    waiting = all(job.state.is_waiting or job.state is JobState.REQUEUED for job in live)
    if waiting and known.state is not RunState.RUNNING:
        return Judgement(Verdict.WAITING, Confirmation.QUEUE)
    return Judgement(Verdict.KEEP)


def _gone(known: Known, sighting: JobSighting, waited: timedelta, timing: Timing) -> Judgement:
    """Neither the queue nor accounting (if there is any) knows the job."""
    if sighting.accounting is False or known.misses < timing.polls or waited < 2 * timing.settle:
        return Judgement(Verdict.SUSPECT)
    if known.cancel_sent:
        reason = Reason.CANCELLED_BY_USER
        return Judgement(Verdict.FINISH, Confirmation.QUEUE, RunState.CANCELLED, reason)
    text = "The scheduler no longer knows the job, and nothing is left that tells how it ended."
    return Judgement(Verdict.FINISH, Confirmation.QUEUE, RunState.FAILED, Reason.NO_RESULT, text)


def _end(known: Known, ends: list[JobInfo], source: Confirmation) -> Judgement:
    bad = [job for job in ends if job.state is not JobState.COMPLETED]
    if not bad:
        late = known.cancel_wanted
        return Judgement(Verdict.FINISH, source, RunState.SUCCEEDED, exit_code=0, late_cancel=late)
    failed = [job for job in bad if job.state is not JobState.CANCELLED]
    share = f" {len(bad)} of {len(ends)} tasks did not end well." if len(ends) > 1 else ""
    if not failed or known.cancel_sent:
        reason = Reason.CANCELLED_BY_USER if known.cancel_wanted else Reason.CANCELLED_OUTSIDE
        text = "" if known.cancel_wanted else f"The scheduler says {bad[0].native_state}.{share}"
        return Judgement(Verdict.FINISH, source, RunState.CANCELLED, reason, text)
    worst = failed[0]
    text = f"The scheduler says {worst.native_state}.{share}"
    return Judgement(
        Verdict.FINISH, source, RunState.FAILED, _reason(worst), text,
        worst.exit_code or None, worst.signal or None, late_cancel=known.cancel_wanted,
    )  # fmt: skip


def _reason(job: JobInfo) -> Reason:
    if job.state in FAILURES:
        return FAILURES[job.state]
    if job.exit_code:
        return Reason.EXIT_NONZERO
    if (
        job.reason == "JobLaunchFailure"
    ):  # all that the queue tells of an output file that cannot be made
        return Reason.LAUNCH_FAILED
    return Reason.SIGNAL if job.signal else Reason.NO_RESULT
