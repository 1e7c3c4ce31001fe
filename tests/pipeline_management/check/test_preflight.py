"""What a system said, as steps with sentences: good, worth a look, bad, or not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hpc.jobs import JobSpec
from hpc.preflight.asking import Part
from pipeline_management.services.preflight import steps
from pipeline_management.services.preflight.scheduling import judged
from pipeline_management.services.preflight.steps import MOST_DETAILS, Status, Step

SPEC = JobSpec(name="c", script_path="job.sh", workdir="/w")
GIB = 1024 * 1024  # in KiB, as df counts


def part(output: str = "", code: int | None = 0, errors: str = "") -> Part:
    return Part(code, output, errors)


# --- files, space, quota ----------------------------------------------------------------------


def inputs(letters: str, count: int | None = None, code: int | None = 0) -> Step:
    paths = [f"/d/{n}" for n in range(len(letters) if count is None else count)]
    return steps.of_inputs(part(letters, code), paths, "test1")


def test_input_files() -> None:
    assert inputs("").message == "The configuration names no files by absolute path."
    assert (inputs("r").status, inputs("r").message) == (
        Status.GOOD,
        "The path of the configuration can be read.",
    )
    assert inputs("rrd").message == "All 3 paths of the configuration can be read."
    bad = inputs("rmue")
    assert (bad.status, bad.message) == (Status.BAD, "2 of 4 paths cannot be read by test1.")
    assert bad.details == (
        "/d/1: not there, or in a directory that test1 may not enter",
        "/d/2: there, but test1 may not read it",
        "/d/3: empty",
    )
    empty = inputs("re")
    assert (empty.status, empty.details) == (Status.WARNING, ("/d/1: empty",))


def test_a_look_that_ran_out_of_time_says_how_far_it_came() -> None:
    late = inputs("rr", count=5, code=None)
    assert late.status is Status.UNKNOWN
    assert late.message == (
        "Only 2 of 5 paths were looked at in the time: the filesystem answers slowly."
    )
    bad = inputs("rm", count=5, code=None)
    assert bad.status is Status.BAD and bad.message.endswith(
        "only 2 of 5 paths were looked at in the time."
    )


def test_many_missing_files_are_listed_shortly() -> None:
    found = inputs("m" * 5000)
    assert len(found.details) == MOST_DETAILS + 1
    assert found.details[-1] == f"and {5000 - MOST_DETAILS} more"


@pytest.mark.parametrize(
    ("free", "inodes", "status", "said"),
    [
        (500 * GIB, "100 50 50 50%", Status.GOOD, "500 GiB of 1000 GiB are free in /w."),
        (2 * GIB, "100 50 50 50%", Status.WARNING, "2.0 GiB of 1000 GiB"),
        (0, "100 50 50 50%", Status.BAD, "0 B of 1000 GiB"),
        (500 * GIB, "100 100 0 100%", Status.BAD, "No more files can be made in /w."),
        (
            500 * GIB,
            "0 0 0 -",
            Status.GOOD,
            "500 GiB",
        ),  # filesystems without a fixed number of files
    ],
)
def test_space(free: int, inodes: str, status: Status, said: str) -> None:
    total = 1000 * GIB
    text = f"open\n/w\n/dev/x {total} {total - free} {free} 1% /w\n/dev/x {inodes} /w\n"
    directory, space = steps.of_space(part(text), "/w/runs")
    assert directory == Step("directory", Status.GOOD, "/w/runs can be written.")
    assert space.status is status and said in space.message


def test_a_directory_that_is_closed_or_not_known() -> None:
    closed, space = steps.of_space(part("closed\n/w\n"), "/w/runs")
    assert closed.status is Status.BAD and space.status is Status.UNKNOWN
    assert closed.message == "/w cannot be written, so that /w/runs cannot be used for runs."
    (unknown,) = steps.of_space(part("", None), "/w")
    assert unknown.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("used", "status", "said"),
    [
        (10, Status.GOOD, "10.0 GiB of the quota of 100 GiB in /h are used (10%)."),
        (96, Status.WARNING, "(96%)"),
        (100, Status.BAD, "nothing is left"),
    ],
)
def test_quota(used: int, status: Status, said: str) -> None:
    text = f"  /h {used * GIB} {100 * GIB} 0 0 5 0 0 0\n"
    (step,) = steps.of_quota(part(text))
    assert step.status is status and said in step.message


def test_no_quota_is_no_fault() -> None:
    told = [steps.of_quota(one)[0] for one in (part("", 69), part("none"), part("", None))]
    assert {step.status for step in told} == {Status.UNKNOWN}
    assert len({step.message for step in told}) == 3
    assert steps.worst(told) is Status.UNKNOWN
    assert steps.worst([*told, Step("x", Status.GOOD, "")]) is Status.GOOD
    assert steps.worst([Step("x", Status.WARNING, ""), Step("x", Status.BAD, "")]) is Status.BAD


# --- Slurm ------------------------------------------------------------------------------------

QUEUES = (
    "PartitionName=cpu AllowAccounts=ALL AllowQos=ALL Default=YES MaxTime=1-00:00:00 State=UP\n"
    "PartitionName=gpu AllowAccounts=rich AllowQos=ALL Default=NO MaxTime=UNLIMITED State=UP\n"
    "PartitionName=old AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=UNLIMITED State=DOWN\n"
)
STARTS = "sbatch: Job 5 to start at 1795358036 using 4 processors on nodes n[1-2] in partition cpu"


def slurm(
    spec: JobSpec = SPEC,
    accounts: Part | None = None,
    queues: Part | None = None,
    trial: Part | None = None,
) -> tuple[dict[str, Step], datetime | None]:
    parts = {
        "accounts": accounts or part("acct1||normal,long\nacct2|gpu|normal\n"),
        "queues": queues or part(QUEUES),
        "trial": trial or part(errors=STARTS),
    }
    found, start = judged(parts, spec, "slurm", "test1")
    return {step.name: step for step in found}, start


def test_slurm_would_take_it() -> None:
    found, start = slurm(replace(SPEC, account="acct1", queue="cpu", qos="long"))
    assert {step.status for step in found.values()} == {Status.GOOD}
    assert found["account"].message == "test1 may charge the account acct1."
    assert found["start"].message == "Slurm would take the job: 4 processors on n[1-2] in cpu."
    assert start == datetime(2026, 11, 22, 14, 33, 56, tzinfo=UTC)
    found, _ = slurm()
    assert found["account"].message == "The default account is charged; there are acct1, acct2."
    assert found["queue"].message == "The queue cpu takes jobs."


@pytest.mark.parametrize(
    ("fields", "step", "status", "said"),
    [
        ({"account": "acct3"}, "account", Status.BAD, 'acct3 (did you mean "acct2"?)'),
        ({"account": "acct2", "queue": "cpu"}, "account", Status.BAD, "is for gpu only, not for cpu."),
        ({"account": "acct1", "qos": "lng"}, "account", Status.BAD, '(did you mean "long"?)'),
        ({"queue": "cpuu"}, "queue", Status.BAD, 'There is no queue cpuu (did you mean "cpu"?)'),
        ({"queue": "old"}, "queue", Status.WARNING, "The queue old is DOWN"),
        ({"queue": "gpu", "account": "acct2"}, "queue", Status.BAD, "gpu is for rich only."),
        ({"walltime": timedelta(hours=30)}, "queue", Status.BAD, "asks for 30:00:00, and the queue cpu gives 24:00:00"),
    ],
)  # fmt: skip
def test_what_slurm_would_not_like(
    fields: dict[str, object], step: str, status: Status, said: str
) -> None:
    found, _ = slurm(replace(SPEC, **fields))  # type: ignore[arg-type]  # given by name in the table
    assert found[step].status is status
    assert said in found[step].message


def test_slurm_refuses() -> None:
    text = "Invalid account or account/partition combination specified"
    found, start = slurm(trial=part(code=1, errors=f"sbatch: error: x\nallocation failure: {text}"))
    assert start is None and found["start"].status is Status.BAD
    assert found["start"].message == f"Slurm would refuse the job: {text}"


def test_slurm_without_accounting_or_without_an_answer() -> None:
    none = part(code=1, errors="You are not running a supported accounting_storage plugin")
    late = part("", None)
    found, start = slurm(accounts=none, queues=late, trial=late)
    assert {step.status for step in found.values()} == {Status.UNKNOWN} and start is None
    assert "supported accounting_storage" in found["account"].message
    assert found["queue"].message == "The scheduler did not answer in time."
    nobody, _ = slurm(accounts=part(""))
    assert nobody["account"].status is Status.WARNING


def test_pbs_and_plain_processes() -> None:
    queues = part("Queue: workq\n    enabled = True\n    started = True\n")
    found, start = judged({"queues": queues}, replace(SPEC, queue="workq"), "pbs", "u")
    assert [(s.name, s.status) for s in found] == [("queue", "good"), ("start", "unknown")]
    assert "PBS cannot be asked" in found[1].message and start is None
    default, _ = judged({"queues": queues}, SPEC, "pbs", "u")
    assert default[0].message == "The scheduler's default queue is used."
    text = "Queue: q\n    acl_user_enable = True\n    acl_users = anna@*\n    enabled = True\n    started = True\n"
    (closed, _), _ = judged({"queues": part(text)}, replace(SPEC, queue="q"), "pbs", "u")
    assert (closed.status, closed.message) == ("bad", "The queue q does not let u in.")
    text = "Queue: q\n    enabled = True\n    started = False\n"
    (waiting, _), _ = judged({"queues": part(text)}, replace(SPEC, queue="q"), "pbs", "u")
    assert (waiting.status, "not started" in waiting.message) == ("warning", True)
    local, _ = judged({}, SPEC, "local", "u")
    assert [s.status for s in local] == ["good"]
