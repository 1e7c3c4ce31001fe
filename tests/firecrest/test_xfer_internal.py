"""/storage/xfer-internal on a real Slurm: what the jobs do to files, and what is refused."""

from __future__ import annotations

import subprocess
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.firecrest.views.transfers import parse_time
from pipeline_management.choices import RunState
from pipeline_management.models import Run, System
from pipeline_management.services import file_jobs
from tests.factories import make_account
from tests.firecrest.desk import error_headers
from tests.firecrest.jobs import SCRIPT, follow, one_thread, submitted, upload

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

__all__ = ["one_thread"]


def ask(desk: Desk, operation: str, **fields: Any) -> Any:
    return desk.ask("POST", f"/storage/xfer-internal/{operation}", fields)


def done(desk: Desk, operation: str, **fields: Any) -> tuple[dict[str, Any], Run]:
    """The job has ended well and said nothing to stderr."""
    answer = ask(desk, operation, **fields)
    assert answer.status_code == 201, answer.content
    data, run = submitted(desk, answer)
    follow(run)
    logs = {log.stream: bytes(log.data).decode() for log in run.logs.all()}
    assert (run.state, logs["stderr"]) == (RunState.SUCCEEDED, ""), logs
    assert f"Started {operation} at " in logs["stdout"]
    assert f"Finished {operation} at " in logs["stdout"]
    return data, run


def tree(desk: Desk) -> Path:
    """A directory with a file, a link and an odd name."""
    top = desk.make("source dir")
    for name, content in {"-x": "dash", "a b": "blank"}.items():
        desk.give(desk.write(f"source dir/{name}", content, mode=0o640))
    (top / "link").symlink_to("a b")
    return top


@pytest.mark.lab
@pytest.mark.django_db
def test_copy_move_and_remove(desk: Desk) -> None:
    source, copy, moved = tree(desk), desk.folder / "copy $x", desk.folder / "-moved"
    data, run = done(desk, "cp", sourcePath=str(source), targetPath=str(copy))
    assert (copy / "a b").read_text() == "blank"
    assert (copy / "link").readlink() == Path("a b")
    assert (copy / "-x").stat().st_mtime == (source / "-x").stat().st_mtime
    job = data["jobid"]
    assert data["job_file"] == f"{run.directory}/sbatch-job.sh"
    assert data["job_file_out"] == f"{run.directory}/job-{job}.out"
    assert data["job_file_err"] == f"{run.directory}/job-{job}.err"
    assert run.name == "cp-job"
    said = desk.lab.slurm("sacct", "-X", "-n", "-P", "-j", str(job), "-o", "Timelimit,JobName")
    assert said.strip() == "02:00:00|cp-job"
    done(desk, "mv", sourcePath=str(copy), targetPath=str(moved), jobName="")
    assert not copy.exists()
    assert (moved / "-x").read_text() == "dash"
    done(desk, "rm", targetPath=str(moved))
    assert not moved.exists()


@pytest.mark.lab
@pytest.mark.django_db
def test_rsync(desk: Desk) -> None:
    source = desk.write("a:b", "colon")  # rsync would look for a host called a
    answer = ask(desk, "rsync", sourcePath=str(source), targetPath=str(desk.folder / "copied"))
    _, run = submitted(desk, answer)
    follow(run)
    if subprocess.run(["which", "rsync"], capture_output=True).returncode == 0:
        assert (desk.folder / "copied").read_text() == "colon"
    else:
        assert (run.state, run.exit_code) == (RunState.FAILED, 127)


@pytest.mark.lab
@pytest.mark.django_db
def test_compress_and_extract(desk: Desk) -> None:
    source, archive = tree(desk), desk.folder / "packed:1.tar.gz"
    done(desk, "compress", sourcePath=str(source), targetPath=str(archive))
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())
        assert packed.getmember("source dir/link").issym()
    assert names == {"source dir", "source dir/-x", "source dir/a b", "source dir/link"}
    target = desk.make("unpacked")
    done(desk, "extract", sourcePath=str(archive), targetPath=str(target), extension="tar.gz")
    assert (target / "source dir" / "a b").read_text() == "blank"
    followed = desk.folder / "followed.tgz"
    done(desk, "compress", sourcePath=str(source), targetPath=str(followed), dereference="true")
    with tarfile.open(followed) as packed:
        assert not packed.getmember("source dir/link").issym()
    zipped = desk.folder / "z*p.zip"
    subprocess.run(["python3", "-m", "zipfile", "-c", str(zipped), str(source / "a b")], check=True)
    desk.give(zipped)
    done(desk, "extract", sourcePath=str(zipped), targetPath=str(target))
    assert (target / "a b").read_text() == "blank"


@pytest.mark.lab
@pytest.mark.django_db
def test_a_missing_source_is_a_failed_job(desk: Desk) -> None:
    answer = ask(desk, "cp", sourcePath=str(desk.folder / "no"), targetPath=str(desk.folder / "to"))
    data, run = submitted(desk, answer)
    follow(run)
    assert (run.state, run.exit_code) == (RunState.FAILED, 1)
    assert "No such file" in bytes(run.logs.get(stream="stderr").data).decode()
    assert data["result"] == "Job submitted"


