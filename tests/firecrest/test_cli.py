"""The `firecrest` command line as its users type it, against the running portal."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.firecrest.portal import CLUSTER, Portal, secret_of

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

Type = Callable[..., str]
PROGRAM = Path(sys.executable).parent / "firecrest"


def environment(portal: Portal) -> dict[str, str]:
    """What a user of the command line has set."""
    return {
        "FIRECREST_URL": portal.url,
        "FIRECREST_CLIENT_ID": "alice-client",
        "FIRECREST_CLIENT_SECRET": secret_of("alice"),
        "AUTH_TOKEN_URL": portal.token_url,
        "FIRECREST_SYSTEM": CLUSTER,
        "FIRECREST_API_VERSION": "1.16.1",
        "COLUMNS": "400",
        "PAGER": "cat",
    }


@pytest.fixture
def typed(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Run the command line as alice; returns its output, fails on an exit code of another kind.

    In this process: each start of the program would take longer than what it asks for.
    """
    for name, value in environment(portal).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    from firecrest import cli

    monkeypatch.setattr(cli.console, "width", 400)

    def run(*arguments: str, fails: bool = False) -> str:
        answer = CliRunner().invoke(cli.app, list(arguments))
        assert (answer.exit_code != 0) == fails, answer.output
        return answer.output

    return run


