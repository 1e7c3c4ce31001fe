"""/compute/ queries and cancel on a real Slurm: the values of every field, whose jobs, which refusals."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.firecrest.desk import error_headers
from tests.firecrest.slurm_jobs import UNKNOWN_ID, Jobs, data, jobs_of, refused, until

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
JOB = {
    "jobid", "partition", "name", "user", "state", "start_time", "time", "time_left", "nodes",
    "nodelist", "job_file", "job_file_out", "job_file_err", "job_data_out", "job_data_err",
    "job_info_extra",
}  # fmt: skip
RECORD = {
    "jobid", "partition", "name", "user", "state", "start_time", "time", "cpu_time", "elapsed_time",
    "time_left", "termination_time", "nodes", "nodelist", "exit_code",
}  # fmt: skip
UNKNOWN = "slurm_load_jobs error: Invalid job id specified"


@pytest.fixture
def jobs(desk: Desk) -> Iterator[Jobs]:
    with jobs_of(desk) as made:
        yield made


# ---------------------------------------------------------------- the queue


def test_a_running_job_with_all_its_fields(desk: Desk, jobs: Jobs) -> None:
    job = jobs.submit(
        "--job-name=two words|&", f"--output={desk.folder}/%x-%j.out", f"--error={desk.folder}/err-%5j",
        body="printf %1500s end; echo; echo trouble >&2; sleep 300",
    )  # fmt: skip

    def running() -> Any:
        found = data(desk, "/compute/jobs", jobs=job)
        return found if found["0"]["job_data_err"] else None

    found = until(running)
    assert list(found) == ["0"]
    row = found["0"]
    assert set(row) == JOB
    assert {type(value) for value in row.values()} == {str}
    assert (row["jobid"], row["name"], row["user"], row["state"]) == (
        job, "two words|&", jobs.users[0], "RUNNING"
    )  # fmt: skip
    assert (row["partition"], row["nodes"]) == ("part01", "1")
    assert row["nodelist"] == desk.lab.slurm("squeue", "-h", "-j", job, "-o", "%N").strip()
    assert re.fullmatch(r"\d:\d\d", row["start_time"])  # the time used; the names are exchanged
    assert STAMP.fullmatch(row["time"])
    assert re.fullmatch(r"\d+:\d\d", row["time_left"])
    assert row["job_file_out"] == f"{desk.folder}/two words|&-{job}.out"
    assert row["job_file_err"] == f"{desk.folder}/err-{int(job):05}"
    assert row["job_data_out"] == " " * 996 + "end"  # the last 1000 bytes, less the newline
    assert row["job_data_err"] == "trouble"
    assert data(desk, f"/compute/jobs/{job}")["0"]["jobid"] == job


def test_a_waiting_job_has_a_reason_and_no_output(desk: Desk, jobs: Jobs) -> None:
    old = desk.write("left over.out", "of an earlier job\n")
    job = jobs.submit("--hold", f"--output={old}")
    row = data(desk, "/compute/jobs", jobs=job)["0"]
    assert (row["state"], row["nodelist"], row["time"]) == ("PENDING", "(JobHeldUser)", "N/A")
    assert (row["job_file_out"], row["job_data_out"], row["job_data_err"]) == (str(old), "", "")


def test_only_the_callers_jobs_unless_everybodys_are_wanted(desk: Desk, jobs: Jobs) -> None:
    own, other = jobs.submit("--hold"), jobs.submit("--hold", person=1)
    ids = {row["jobid"] for row in data(desk, "/compute/jobs").values()}
    assert own in ids and other not in ids
    assert other in {row["jobid"] for row in data(desk, "/compute/jobs", person="bob").values()}
    everybody = {
        row["jobid"]: row for row in data(desk, "/compute/jobs", userJobs="False").values()
    }
    assert {own, other} <= set(everybody)
    assert everybody[other]["user"] == jobs.users[1]
    files = [name for name in JOB if name.startswith("job_")]
    assert {everybody[job][name] for job in (own, other) for name in files} == {""}
    # somebody else's job is as good as unknown
    assert refused(desk, "/compute/jobs", jobs=other) == UNKNOWN
    assert refused(desk, f"/compute/jobs/{other}") == UNKNOWN


def test_unknown_ids_and_ids_that_are_over(desk: Desk, jobs: Jobs) -> None:
    assert refused(desk, "/compute/jobs", jobs=UNKNOWN_ID) == UNKNOWN
    held = jobs.submit("--hold")
    found = data(desk, "/compute/jobs", jobs=f"{UNKNOWN_ID},{held}")
    assert [row["jobid"] for row in found.values()] == [held]
    ended = jobs.submit(body="true")
    until(lambda: data(desk, "/compute/jobs", jobs=ended) == {})
    # forgotten by the controller (MinJobAge), not yet by us
    until(lambda: not desk.lab.slurm("squeue", "-h", "-t", "all", "-j", f"{ended},{ended}").strip())
    assert data(desk, "/compute/jobs", jobs=ended) == {}
    assert data(desk, f"/compute/jobs/{ended}") == {}


def test_arrays_by_all_their_ids(desk: Desk, jobs: Jobs) -> None:
    job = jobs.submit("--hold", "--array=1-5%2")

    def ids(asked: str) -> list[str]:
        return [row["jobid"] for row in data(desk, "/compute/jobs", jobs=asked).values()]

    whole = f"{job}_[1-5%2]"
    assert ids(job) == [whole]
    assert ids(f"{job}_3") == [f"{job}_3"]
    assert ids(f"{job}_3,{job}_5") == [f"{job}_3", f"{job}_5"]
    assert ids(f"{job}_[4-9]") == [whole]
    assert refused(desk, "/compute/jobs", jobs=f"{job}_6") == UNKNOWN


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("l", "l is not a valid job ID"),
        ("-1", "-1 is not a valid job ID"),
        ("1,x2", "x2 is not a valid job ID"),
        ("1_", "1_ is not a valid job ID"),
        ("4_[2]", "4_[2] is not a valid job ID"),
        ("1,,2", "Jobs list wrong format"),
        ("1,", "Jobs list wrong format"),
        ("", "'jobs' is empty"),
        ("1;2", "'jobs' has invalid char"),
        ("$(id)", "'jobs' has invalid char"),
        ("`id`", "'jobs' has invalid char"),
        ("1\n2", "'jobs' has invalid char"),
    ],
)
def test_what_is_no_list_of_ids(desk: Desk, asked: str, error: str) -> None:
    answer = desk.ask("GET", "/compute/jobs", {"jobs": asked})
    assert answer.status_code == 400
    assert answer.json() == {"description": "Failed to retrieve job information", "error": error}
    assert error_headers(answer) == {}


def test_pages_of_the_queue(desk: Desk, jobs: Jobs) -> None:
    made = [jobs.submit("--hold") for _ in range(3)]
    listed = ",".join(made)

    def page(**fields: Any) -> list[str]:
        found = data(desk, "/compute/jobs", jobs=listed, **fields)
        assert list(found) == [str(number) for number in range(len(found))]
        return [row["jobid"] for row in found.values()]

    assert page() == made
    assert page(pageSize=2) == made[:2]
    assert page(pageSize=2, pageNumber=1) == made[2:]
    assert page(pageNumber=0) == made
    assert page(pageSize="x", pageNumber="y") == made

    def beyond(**fields: Any) -> Any:
        return refused(desk, "/compute/jobs", jobs=listed, **fields)

    assert beyond(pageSize=2, pageNumber=9) == "pageNumber (9) is greater than total pages (2)"
    assert beyond(pageNumber=-1) == "pageNumber (-1) cannot be a negative number"


def test_unknown_parameters_are_ignored(desk: Desk, jobs: Jobs) -> None:
    job = jobs.submit("--hold")
    assert data(desk, "/compute/jobs", jobs=job, partition="xfer", x=1)["0"]["jobid"] == job


def test_many_clients_cost_one_squeue(desk: Desk, jobs: Jobs, monkeypatch: Any) -> None:
    from hpc.client import SystemClient

    job = jobs.submit("--hold")
    asked: list[Any] = []
    real = SystemClient.run

    def counted(client: SystemClient, command: Any) -> Any:
        asked.append(command)
        return real(client, command)

    monkeypatch.setattr(SystemClient, "run", counted)
    for _ in range(10):
        assert data(desk, "/compute/jobs", jobs=job)["0"]["jobid"] == job
        assert data(desk, f"/compute/jobs/{job}")["0"]["jobid"] == job
    assert len(asked) == 1
    later = jobs.submit("--hold")  # not in what was heard: asked for anew
    assert data(desk, "/compute/jobs", jobs=later)["0"]["jobid"] == later
    assert len(asked) == 2


@pytest.mark.django_db(transaction=True)
def test_who_joins_a_slow_question_has_the_answer_by_its_task(
    desk: Desk, jobs: Jobs, monkeypatch: Any
) -> None:
    from api.firecrest.base import gate
    from pipeline_management.models import ApiTask
    from pipeline_management.services import cluster
    from pipeline_management.services.coalescing import Flight

    job = jobs.submit("--hold")
    flight: Flight[Any] = Flight(None, 0.0)
    monkeypatch.setattr(cluster, "asking_queue", lambda *_, **__: flight)
    places: list[str] = []
    monkeypatch.setattr(gate, "enter", places.append)
    answers = [desk.ask("GET", "/compute/jobs", {"jobs": asked}) for asked in (job, UNKNOWN_ID)]
    assert [answer.status_code for answer in answers] == [200, 200]
    tasks = [ApiTask.objects.get(pk=answer.json()["task_id"]) for answer in answers]
    assert [task.status for task in tasks] == ["100", "100"]
    assert places == []  # nobody waits for the system on their behalf
    flight.end(1.0)

    def ended() -> bool:
        for task in tasks:
            task.refresh_from_db()
        return not any(task.is_open for task in tasks)

    until(ended)
    assert (tasks[0].status, tasks[0].data["0"]["jobid"]) == ("200", job)
    assert (tasks[1].status, tasks[1].data) == ("400", UNKNOWN)


# ---------------------------------------------------------------- accounting


def test_accounting_of_a_job_that_failed(desk: Desk, jobs: Jobs) -> None:
    job = jobs.submit("--job-name=fails", body="exit 3")

    def ended() -> Any:
        found = data(desk, "/compute/acct", jobs=job)
        return found if found and found[0]["state"] == "FAILED" else None

    (row,) = until(ended)
    assert set(row) == RECORD
    assert {type(value) for value in row.values()} == {str}
    assert (row["jobid"], row["name"], row["user"], row["exit_code"]) == (
        job, "fails", jobs.users[0], "3:0"
    )  # fmt: skip
    assert (row["partition"], row["nodes"]) == ("part01", "1")
    assert STAMP.fullmatch(row["start_time"]) and STAMP.fullmatch(row["termination_time"])
    assert row["time_left"] == row["termination_time"]
    assert row["time"] == row["cpu_time"]
    assert re.fullmatch(r"00:00:\d\d", row["elapsed_time"])
    assert [r["jobid"] for r in data(desk, "/compute/acct") if r["jobid"] == job] == [job]


def test_accounting_shows_only_the_callers_jobs(desk: Desk, jobs: Jobs) -> None:
    job = jobs.submit()
    (row,) = until(lambda: data(desk, "/compute/acct", jobs=job))
    until(lambda: data(desk, "/compute/acct", jobs=job)[0]["state"] == "RUNNING")
    assert data(desk, "/compute/acct", jobs=job)[0]["termination_time"] == "Unknown"
    assert row["jobid"] == job
    assert data(desk, "/compute/acct", person="bob", jobs=job) == {}
    assert {r["user"] for r in data(desk, "/compute/acct")} == {jobs.users[0]}


def test_accounting_of_what_is_unknown_and_what_is_no_id(desk: Desk) -> None:
    assert data(desk, "/compute/acct", jobs=UNKNOWN_ID) == {}
    assert "Bad job/step specified: l" in refused(desk, "/compute/acct", jobs="l")
    assert "--help" in refused(desk, "/compute/acct", jobs="--help")


def test_times_of_accounting(desk: Desk, jobs: Jobs) -> None:
    job = jobs.submit(body="true")
    until(lambda: data(desk, "/compute/acct", jobs=job))

    def ids(**fields: Any) -> list[str]:
        return [row["jobid"] for row in data(desk, "/compute/acct", **fields)]

    for form in ("00:00", "00:00:00", "%m%d", "%m%d%y", "%m/%d", "%m/%d/%y", "%m.%d", "%m.%d.%y",
                 "%m/%d/%y-00:00", "%m/%d-00:00:00", "%Y-%m-%d", "%Y-%m-%dT00:00", "%Y-%m-%dT00:00:00"):  # fmt: skip
        assert job in ids(starttime=time.strftime(form)), form
    assert ids(starttime="2001-01-01", endtime="2001-01-02") == []
    assert ids(starttime="2001-01-01", endtime="01/02/01-23:59:59") == []
    for wrong in ("yesterday", "now-1hour", "2001-1-1", "2001-01-01 10:00", "--help", "12:3"):
        assert job in ids(starttime=wrong), wrong


def test_pages_of_accounting(desk: Desk, jobs: Jobs) -> None:
    made = [jobs.submit(body="true") for _ in range(3)]
    listed = ",".join(made)
    until(lambda: len(data(desk, "/compute/acct", jobs=listed)) == 3)
    found = data(desk, "/compute/acct", jobs=listed, pageSize=2, pageNumber=1)
    assert [row["jobid"] for row in found] == made[2:]
    text = refused(desk, "/compute/acct", jobs=listed, pageSize=2, pageNumber=2)
    assert text == "pageNumber (2) is greater than total pages (2)"
