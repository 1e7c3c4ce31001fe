"""The judgement on one run: every scheduler state against every marker, and what no evidence may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc.jobs import JobInfo, JobState
from hpc.protocol.markers import Markers, Result, Started
from pipeline_management.choices import Confirmation, Reason, RunState
from pipeline_management.services.evidence import (
    Judgement,
    Known,
    Sighting,
    Timing,
    Verdict,
    judge,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIMING = Timing(
    grace=timedelta(seconds=10), settle=timedelta(seconds=60), phantom=timedelta(seconds=900)
)
STARTED = Started("7", 0, NOW, "node1")
FRESH = Known(RunState.SUBMITTED, "7", False, False, 1, None)
WAITED = replace(FRESH, misses=9, missing_since=NOW - timedelta(hours=1))


def job(state: JobState, source: str = "queue", **more: object) -> JobInfo:
    return JobInfo("7", "ckey", "u", state, state.name, source, **more)  # type: ignore[arg-type]  # test rows


def result(code: int, job_id: str = "7") -> Markers:
    return Markers(STARTED if job_id == "7" else None, Result(code, NOW, job_id))


def verdict(known: Known, **sighting: object) -> Judgement:
    return judge(known, Sighting(**sighting), NOW, TIMING)  # type: ignore[arg-type]  # test rows


@pytest.mark.parametrize("state", list(JobState))
def test_a_result_of_zero_is_success_whatever_the_scheduler_says(state: JobState) -> None:
    found = verdict(FRESH, listed=job(state), markers=result(0))
    assert (found.verdict, found.outcome) == (Verdict.FINISH, RunState.SUCCEEDED)


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("source", ["queue", "accounting"])
def test_no_scheduler_state_is_success_without_a_result(
    state: JobState, claimed: bool, source: str
) -> None:
    where = "listed" if source == "queue" else "record"
    markers = Markers(STARTED if claimed else None, None)
    for known in (FRESH, WAITED, replace(WAITED, state=RunState.RUNNING)):
        for claim in (None, "", "7"):
            found = verdict(
                known, **{where: job(state, source)}, markers=markers, claim_job=claim, accounting=True
            )
            assert found.outcome is not RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (JobState.TIMEOUT, Reason.TIMEOUT),
        (JobState.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY),
        (JobState.NODE_FAIL, Reason.NODE_FAIL),
        (JobState.PREEMPTED, Reason.PREEMPTED),
        (JobState.DEADLINE, Reason.DEADLINE),
        (JobState.BOOT_FAIL, Reason.BOOT_FAIL),
        (JobState.COMPLETED, Reason.NO_RESULT),
    ],
)
def test_a_started_job_without_result_fails_with_the_schedulers_reason(
    state: JobState, reason: Reason
) -> None:
    found = verdict(
        WAITED, listed=job(state), markers=Markers(STARTED, None), claim_job="7"
    )
    assert (found.verdict, found.outcome, found.reason) == (
        Verdict.FINISH, RunState.FAILED, reason,
    )  # fmt: skip


def test_an_exit_code_is_a_failure_at_once() -> None:
    found = verdict(FRESH, listed=job(JobState.RUNNING), markers=result(3))
    assert (found.outcome, found.reason, found.exit_code) == (
        RunState.FAILED, Reason.EXIT_NONZERO, 3,
    )  # fmt: skip


def test_a_signal_waits_for_the_schedulers_word() -> None:
    first = verdict(FRESH, listed=job(JobState.COMPLETING), markers=result(143))
    assert first.verdict is Verdict.SUSPECT
    told = verdict(FRESH, listed=job(JobState.TIMEOUT), markers=result(143))
    assert (told.reason, told.exit_code) == (Reason.TIMEOUT, 143)
    alone = verdict(WAITED, record=job(JobState.FAILED, "accounting"), markers=result(137))
    assert (alone.reason, alone.signal) == (Reason.SIGNAL, 9)


def test_a_cancelled_run_that_trapped_the_signal_is_cancelled() -> None:
    known = replace(FRESH, cancel_wanted=True, cancel_sent=True)
    found = verdict(known, listed=job(JobState.CANCELLED), markers=result(143))
    assert (found.outcome, found.reason, found.exit_code) == (
        RunState.CANCELLED, Reason.CANCELLED_BY_USER, 143,
    )  # fmt: skip


def test_a_job_that_finished_before_its_cancellation_keeps_its_result() -> None:
    known = replace(FRESH, cancel_wanted=True, cancel_sent=True)
    found = verdict(known, listed=job(JobState.COMPLETED), markers=result(0))
    assert (found.outcome, found.late_cancel) == (RunState.SUCCEEDED, True)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_cancelled_job_that_never_started(wanted: bool) -> None:
    known = replace(WAITED, cancel_wanted=wanted)
    found = verdict(known, listed=job(JobState.CANCELLED), claim_job="")
    expected = Reason.CANCELLED_BY_USER if wanted else Reason.CANCELLED_OUTSIDE
    assert (found.outcome, found.reason) == (RunState.CANCELLED, expected)


def test_a_completed_job_that_never_claimed_its_run_is_taken_back() -> None:
    """The controller lost its memory and closed our waiting job with somebody else's end."""
    assert verdict(WAITED, listed=job(JobState.COMPLETED)).verdict is Verdict.LOOK
    assert verdict(WAITED, listed=job(JobState.COMPLETED), claim_job="").verdict is Verdict.FORGET