def test_the_program_itself(portal: Portal) -> None:
    answer = subprocess.run(
        [PROGRAM, "systems", "--json"],
        env=os.environ | environment(portal),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert CLUSTER in {system["system"] for system in json.loads(answer.stdout)}


def rows(text: str) -> list[list[str]]:
    """The rows of a table that the command line draws, without its head."""
    lines = [line for line in text.splitlines() if re.match(r"\|[^-]", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def polled(typed: Type, job: int) -> list[str]:
    """The job ids that `poll` lists, once there are any: on a busy machine accounting comes late."""
    deadline = time.monotonic() + 30
    while True:
        found = [cells[0] for cells in rows(typed("poll", str(job)))]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def ended(typed: Type, job: int) -> dict[str, Any]:
    """The job as `poll` shows it, once it is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = json.loads(typed("poll", str(job), "--json"))
        if found and found[0]["state"].split()[0] not in ("PENDING", "RUNNING", "COMPLETING"):
            return found[0]
        time.sleep(0.5)
    raise AssertionError(f"job {job} does not end")


def test_status(typed: Type) -> None:
    services = {row[0]: row[1] for row in rows(typed("services"))}
    assert services["utilities"] == services["compute"] == "available"
    assert json.loads(typed("services", "-n", "tasks", "--json"))[0]["service"] == "tasks"
    assert CLUSTER in {row[0] for row in rows(typed("systems"))}
    (system,) = json.loads(typed("systems", "-n", CLUSTER, "--json"))
    assert system == {"system": CLUSTER, "status": "available", "description": "System ready"}
    shown = typed("parameters")
    assert "UTILITIES_MAX_FILE_SIZE" in shown and "FIRECREST_VERSION" in shown
    assert json.loads(typed("parameters", "--json"))["compute"][0]["value"] == "Slurm"
    assert ["HOME", "/home"] in [row[:2] for row in rows(typed("filesystems", "-s", CLUSTER))]
    assert "HOME" in typed("filesystems")


def test_who_i_am(portal: Portal, typed: Type) -> None:
    user = portal.unix_user("alice")
    assert typed("whoami").strip() == user
    assert typed("id").startswith(f"uid={portal.home('alice').stat().st_uid}({user}) gid=")


def test_files(portal: Portal, typed: Type, folder: Path) -> None:
    new, file, copied = folder / "new" / "deep", folder / "file", folder / "copied"
    typed("mkdir", "-p", str(new))
    assert new.is_dir()
    portal.write("alice", file, "one\ntwo\nthree\n")
    typed("cp", str(file), str(copied))
    typed("mv", str(copied), str(new / "moved"))
    assert (new / "moved").read_text() == "one\ntwo\nthree\n"
    typed("chmod", str(file), "640")
    typed("chown", str(file), "--group", portal.unix_user("alice"))
    typed("symlink", str(file), str(folder / "link"))
    listed = json.loads(typed("ls", str(folder), "--json"))
    assert [(row["name"], row["permissions"]) for row in listed][0] == ("file", "rw-r-----")
    assert [row[0] for row in rows(typed("ls", str(folder)))] == ["file", "link", "new"]
    assert "new/deep/moved" in typed("ls", "-R", str(folder))
    assert json.loads(typed("stat", str(file), "--json"))["size"] == 14
    assert "33184" in typed("stat", str(file))
    assert typed("file", str(file)).strip() == "ASCII text"
    assert typed("checksum", str(file)).strip() == hashlib.sha256(file.read_bytes()).hexdigest()
    assert typed("head", "-n", "1", str(file)).strip() == "one"
    assert typed("tail", "-n", "1", str(file)).strip() == "three"
    assert typed("tail", "-n", "+2", str(file)).split() == ["two", "three"]
    assert typed("head", "-n", "-1", str(file)).split() == ["one", "two"]
    archive, target = folder / "archive.tar.gz", folder / "target"
    typed("compress", str(new), str(archive))
    typed("mkdir", str(target))
    typed("extract", str(archive), str(target))
    assert (target / "deep" / "moved").exists()
    typed("rm", "--force", str(new))
    assert not new.exists()
    assert "Operation failed" in typed("ls", str(new), fails=True)


def test_up_and_down(typed: Type, folder: Path, tmp_path: Path) -> None:
    content = os.urandom(50_000)
    (tmp_path / "local file").write_bytes(content)
    typed("upload", "--type", "direct", "local file", str(folder))
    typed("upload", "local file", str(folder), "renamed")
    assert (folder / "local file").read_bytes() == (folder / "renamed").read_bytes() == content
    typed("download", "--type", "direct", str(folder / "renamed"), "fetched")
    assert (tmp_path / "fetched").read_bytes() == content


def test_jobs(portal: Portal, typed: Type, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("#!/bin/bash\n#SBATCH -J typed\necho $ONE; exit 3\n")
    job = json.loads(typed("submit", "job.sh", "-e", "ONE=1,2=3", "--account", "acct2"))
    row = ended(typed, job["jobid"])
    assert (row["state"], row["exit_code"], row["name"]) == ("FAILED", "3:0", "typed")
    assert Path(job["job_file_out"]).read_text() == "1,2=3\n"
    assert polled(typed, job["jobid"]) == [str(job["jobid"])]
    remote = portal.write("alice", folder / "remote.sh", "#!/bin/bash\nsleep 300\n")
    job = json.loads(typed("submit", "--no-local", str(remote)))
    number = str(job["jobid"])
    assert [cells[0] for cells in rows(typed("poll-active", number))] == [number]
    assert number in {row["jobid"] for row in json.loads(typed("poll-active", "--json"))}
    typed("cancel", number)
    assert ended(typed, job["jobid"])["state"].startswith("CANCELLED")
    typed("cancel", "999999999", fails=True)
    listed = json.loads(typed("tasks", "--json"))
    assert listed[job["firecrest_taskid"]]["status"] == "200"
    shown = typed("tasks", "--no-pager", job["firecrest_taskid"])
    assert rows(shown)[0][:3] == [job["firecrest_taskid"], "200", "Finished successfully"]


def test_the_cluster(typed: Type) -> None:
    (node,) = json.loads(typed("get-nodes", "--json"))
    assert rows(typed("get-nodes"))[0][0] == node["NodeName"]
    partitions = {row["PartitionName"] for row in json.loads(typed("get-partitions", "--json"))}
    assert partitions == {"part01", "part02", "closed"}
    assert {row[0] for row in rows(typed("get-partitions"))} == partitions
    assert isinstance(json.loads(typed("get-reservations", "--json")), list)
    typed("get-reservations")


def test_templates(portal: Portal, typed: Type, folder: Path) -> None:
    def submitted(*arguments: str) -> None:
        job = json.loads(typed("submit-template", *arguments))
        assert ended(typed, job["jobid"])["state"] == "COMPLETED"

    source = portal.write("alice", folder / "source", "content")
    submitted("cp", str(source), str(folder / "copied"), "--job-name", "mine")
    submitted("mv", str(folder / "copied"), str(folder / "moved"), "--time", "10")
    submitted("rsync", str(source), str(folder / "synced"))
    submitted("compress", str(source), str(folder / "archive.tar.gz"))
    submitted("rm", str(source))
    assert not source.exists()
    submitted("extract", str(folder / "archive.tar.gz"), str(folder))
    assert source.read_text() == "content"
    # the command line passes these options one place off: --job-name arrives as the extension
    submitted("extract", str(folder / "archive.tar.gz"), str(folder), "--job-name", "named")
    assert {path.name for path in folder.iterdir()} == {
        "source",
        "moved",
        "synced",
        "archive.tar.gz",
    }
