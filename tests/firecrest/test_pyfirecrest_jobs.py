"""Jobs through the real clients, on a real Slurm: what they say is compared with sacct, squeue and the disk."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import firecrest
import pytest

from tests.firecrest.portal import CLUSTER, Portal

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

SCRIPT = '#!/bin/bash\n#SBATCH --job-name="{name}"\n#SBATCH --time=05:00\n{body}\n'
BASE_KEYS = {
    "jobid", "partition", "name", "user", "state", "start_time", "time", "time_left", "nodes", "nodelist",
}  # fmt: skip
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def script(body: str, name: str = "judged") -> str:
    """A batch script."""
    return SCRIPT.format(name=name, body=body)


def until(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until ``look`` finds something; fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds:.0f} s"
        time.sleep(0.3)
    return found


def ended(client: Any, job: Any) -> dict[str, Any]:
    """The accounting row of a job, as soon as it is over."""

    def row() -> dict[str, Any] | None:
        rows = client.poll(CLUSTER, jobs=[job])
        over = rows and rows[0]["state"].split()[0] not in ("PENDING", "RUNNING", "COMPLETING")
        return rows[0] if over else None

    return until(row)


def test_a_job_from_a_string_ends_well(portal: Portal, alice: Any) -> None:
    job = alice.submit(CLUSTER, script_str=script("echo out; echo err >&2"))
    assert job["result"] == "Job submitted"
    assert isinstance(job["jobid"], int)
    place = portal.home("alice") / "firecrest" / job["firecrest_taskid"]
    assert job["job_file"] == str(place / "script.batch")
    assert job["job_file_out"] == job["job_file_err"] == str(place / f"slurm-{job['jobid']}.out")
    assert (job["job_data_out"], job["job_data_err"]) == ("", "")
    row = ended(alice, job["jobid"])
    assert row["jobid"] == str(job["jobid"])
    assert (row["state"], row["exit_code"], row["name"]) == ("COMPLETED", "0:0", "judged")
    assert (row["user"], row["partition"], row["nodes"]) == (
        portal.unix_user("alice"),
        "part01",
        "1",
    )
    assert STAMP.fullmatch(row["start_time"]) and STAMP.fullmatch(row["termination_time"])
    assert row["time"] == row["cpu_time"]
    assert row["time_left"] == row["termination_time"]
    assert {type(value) for value in row.values()} == {str}
    assert Path(job["job_file_out"]).read_text() == "out\nerr\n"


def test_exit_code_and_failure(alice: Any) -> None:
    job = alice.submit(CLUSTER, script_str=script("exit 7"))
    row = ended(alice, job["jobid"])
    assert (row["state"], row["exit_code"]) == ("FAILED", "7:0")


def test_a_local_script_and_a_script_on_the_system(
    portal: Portal, alice: Any, folder: Path, tmp_path: Path
) -> None:
    body = script("#SBATCH --output=out-%j.txt\npwd")
    local = tmp_path / "my script.sh"
    local.write_text(body)
    job = alice.submit(CLUSTER, script_local_path=str(local))
    assert Path(job["job_file"]).name == "my_script.sh"
    assert Path(job["job_file_out"]).name == f"out-{job['jobid']}.txt"
    ended(alice, job["jobid"])
    assert Path(job["job_file_out"]).read_text().strip() == str(Path(job["job_file"]).parent)
    remote = portal.write("alice", folder / "remote.sh", body)
    job = alice.submit(CLUSTER, script_remote_path=str(remote))
    assert job["job_file"] == str(remote)
    assert job["job_file_out"] == str(folder / f"out-{job['jobid']}.txt")
    assert ended(alice, job["jobid"])["state"] == "COMPLETED"
    assert (folder / f"out-{job['jobid']}.txt").read_text().strip() == str(folder)


def test_environment_arrives_unchanged(alice: Any) -> None:
    values = {"A": "a", "B": "b 1", "C": "c,d=e,f", "D": "$HOME `id` \\ \" '", "E": ""}
    body = "\n".join(f'printf "%s|" "${{{name}-unset}}"' for name in values)
    job = alice.submit(CLUSTER, script_str=script(body + '\ntest -n "$HOME"'), env_vars=values)
    assert ended(alice, job["jobid"])["state"] == "COMPLETED"
    assert Path(job["job_file_out"]).read_text() == "".join(
        f"{value}|" for value in values.values()
    )


def test_account(portal: Portal, alice: Any) -> None:
    job = alice.submit(CLUSTER, script_str=script("true"), account="acct2")
    ended(alice, job["jobid"])
    found = portal.lab.slurm("sacct", "-X", "-n", "-P", "-j", str(job["jobid"]), "-o", "account")
    assert found.strip() == "acct2"
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.submit(CLUSTER, script_str=script("true"), account="no-such-account")
    task = next(iter(refused.value.responses[-1].json()["tasks"].values()))
    assert task["status"] == "400"
    assert "sbatch: error" in task["data"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo no interpreter\n", "#!"),
        ("#!/bin/sh\n#SBATCH --job-name=two words\n", "Invalid directive found in batch script"),
        ("#!/bin/sh\n#SBATCH --partition=nowhere\n", "invalid partition"),
    ],
)
def test_a_script_that_slurm_refuses(alice: Any, text: str, said: str) -> None:
    begun = time.monotonic()
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.submit(CLUSTER, script_str=text)
    task = next(iter(refused.value.responses[-1].json()["tasks"].values()))
    assert "sbatch: error" in task["data"] and said in task["data"]
    assert time.monotonic() - begun < 10


def test_the_queue(portal: Portal, alice: Any, bob: Any) -> None:
    job = alice.submit(CLUSTER, script_str=script("echo begun; sleep 300", name="long one"))
    try:

        def running() -> Any:
            rows = alice.poll_active(CLUSTER, jobs=[job["jobid"]])
            return rows if rows and rows[0]["state"] == "RUNNING" else None

        (row,) = until(running)
        assert set(row) >= BASE_KEYS | {
            "job_file",
            "job_file_out",
            "job_file_err",
            "job_info_extra",
        }
        assert row["jobid"] == str(job["jobid"])
        assert (row["user"], row["partition"]) == (portal.unix_user("alice"), "part01")
        assert (row["name"], row["nodes"]) == ("long one", "1")
        assert STAMP.fullmatch(row["time"])  # the start; the two names are swapped
        assert re.fullmatch(r"\d+:\d\d", row["start_time"])
        assert re.fullmatch(r"\d+:\d\d", row["time_left"])
        assert row["job_file_out"] == job["job_file_out"]
        (row,) = until(
            lambda: [r for r in alice.poll_active(CLUSTER, [job["jobid"]]) if r["job_data_out"]]
        )
        assert row["job_data_out"] == "begun"
        assert str(job["jobid"]) in {r["jobid"] for r in alice.poll_active(CLUSTER)}
        assert str(job["jobid"]) not in {r["jobid"] for r in bob.poll_active(CLUSTER)}
        first = alice.poll_active(CLUSTER, page_size=1, page_number=0)
        assert len(first) == 1
        # accounting hears of the start a moment later than the queue
        (row,) = until(
            lambda: [r for r in alice.poll(CLUSTER, [job["jobid"]]) if r["state"] == "RUNNING"]
        )
        assert row["termination_time"] == "Unknown"
    finally:
        alice.cancel(CLUSTER, job["jobid"])


def test_cancel_is_seen_by_sacct(portal: Portal, alice: Any, bob: Any) -> None:
    job = alice.submit(CLUSTER, script_str=script("sleep 300"))
    with pytest.raises(firecrest.FirecrestException):
        bob.cancel(CLUSTER, job["jobid"])
    assert alice.poll_active(CLUSTER, jobs=[job["jobid"]])
    assert isinstance(alice.cancel(CLUSTER, job["jobid"]), str)
    row = ended(alice, job["jobid"])
    assert row["state"].startswith("CANCELLED")
    seen = portal.lab.slurm("sacct", "-X", "-n", "-P", "-j", str(job["jobid"]), "-o", "state")
    assert seen.startswith("CANCELLED")
    with pytest.raises(firecrest.FirecrestException):
        alice.cancel(CLUSTER, job["jobid"])
    assert alice.poll_active(CLUSTER, jobs=[job["jobid"]]) == []  # known, but over: no error


def test_unknown_and_unreadable_job_ids(alice: Any) -> None:
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.poll_active(CLUSTER, jobs=[999_999_999])
    (task,) = refused.value.responses[-1].json()["tasks"].values()
    assert task["data"] == "slurm_load_jobs error: Invalid job id specified"
    assert alice.poll(CLUSTER, jobs=[999_999_999]) == []
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.poll_active(CLUSTER, jobs=["l"])
    assert refused.value.responses[-1].status_code == 400
    assert refused.value.responses[-1].json()["error"] == "l is not a valid job ID"
    with pytest.raises(firecrest.FirecrestException):
        alice.poll(CLUSTER, jobs=["l"])


def test_accounting_of_today_by_pages_and_times(portal: Portal, alice: Any, bob: Any) -> None:
    jobs = [alice.submit(CLUSTER, script_str=script("true"))["jobid"] for _ in range(3)]
    for job in jobs:
        ended(alice, job)
    listed = [row["jobid"] for row in alice.poll(CLUSTER)]
    assert {str(job) for job in jobs} <= set(listed)
    assert {row["user"] for row in alice.poll(CLUSTER)} == {portal.unix_user("alice")}
    assert bob.poll(CLUSTER, jobs=jobs) == []
    paged = alice.poll(CLUSTER, jobs=jobs, page_size=2, page_number=1)
    assert [row["jobid"] for row in paged] == [str(jobs[2])]
    assert alice.poll(CLUSTER, start_time="2001-01-01", end_time="2001-01-02") == []
    with pytest.raises(firecrest.FirecrestException):
        alice.poll(CLUSTER, jobs=jobs, page_size=2, page_number=9)


def test_nodes_partitions_and_reservations(portal: Portal, alice: Any) -> None:
    nodes = alice.nodes(CLUSTER)
    (name,) = portal.lab.slurm("sinfo", "-h", "-N", "-o", "%N").split()[:1]
    assert [node["NodeName"] for node in nodes] == [name]
    assert set(nodes[0]["Partitions"]) >= {"part01", "part02", "closed"}
    assert isinstance(nodes[0]["State"], list) and nodes[0]["State"]
    assert alice.nodes(CLUSTER, nodes=[name]) == nodes
    with pytest.raises(firecrest.FirecrestException):
        alice.nodes(CLUSTER, nodes=["no-such-node"])
    partitions = {entry["PartitionName"]: entry for entry in alice.partitions(CLUSTER)}
    assert partitions["part01"]["Default"] == "YES"
    assert (partitions["closed"]["State"], partitions["part01"]["State"]) == ("DOWN", "UP")
    assert {type(value) for value in partitions["part01"].values()} == {str}
    assert alice.partitions(CLUSTER, partitions=["part02"]) == [partitions["part02"]]
    assert alice.partitions(CLUSTER, partitions=["no-such-partition"]) == []
    portal.lab.slurm(
        "scontrol", "create", "reservation", "ReservationName=judged", "StartTime=now+10days",
        "Duration=60", "NodeCnt=1", f"Users={portal.unix_user('alice')}",
    )  # fmt: skip
    try:
        (found,) = alice.reservations(CLUSTER, reservations=["judged"])
        assert (found["ReservationName"], found["Nodes"]) == ("judged", name)
        assert STAMP.fullmatch(found["StartTime"]) and isinstance(found["Features"], list)
        assert "judged" in {row["ReservationName"] for row in alice.reservations(CLUSTER)}
        assert alice.reservations(CLUSTER, reservations=["none-such"]) == []
    finally:
        portal.lab.slurm("scontrol", "delete", "ReservationName=judged")


def test_deprecated_reservations(alice: Any) -> None:
    assert isinstance(alice.all_reservations(CLUSTER), list)
    times = {"start_time": "2030-01-01T10:00:00", "end_time": "2030-01-01T09:00:00"}
    with pytest.raises(firecrest.FirecrestException) as created:
        alice.create_reservation(CLUSTER, "judged", "acct1", "1", "f7t", **times)
    with pytest.raises(firecrest.FirecrestException) as updated:
        alice.update_reservation(CLUSTER, "judged", "acct1", "1", "f7t", **times)
    for answer in (created.value.responses[-1], updated.value.responses[-1]):
        assert answer.status_code == 400
        assert "'endtime' occurs before 'starttime'" in answer.json()["description"]
    with pytest.raises(firecrest.FirecrestException) as refused:
        alice.delete_reservation(CLUSTER, "judged")
    assert refused.value.responses[-1].json()["error"] == "Error deleting reservation"
