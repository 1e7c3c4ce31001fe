"""Reading the answers of a real Slurm, as recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hpc.commands import CommandResult
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerSilent
from hpc.jobs import JobState
from hpc.schedulers.slurm import SlurmScheduler
from hpc.schedulers.slurm_parse import duration, format_duration, job_state
from hpc.schedulers.slurm_tables import CODES, STATES
from tests.hpc.recordings import (
    as_history_answer,
    as_queue_answer,
    recorded,
    squeue_rows,
)

SLURM = SlurmScheduler()
WIDE = "iAFKTtrRPuajSeMlCDNBQVkZE"  # the columns of squeue-h-o-pipe


def active(name: str):
    answer = recorded(name)
    return SLURM.parse_active(answer.text, answer.exit_code, answer.error_text)


# ---------------------------------------------------------------- the queue


def test_the_queue_as_our_own_command_prints_it() -> None:
    jobs = {job.job_id: job for job in active("active-many")}
    states = {job_id: job.state for job_id, job in jobs.items()}
    assert states == {
        "9": JobState.RUNNING, "10": JobState.COMPLETED, "11": JobState.FAILED,
        "12": JobState.FAILED, "13": JobState.FAILED, "14": JobState.CANCELLED,
        "15": JobState.CANCELLED, "16": JobState.HELD, "17": JobState.SUSPENDED,
        "18": JobState.RUNNING, "19": JobState.QUEUED, "20": JobState.QUEUED,
        "21": JobState.RUNNING, "22_0": JobState.RUNNING, "22_1": JobState.RUNNING,
        "22_2": JobState.QUEUED, "22_3": JobState.QUEUED, "22_4": JobState.QUEUED,
        "23": JobState.QUEUED, "26": JobState.COMPLETING, "27": JobState.RUNNING,
        "28": JobState.HELD,
    }
    running = jobs["18"]
    assert (running.name, running.user, running.queue, running.account, running.nodes) == (
        "rec-running", "test1", "part01", "acct1", "vm"
    )
    assert running.walltime == timedelta(minutes=30)
    assert running.elapsed == timedelta(seconds=5)
    assert running.submit_time == datetime.fromtimestamp(1795321351, UTC)
    assert (running.cpus, running.workdir, running.source) == (2, "/home/test1", "queue")


def test_a_name_with_a_newline_is_one_row() -> None:
    assert {job.job_id: job.name for job in active("active-many")}["21"] == 'a b|c"d\ne é\\'


def test_plans_of_the_scheduler_are_not_facts() -> None:
    for job in active("active-many"):
        if job.state.is_waiting:
            assert job.start_time is None
        if not job.state.is_final:
            assert job.end_time is None
        else:
            assert job.end_time is not None


def test_an_empty_queue_is_an_answer() -> None:
    assert active("active-none") == []


@pytest.mark.parametrize("name", [
    "active-unknown-user", "ctld-down-squeue", "ctld-hung-squeue", "munge-down-squeue",
])
def test_trouble_is_never_an_empty_queue(name: str) -> None:
    with pytest.raises(SchedulerSilent) as caught:
        active(name)
    assert caught.value.retryable
    assert caught.value.text == recorded(name).error_text


def test_all_recorded_states_and_reasons() -> None:
    rows = squeue_rows(recorded("squeue-h-o-pipe").text, WIDE)
    jobs = SLURM.parse_active(as_queue_answer([r for r in rows if "[" not in r["i"]]), 0, "")
    found = {job.name: (job.state, job.reason) for job in jobs}
    assert found["st-heldadmin"] == (JobState.HELD, "JobHeldAdmin")
    assert found["st-requeuehold"] == (JobState.HELD, "job requeued in held state")
    assert found["st-depnever"] == (JobState.QUEUED, "DependencyNeverSatisfied")
    assert found["st-completing"] == (JobState.COMPLETING, "")
    assert found["st-suspended"][0] is JobState.SUSPENDED
    assert found["st-unwritable"] == (JobState.FAILED, "JobLaunchFailure")
    assert JobState.UNKNOWN not in {state for state, _ in found.values()}


@pytest.mark.parametrize("cut", range(1, 400, 23))
def test_a_cut_answer_is_no_answer(cut: int) -> None:
    text = recorded("active-many").text
    with pytest.raises(IncompleteAnswer):
        SLURM.parse_active(text[:-cut], 0, "")


def test_a_row_with_another_number_of_fields_spoils_the_whole_answer() -> None:
    text = recorded("active-many").text
    for broken in (text.replace("rec-ok\x1f", "rec-ok", 1), text.replace("rec-ok", "a\x1fb", 1),
                   "noise\x1e\n" + text, text.replace("10\x1f", "1x\x1f", 1)):
        with pytest.raises(IncompleteAnswer):
            SLURM.parse_active(broken, 0, "")


# ---------------------------------------------------------------- states


@pytest.mark.parametrize("word", sorted(STATES))
def test_every_word_and_its_code(word: str) -> None:
    assert job_state(word) is STATES[word]
    for code, meaning in CODES.items():
        if meaning == word:
            assert job_state(code) is STATES[word]


@pytest.mark.parametrize(
    ("native", "state"),
    [
        ("CANCELLED by 1001", JobState.CANCELLED), ("CANCELLED+", JobState.CANCELLED),
        ("OUT_OF_ME+", JobState.OUT_OF_MEMORY), ("COMPLET+", JobState.UNKNOWN),
        ("C+", JobState.UNKNOWN), ("+", JobState.UNKNOWN), ("", JobState.UNKNOWN),
        ("?", JobState.UNKNOWN), ("completed", JobState.UNKNOWN), ("DONE", JobState.UNKNOWN),
        ("COMPLETED2", JobState.UNKNOWN), ("RUNNING", JobState.RUNNING),
    ],
)
def test_words_as_the_commands_spell_them(native: str, state: JobState) -> None:
    assert job_state(native) is state


def test_only_words_for_an_end_are_final() -> None:
    final = {word for word, state in STATES.items() if state.is_final}
    assert final == {
        "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "DEADLINE", "OUT_OF_MEMORY", "NODE_FAIL",
        "BOOT_FAIL", "PREEMPTED",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:08", timedelta(seconds=8)), ("10:00", timedelta(minutes=10)),
        ("1:00:00", timedelta(hours=1)), ("365-00:00:00", timedelta(days=365)),
        ("UNLIMITED", None), ("infinite", None), ("Partition_Limit", None), ("", None),
        ("INVALID", None), ("n/a", None),
    ],
)
def test_durations(text: str, expected: timedelta | None) -> None:
    assert duration(text) == expected


def test_durations_survive_the_way_there_and_back() -> None:
    for seconds in (1, 59, 60, 3599, 3600, 86399, 86400, 90061, 10**7):
        value = timedelta(seconds=seconds)
        assert duration(format_duration(value)) == value
    assert format_duration(timedelta(seconds=0.2)) == "0-00:00:01"


# ---------------------------------------------------------------- accounting


def history(text: str, code: int = 0, errors: str = ""):
    command = SLURM.history(["1"])
    return command.parse(CommandResult(code, text.encode(), errors.encode(), 0.1))


def test_accounting_as_our_own_command_prints_it() -> None:
    answer = recorded("history-many")
    found = history(answer.text)
    last = {job_id: jobs[-1] for job_id, jobs in found.items()}
    assert last["9"].state is JobState.TIMEOUT
    assert last["9"].walltime == timedelta(minutes=1)
    assert last["9"].elapsed == timedelta(seconds=67)
    assert (last["10"].state, last["10"].exit_code, last["10"].signal) == (JobState.COMPLETED, 0, 0)
    assert (last["11"].state, last["11"].exit_code) == (JobState.FAILED, 3)
    assert (last["12"].state, last["12"].signal) == (JobState.FAILED, 9)
    assert last["13"].state is JobState.LAUNCH_FAILED
    assert (last["15"].state, last["15"].start_time, last["15"].nodes) == (JobState.CANCELLED, None, "")
    assert last["16"].state is JobState.HELD
    assert last["21"].name == "a b|c`d\ne é\\"
    assert [job.state for job in found["23"]] == [JobState.REQUEUED, JobState.RUNNING]
    assert [job.state for job in found["28"]] == [JobState.REQUEUED, JobState.HELD]
    assert {"22_0", "22_1", "22_2", "22_3"} < set(found)
    assert "22_4" not in found  # still in the stub of tasks that wait
    assert [job.job_id for job in found["22"]] == ["22_0", "22_1", "22_2", "22_3"]
    assert all(job.source == "accounting" for jobs in found.values() for job in jobs)


def test_unknown_ids_are_missing_not_ended() -> None:
    assert history(recorded("history-unknown").text) == {}


def test_every_recorded_end() -> None:
    found = history(as_history_answer(recorded("sacct-terminal").text))
    states = {jobs[-1].name: jobs[-1].state for jobs in found.values()}
    assert states == {
        "st-timeout": JobState.TIMEOUT, "st-deadline": JobState.DEADLINE,
        "st-completed": JobState.COMPLETED, "st-failed": JobState.FAILED,
        "st-signal": JobState.FAILED, "st-oom": JobState.FAILED,
        "st-cancel-running": JobState.CANCELLED, "st-cancel-pending": JobState.CANCELLED,
        "st-suspended": JobState.SUSPENDED, "st-completing": JobState.CANCELLED,
        "st-depnever": JobState.QUEUED, "st-unwritable": JobState.LAUNCH_FAILED,
        "st-requeue": JobState.QUEUED, "st-requeuehold": JobState.HELD,
    }


def test_of_a_job_that_ran_again_the_last_record_counts() -> None:
    found = history(as_history_answer(recorded("sacct-preempted-D").text))
    assert [job.state for job in found["47"]] == [JobState.PREEMPTED, JobState.QUEUED]
    assert found["47"][0].state.may_return
    text = recorded("sacct-nodefail-D").text
    header = "JobIDRaw|JobID|State|ExitCode|Submit|Start|End|NodeList|Reason"
    found = history(as_history_answer(text, header))
    assert [job.state for job in found["50"]] == [JobState.NODE_FAIL]
    assert [job.state for job in found["51"]] == [JobState.NODE_FAIL, JobState.QUEUED]


def test_a_record_without_the_jobs_own_name_is_left_out() -> None:
    text = recorded("history-many").text.replace("rec-ok", "allocation")
    assert "10" not in history(text)


@pytest.mark.parametrize("name", [
    "dbd-down-sacct", "db-down-sacct", "munge-down-sacct", "sacct-garbage", "sacct-err-user",
])
def test_accounting_that_does_not_answer(name: str) -> None:
    answer = recorded(name)
    with pytest.raises(SchedulerSilent):
        SLURM.history(["60"]).parse(answer)


def test_accounting_that_is_off_is_not_supported() -> None:
    with pytest.raises(NotSupported, match="accounting"):
        SLURM.history(["1"]).parse(recorded("noacct-sacct"))


def test_accounting_that_hangs() -> None:
    with pytest.raises(SchedulerSilent, match="20 s"):
        history("", 124)


def test_trouble_with_exit_code_0_is_not_taken_for_an_answer() -> None:
    with pytest.raises(SchedulerSilent):
        history("", 0, "sacct: error: Problem talking to the database: Connection refused")


@pytest.mark.parametrize("cut", [1, 2, 5, 30, 60, 200])
def test_a_cut_accounting_answer_is_no_answer(cut: int) -> None:
    with pytest.raises(IncompleteAnswer):
        history(recorded("history-many").text[:-cut])


def test_ids_are_checked_before_they_are_sent() -> None:
    for bad in (["abc"], ["1", "-x"], ["1,2"], [""], ["1"] * 501):
        with pytest.raises(ValueError):
            SLURM.history(bad)
    assert SLURM.history(["1", "2_3", "4+1"]).argv.count("1,2_3,4+1") == 1
    assert SLURM.history([]).argv == ("true",)
