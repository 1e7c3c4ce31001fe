"""What the scheduler's word amounts to for a job script: every rung of the ladder, without a system."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hpc.jobs import JobInfo, JobState
from hpc.protocol.observation import Observation
from pipeline_management.choices import Confirmation, Reason, RunState
from pipeline_management.models import Run
from pipeline_management.services.evidence import Known, Timing, Verdict
from pipeline_management.services.job_evidence import Identity, JobSighting, judge_job, spokesman
from pipeline_management.services.job_watch import sightings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TIMING = Timing(
    grace=timedelta(seconds=10), settle=timedelta(seconds=60), phantom=timedelta(minutes=10)
)
KNOWN = Known(RunState.SUBMITTED, "7", False, False, 1, None)


def job(state: JobState, job_id: str = "7", source: str = "queue", **fields: Any) -> JobInfo:
    values: dict[str, Any] = {"native_state": state.upper(), "user": "u", "workdir": "/w"}
    values |= {"name": "n", "submit_time": NOW}
    return JobInfo(job_id=job_id, state=state, source=source, **(values | fields))


def record(state: JobState, job_id: str = "7", **fields: Any) -> JobInfo:
    return job(state, job_id, "accounting", **fields)


def known(misses: int = 1, waited: float = 0, **fields: Any) -> Known:
    since = NOW - timedelta(seconds=waited) if waited else None
    return replace(KNOWN, misses=misses, missing_since=since, **fields)


def look(
    *jobs: JobInfo, accounting: bool | None = True, before: Known = KNOWN
) -> tuple[Verdict, RunState | None, Reason]:
    listed = [one for one in jobs if one.source == "queue"]
    records = [one for one in jobs if one.source == "accounting"]
    found = judge_job(before, JobSighting(listed, records, accounting), NOW, TIMING)
    return found.verdict, found.outcome, found.reason


QUIET = Reason.NONE
SUSPECT = (Verdict.SUSPECT, None, QUIET)


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        ([JobState.QUEUED], Verdict.WAITING),
        ([JobState.HELD], Verdict.WAITING),
        ([JobState.RUNNING], Verdict.RUNNING),
        ([JobState.COMPLETING], Verdict.RUNNING),
        ([JobState.UNKNOWN], Verdict.KEEP),
        ([JobState.QUEUED, JobState.RUNNING, JobState.FAILED], Verdict.RUNNING),
        ([JobState.QUEUED, JobState.COMPLETED], Verdict.WAITING),
    ],
)
def test_a_live_job(states: list[JobState], verdict: Verdict) -> None:
    jobs = [job(state, f"7_{number}") for number, state in enumerate(states)]
    assert look(*jobs) == (verdict, None, QUIET)


def test_a_requeued_job_that_had_run_stays_running() -> None:
    before = replace(KNOWN, state=RunState.RUNNING)
    assert look(job(JobState.QUEUED), before=before)[0] is Verdict.KEEP


@pytest.mark.parametrize(
    ("found", "outcome", "reason"),
    [
        (record(JobState.COMPLETED, exit_code=0), RunState.SUCCEEDED, QUIET),
        (record(JobState.FAILED, exit_code=3), RunState.FAILED, Reason.EXIT_NONZERO),
        (record(JobState.FAILED, exit_code=0, signal=9), RunState.FAILED, Reason.SIGNAL),
        (record(JobState.FAILED), RunState.FAILED, Reason.NO_RESULT),
        (record(JobState.FAILED, reason="JobLaunchFailure"), RunState.FAILED, Reason.LAUNCH_FAILED),
        (record(JobState.TIMEOUT), RunState.FAILED, Reason.TIMEOUT),
        (record(JobState.OUT_OF_MEMORY), RunState.FAILED, Reason.OUT_OF_MEMORY),
        (record(JobState.DEADLINE), RunState.FAILED, Reason.DEADLINE),
        (record(JobState.LAUNCH_FAILED), RunState.FAILED, Reason.LAUNCH_FAILED),
        (record(JobState.CANCELLED), RunState.CANCELLED, Reason.CANCELLED_OUTSIDE),
    ],
)
def test_accounting_is_believed_at_once(found: JobInfo, outcome: RunState, reason: Reason) -> None:
    assert look(found) == (Verdict.FINISH, outcome, reason)


def test_what_may_return_is_looked_at_twice() -> None:
    for state in (JobState.NODE_FAIL, JobState.PREEMPTED):
        assert look(record(state)) == SUSPECT
        assert look(record(state), before=known(2, 1))[0] is Verdict.FINISH


def test_accounting_that_lags_is_waited_for() -> None:
    ended = job(JobState.FAILED)
    assert look(ended, before=known(3, 59)) == SUSPECT
    assert look(ended, record(JobState.RUNNING), before=known(9, 900)) == SUSPECT
    assert look(ended, before=known(9, 61)) == (Verdict.FINISH, RunState.FAILED, Reason.NO_RESULT)
    assert look(ended, accounting=False, before=known(9, 61))[0] is Verdict.FINISH
    assert look(ended, record(JobState.FAILED, exit_code=2))[2] is Reason.EXIT_NONZERO


def test_without_accounting_the_queue_is_the_witness() -> None:
    found = judge_job(KNOWN, JobSighting([job(JobState.COMPLETED)], (), None), NOW, TIMING)
    assert (found.outcome, found.source) == (RunState.SUCCEEDED, Confirmation.QUEUE)


def test_silence_ends_nothing_for_a_long_time_and_then_says_so() -> None:
    assert look() == SUSPECT
    assert look(before=known(100, 119)) == SUSPECT
    assert look(before=known(3, 900)) == SUSPECT
    assert look(accounting=False, before=known(100, 100_000)) == SUSPECT
    assert look(before=known(4, 121)) == (Verdict.FINISH, RunState.FAILED, Reason.NO_RESULT)
    wanted = known(4, 121, cancel_wanted=True, cancel_sent=True)
    assert look(before=wanted) == (Verdict.FINISH, RunState.CANCELLED, Reason.CANCELLED_BY_USER)


def test_cancelling() -> None:
    wanted = known(cancel_wanted=True, cancel_sent=True)
    cancelled = (Verdict.FINISH, RunState.CANCELLED, Reason.CANCELLED_BY_USER)
    assert look(record(JobState.CANCELLED), before=wanted) == cancelled
    assert look(record(JobState.FAILED, exit_code=143), before=wanted) == cancelled
    late = judge_job(wanted, JobSighting((), [record(JobState.COMPLETED)], True), NOW, TIMING)
    assert (late.outcome, late.late_cancel) == (RunState.SUCCEEDED, True)
    unsent = known(cancel_wanted=True)
    assert look(record(JobState.FAILED, exit_code=1), before=unsent)[1] is RunState.FAILED


def test_an_array_ends_with_its_last_task() -> None:
    good = [record(JobState.COMPLETED, f"7_{n}", exit_code=0) for n in range(3)]
    assert look(*good)[1] is RunState.SUCCEEDED
    bad = record(JobState.FAILED, "7_9", exit_code=5)
    found = judge_job(KNOWN, JobSighting((), [*good, bad], True), NOW, TIMING)
    assert (found.reason, found.exit_code) == (Reason.EXIT_NONZERO, 5)
    assert found.text == "The scheduler says FAILED. 1 of 4 tasks did not end well."
    # tasks that were cancelled while they waited have no records of their own, only the queue knows them
    waiting = [job(JobState.CANCELLED, f"7_{n}") for n in range(3, 5)]
    assert look(*good, *waiting) == SUSPECT
    assert look(*good, *waiting, before=known(5, 61))[1] is RunState.CANCELLED


def test_who_speaks_for_an_array() -> None:
    early = job(JobState.FAILED, end_time=NOW - timedelta(hours=1))
    late = job(JobState.COMPLETED, end_time=NOW)
    waiting, running = job(JobState.QUEUED), job(JobState.RUNNING)
    assert spokesman([]) is None
    assert spokesman([early, late]) is late
    assert spokesman([early, waiting, late]) is waiting
    assert spokesman([waiting, running, late]) is running


# --- whose id it is -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "minutes_seen", "fits"),
    [
        ({}, None, True),
        ({"workdir": "/w/"}, None, True),
        ({"workdir": "/other"}, None, False),
        ({"user": "somebody"}, None, False),
        ({"submit_time": NOW - timedelta(minutes=1)}, None, True),
        ({"submit_time": NOW - timedelta(minutes=3)}, None, False),
        ({"submit_time": NOW + timedelta(minutes=9)}, None, True),
        ({"submit_time": NOW + timedelta(minutes=11)}, None, False),
        ({"submit_time": NOW + timedelta(minutes=11)}, 20, True),
        ({"submit_time": NOW + timedelta(minutes=23)}, 20, False),
        ({"submit_time": None}, None, True),
    ],
)
def test_an_id_that_came_back_is_another_job(
    fields: dict[str, Any], minutes_seen: int | None, fits: bool
) -> None:
    until = NOW + timedelta(minutes=minutes_seen) if minutes_seen else None
    assert Identity("u", "/w", NOW, until).fits(job(JobState.RUNNING, **fields)) is fits


def test_somebody_elses_job_of_our_id_is_no_sighting() -> None:
    run = Run(directory="/w", job_id="7", submitted_at=NOW)
    other = job(JobState.RUNNING, workdir="/other")
    asked: list[list[str]] = []

    def history(ids: list[str]) -> tuple[dict[str, list[JobInfo]], bool]:
        asked.append(ids)
        foreign = record(JobState.COMPLETED, workdir="/other")
        return {"7": [record(JobState.FAILED, exit_code=3), foreign]}, True

    seen = sightings([run], Observation({"7": other}, {}, {}), "u", history)[run]
    assert (list(seen.listed), asked) == ([], [["7"]])
    assert [one.exit_code for one in seen.records] == [3]  # though a newer one has the id


def test_parts_of_a_job_belong_to_it() -> None:
    run = Run(directory="/w", job_id="7", submitted_at=NOW)
    jobs = {one.job_id: one for one in (job(JobState.RUNNING, "7_1"), job(JobState.QUEUED, "7+0"),
                                        job(JobState.RUNNING, "71"))}  # fmt: skip
    found = sightings([run], Observation(jobs, {}, {}), "u", lambda ids: ({}, True))[run]
    assert [one.job_id for one in found.listed] == ["7_1", "7+0"]
