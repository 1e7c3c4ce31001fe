"""/compute/ on PBS: the same words as on Slurm, from the stand-in commands run as plain commands of this machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings

from pipeline_management.choices import RunState
from pipeline_management.services import api_tasks, cluster
from tests.factories import make_account, make_system, make_user
from tests.firecrest.desk import Desk, token_of
from tests.firecrest.jobs import follow, submitted, task_of, upload
from tests.lab.pbs import install

pytestmark = pytest.mark.django_db

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@pytest.fixture
def pbs(tmp_path: Path) -> Path:
    """The directory of the commands; files in ``state`` there make faults."""
    return install(tmp_path / "pbs")


@pytest.fixture
def here(
    pbs: Path, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk with a PBS of plain commands as ``cluster``."""
    settings.CENTRO_SETTLE_SECONDS = 1
    monkeypatch.setattr(api_tasks, "DEADLINE", 60.0)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    alice = make_user("alice")
    system = make_system("cluster", scheduler="pbs", scheduler_options={"bin_dir": str(pbs)})
    make_account(system, alice)
    cluster.forget()
    no_lab: Any = SimpleNamespace()
    yield Desk(no_lab, alice, alice, tmp_path / "home", "", {"alice": token_of(alice)})
    left = subprocess.run(
        [pbs / "qselect"], capture_output=True, text=True, check=False
    ).stdout.split()
    if left:
        subprocess.run([pbs / "qdel", *left], check=False)


def asked(desk: Desk, path: str, method: str = "GET", **fields: str) -> Any:
    """The data of the task that the question made."""
    task = task_of(desk, desk.ask(method, path, fields))
    assert task["status"] == "200", task
    return task["data"]


def refused(desk: Desk, path: str, method: str = "GET", **fields: str) -> Any:
    task = task_of(desk, desk.ask(method, path, fields))
    assert task["status"] == "400", task
    return task["data"]


def test_a_job_from_its_submission_to_its_record(here: Desk) -> None:
    script = "#!/bin/sh\n#PBS -N fine\n#PBS -l walltime=00:10:00\ntest -e $HOME/go || sleep 30\n"
    told, run = submitted(here, upload(here, script))
    assert (told["jobid"], told["job_file_out"]) == (1, f"{run.directory}/fine.o1")
    row = asked(here, "/compute/jobs", jobs="1")["0"]
    assert (row["jobid"], row["name"], row["state"], row["partition"]) == (
        "1",
        "fine",
        "RUNNING",
        "workq",
    )
    assert row["job_file"] == told["job_file"]
    assert (row["job_file_out"], row["job_file_err"]) == (
        told["job_file_out"],
        told["job_file_err"],
    )
    assert re.fullmatch(r"\d:\d\d", row["start_time"]) and STAMP.fullmatch(row["time"])
    assert re.fullmatch(r"(9|10):\d\d", row["time_left"])
    assert asked(here, "/compute/jobs/1.pbs01")["0"]["jobid"] == "1"
    assert asked(here, "/compute/jobs/1", "DELETE") == "scancel: Terminating job 1"
    follow(run)
    assert run.state == RunState.CANCELLED
    assert asked(here, "/compute/jobs/1") == {}
    (record,) = asked(here, "/compute/acct", jobs="1")
    assert (record["jobid"], record["state"], record["exit_code"]) == ("1", "CANCELLED", "0:15")
    assert STAMP.fullmatch(record["start_time"]) and STAMP.fullmatch(record["termination_time"])


def test_a_script_that_is_on_the_system(here: Desk) -> None:
    folder = here.folder / "work"
    folder.mkdir()
    (folder / "job.pbs").write_text("#PBS -o logs/\ncd $PBS_O_WORKDIR; echo here > found; exit 3\n")
    (folder / "logs").mkdir()
    answer = here.ask("POST", "/compute/jobs/path", {"targetPath": str(folder / "job.pbs")})
    told, run = submitted(here, answer)
    assert (told["job_file_out"], told["job_file_err"]) == (
        f"{folder}/logs/1.pbs01.OU", f"{folder}/job.pbs.e1",
    )  # fmt: skip
    assert run.script.startswith("#PBS -o logs/")
    follow(run)
    assert (run.state, run.exit_code, (folder / "found").read_text()) == ("failed", 3, "here\n")
    (record,) = asked(here, "/compute/acct")
    assert (record["state"], record["exit_code"]) == ("FAILED", "3:0")


def test_what_pbs_does_not_know(here: Desk, pbs: Path) -> None:
    unknown = "slurm_load_jobs error: Invalid job id specified"
    assert refused(here, "/compute/jobs", jobs="77") == unknown
    assert refused(here, "/compute/jobs/77[]") == unknown
    assert refused(here, "/compute/jobs/77", "DELETE") == (
        "scancel: error: Kill job error on job id 77: Invalid job id specified"
    )
    assert here.ask("GET", "/compute/jobs", {"jobs": "7_1"}).status_code == 400
    assert asked(here, "/compute/jobs") == {}
    assert asked(here, "/compute/acct") == {}
    assert refused(here, "/compute/acct", jobs="x") == "Bad job/step specified: x"
    (pbs / "state" / "nohistory").touch()
    assert "keeps no job history" in str(refused(here, "/compute/acct", endtime="2030-01-01"))


def test_an_outage_is_no_empty_list(here: Desk, pbs: Path) -> None:
    (pbs / "state" / "down").touch()
    assert "Connection refused" in str(refused(here, "/compute/jobs"))
    assert "Connection refused" in str(refused(here, "/compute/acct"))


def test_nodes_and_partitions(here: Desk) -> None:
    (node,) = asked(here, "/compute/nodes")
    assert (node["NodeName"], node["State"]) == ("pbs01", ["IDLE"])
    assert "workq" in node["Partitions"]
    found = {row["PartitionName"]: row for row in asked(here, "/compute/partitions")}
    assert (found["workq"]["Default"], found["workq"]["TotalCPUs"], found["workq"]["State"]) == (
        "YES",
        "8",
        "UP",
    )
    assert (found["disabled"]["State"], found["stopped"]["State"]) == ("DRAIN", "DOWN")
    assert asked(here, "/compute/reservations") == []


def test_a_file_operation_as_a_job(here: Desk) -> None:
    (here.folder / "a").write_text("content")
    sent = {"sourcePath": str(here.folder / "a"), "targetPath": str(here.folder / "b")}
    told, run = submitted(here, here.ask("POST", "/storage/xfer-internal/cp", sent))
    assert told["job_file_out"] == f"{run.directory}/job.out"
    follow(run)
    assert (run.state, (here.folder / "b").read_text()) == ("succeeded", "content")
    out = Path(told["job_file_out"]).read_text()
    assert f"Trace id: {Path(run.directory).name}\n" in out and "with exit code 0" in out
    assert Path(told["job_file_err"]).read_text() == ""
    assert sorted(path.name for path in here.folder.iterdir()) == ["a", "b", "firecrest"]