def test_the_claim_names_the_job_that_counts() -> None:
    found = verdict(FRESH, listed=job(JobState.RUNNING), markers=Markers(replace(STARTED, job_id="9")))
    assert (found.verdict, found.job_id) == (Verdict.ADOPT, "9")
    assert verdict(FRESH, markers=result(0, "9")).verdict is Verdict.ADOPT


def test_a_running_job_without_claim_is_a_phantom_only_after_patience() -> None:
    assert verdict(FRESH, listed=job(JobState.RUNNING)).verdict is Verdict.SUSPECT
    assert verdict(WAITED, listed=job(JobState.RUNNING)).verdict is Verdict.KICK


def test_a_gone_job_is_not_judged_while_accounting_is_silent() -> None:
    for known in (FRESH, WAITED):
        assert verdict(known, accounting=False).verdict is Verdict.SUSPECT


def test_a_gone_job_needs_polls_and_time() -> None:
    few = replace(WAITED, misses=3)
    young = replace(WAITED, missing_since=NOW - timedelta(seconds=30))
    for known in (FRESH, few, young):
        assert verdict(known, accounting=True, claim_job="").verdict is Verdict.SUSPECT
    assert verdict(WAITED, accounting=True, claim_job="").verdict is Verdict.FORGET
    assert verdict(WAITED, accounting=None, claim_job="").verdict is Verdict.FORGET


def test_a_gone_job_that_had_started_left_no_result() -> None:
    known = replace(WAITED, state=RunState.RUNNING)
    found = verdict(known, accounting=True, markers=Markers(STARTED), claim_job="7")
    assert (found.outcome, found.reason) == (RunState.FAILED, Reason.NO_RESULT)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.LAUNCH_FAILED])
def test_a_job_that_failed_before_its_claim_could_not_be_launched(state: JobState) -> None:
    found = verdict(WAITED, listed=job(state, exit_code=97), claim_job="")
    assert (found.outcome, found.reason) == (RunState.FAILED, Reason.LAUNCH_FAILED)


def test_an_end_in_the_queue_waits_for_accounting_to_tell_the_code() -> None:
    known = replace(FRESH, state=RunState.RUNNING, misses=5, missing_since=NOW - timedelta(seconds=30))
    ended = job(JobState.FAILED)
    for answered in (True, False):
        assert verdict(known, listed=ended, accounting=answered).verdict is Verdict.SUSPECT
    long_ago = replace(known, missing_since=NOW - timedelta(seconds=61))
    assert verdict(long_ago, listed=ended, accounting=False, claim_job="7").reason is Reason.NO_RESULT
    told = verdict(known, listed=ended, record=job(JobState.FAILED, "accounting", signal=9),
                   accounting=True, claim_job="7")  # fmt: skip
    assert (told.reason, told.signal) == (Reason.SIGNAL, 9)
    alone = verdict(known, listed=ended, accounting=None, claim_job="7")
    assert alone.reason is Reason.NO_RESULT


def test_an_unknown_state_changes_nothing() -> None:
    assert verdict(WAITED, listed=job(JobState.UNKNOWN)).verdict is Verdict.KEEP


jobs = st.builds(
    job, st.sampled_from(JobState), st.sampled_from(["queue", "accounting"]),
    exit_code=st.none() | st.integers(0, 255), signal=st.none() | st.integers(0, 64),
)  # fmt: skip
all_markers = st.builds(
    Markers,
    st.none() | st.builds(Started, st.sampled_from(["7", "9"]), st.just(0), st.just(NOW), st.just("n")),
    st.none() | st.builds(Result, st.integers(0, 255), st.just(NOW), st.sampled_from(["7", "9"])),
)
sightings = st.builds(
    Sighting, st.none() | jobs, all_markers, st.none() | jobs, st.sampled_from([True, False, None]),
    st.sampled_from([None, "", "7"]),
)  # fmt: skip
knowns = st.builds(
    Known, st.sampled_from([RunState.SUBMITTED, RunState.RUNNING]), st.just("7"), st.booleans(),
    st.booleans(), st.integers(1, 20),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda ago: NOW - ago),
)  # fmt: skip


@given(knowns, sightings)
def test_success_rests_on_the_results_zero_alone(known: Known, sighting: Sighting) -> None:
    found = judge(known, sighting, NOW, TIMING)
    marker = sighting.markers.result
    if found.outcome is RunState.SUCCEEDED:
        assert marker is not None
        assert (marker.code, marker.job_id) == (0, known.job_id)
        assert found.source is Confirmation.MARKER


@given(knowns, sightings)
def test_a_claimed_run_is_never_submitted_again(known: Known, sighting: Sighting) -> None:
    found = judge(known, sighting, NOW, TIMING)
    claimed = bool(
        sighting.claim_job or sighting.markers.started or sighting.markers.result
        or known.state is RunState.RUNNING
    )  # fmt: skip
    assert not (found.verdict is Verdict.FORGET and claimed)


@given(knowns)
def test_silence_ends_nothing_within_the_settle_time(known: Known) -> None:
    known = replace(known, missing_since=None)
    found = judge(known, Sighting(accounting=True), NOW, TIMING)
    assert found.verdict is Verdict.SUSPECT