@pytest.mark.lab
@pytest.mark.django_db
def test_what_is_asked_of_the_scheduler(desk: Desk) -> None:
    first, _run = submitted(desk, upload(desk, SCRIPT + "sleep 300\n"))
    fields = {
        "jobName": "my copy",
        "time": "1-02",
        "stageOutJobId": str(first["jobid"]),
        "account": "acct1",
    }
    answer = ask(desk, "cp", sourcePath="a", targetPath="b", **fields)
    data, run = submitted(desk, answer)
    said = desk.lab.slurm("scontrol", "show", "job", str(data["jobid"]))
    for words in ("JobName=my copy", "TimeLimit=1-02:00:00", "Account=acct1", "NumTasks=1"):
        assert words in said
    assert f"Dependency=afterok:{first['jobid']}" in said
    assert run.configuration["after"] == str(first["jobid"])
    desk.lab.slurm("scancel", str(data["jobid"]), str(first["jobid"]))
    assert follow(run).state == RunState.CANCELLED


@pytest.mark.lab
@pytest.mark.django_db
def test_the_queue_of_the_systems_transfers(desk: Desk) -> None:
    cluster = System.objects.get(name="cluster")
    cluster.transfer_queue = "part02"
    cluster.save()
    short = ask(desk, "rm", targetPath=str(desk.folder / "nothing"), time="5")
    data, run = submitted(desk, short)
    assert run.resources["queue"] == "part02"
    assert "Partition=part02" in desk.lab.slurm("scontrol", "show", "job", str(data["jobid"]))
    cluster.transfer_queue = "nowhere"
    cluster.save()
    refused = ask(desk, "rm", targetPath=str(desk.folder / "nothing"))
    assert refused.status_code == 400
    assert list(refused.json()) == ["error"]
    assert "invalid partition" in refused.json()["error"]
    assert list(error_headers(refused)) == ["X-Sbatch-Error"]


@pytest.mark.lab
@pytest.mark.django_db
@pytest.mark.parametrize("operation", file_jobs.OPERATIONS)
def test_faults(desk: Desk, operation: str) -> None:
    description = f"Error on {operation} operation"
    good = {"sourcePath": "a.tar", "targetPath": "b"}
    lists: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"targetPath": ""}, {"description": description, "error": "'targetPath' is empty"}),
        (
            {"jobName": "a;b"},
            {"description": "Invalid jobName", "error": "'jobName' has invalid char"},
        ),
        ({"time": ""}, {"error": "Not supported time format"}),
        ({"time": "1:2:3:4"}, {"error": "Not supported time format"}),
        (
            {"stageOutJobId": ""},
            {"description": "Invalid stageOutJobId", "error": "'stageOutJobId' is empty"},
        ),
        (
            {"stageOutJobId": "x1"},
            {"description": "Invalid stageOutJobId", "error": "x1 is not a valid job ID"},
        ),
        ({"account": ""}, {"description": "Invalid account", "error": "'account' is empty"}),
    ]
    if operation != "rm":
        missing = {"description": description, "error": "'sourcePath' not specified"}
        answer = ask(desk, operation, targetPath="b")
        assert (answer.status_code, answer.json()) == (400, missing)
    if operation == "extract":
        unknown = {"description": description, "error": "Unsupported file format in a.rar."}
        lists.append(({"sourcePath": "a.rar"}, unknown))
    for wrong, body in lists:
        answer = ask(desk, operation, **(good | wrong))
        assert (answer.status_code, answer.json()) == (400, body), wrong
        assert error_headers(answer) == {}
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("1", timedelta(minutes=1)),
        ("120", timedelta(hours=2)),
        ("02:30", timedelta(minutes=2, seconds=30)),
        ("02:00:00", timedelta(hours=2)),
        ("100:00:01", timedelta(hours=100, seconds=1)),
        ("1-0", timedelta(days=1)),
        ("01-23:59", timedelta(days=1, hours=23, minutes=59)),
        ("1-02:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0", None),
        ("00:00:00", None),
        ("1-24", None),
        ("02:60", None),
        ("02:00:60", None),
        ("-1", None),
        ("1-", None),
        (" 1", None),
        ("1\n", None),
        ("１", None),
        ("abc", None),
        ("", None),
    ],
)
def test_forms_of_a_time_limit(text: str, limit: timedelta | None) -> None:
    assert parse_time(text) == limit


@pytest.mark.django_db
def test_hostile_paths_are_single_words(tmp_path: Path) -> None:
    """The script that is made, run by a real shell in a folder full of tempting names."""
    hostile = ["'; touch hacked; '", "$(touch hacked)", "`touch hacked`", "-rf", "a\nb", "*", "~"]
    account = make_account()
    for name in hostile:
        (tmp_path / name).write_text("content")
    for name in hostile:
        asked = file_jobs.request("mv", account, source=name, target=f"{name}.new")
        assert asked.content is not None
        script = tmp_path.parent / "script.sh"
        script.write_bytes(asked.content)
        subprocess.run(
            ["/bin/sh", str(script)], cwd=tmp_path, check=True,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "1"},
        )  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{n}.new" for n in hostile)
