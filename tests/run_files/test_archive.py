"""Results that are taken away: what is refused, copies to a directory, and the way to the store."""

from __future__ import annotations

import io
import subprocess
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Role
from hpc.errors import ConnectFailed
from hpc.protocol.results import result_files
from pipeline_management.choices import RunSource, RunState
from pipeline_management.errors import Conflict, InvalidRequest
from pipeline_management.models import PipelineVersion, Run, RunArchive, SystemAccount, Transfer
from pipeline_management.models.archive import ArchiveState
from pipeline_management.models.transfer import Direction
from pipeline_management.services import intake
from pipeline_management.services.preflight.asking import preflight
from pipeline_management.services.run_files import archive
from pipeline_management.services.transfers import requests
from tests.engine.steps import follow
from tests.factories import make_lab, make_version

pytestmark = pytest.mark.django_db

SCRIPT = """#!/bin/sh
mkdir -p out/deep "with a blank" && echo a > out/a.bam && echo b > out/deep/b.txt && echo c > 'with a blank/c'
echo d > d.html; echo e > d.log; exit {{ config.code | default(0) }}
"""


@pytest.fixture
def person(account: SystemAccount) -> User:
    make_lab("lab-a", alice=Role.SUBMITTER)
    return User.objects.get(username="alice")


@pytest.fixture
def version(account: SystemAccount) -> PipelineVersion:
    schema = {
        "type": "object",
        "properties": {"code": {"type": "integer"}},
        "additionalProperties": False,
    }
    return make_version("making", system=account.system, schema=schema, script=SCRIPT)


def submitted(person: User, wish: object, **more: object) -> Run:
    document = {"pipeline": "making", "lab": "lab-a", "archive": wish} | more
    prepared = intake.prepare(user=person, document=document)
    return intake.create_run(user=person, prepared=prepared, source=RunSource.API)[0]


def said(run: Run, kind: str) -> list[str]:
    return [str(event.data.get("text", "")) for event in run.events.filter(type=kind)]


@pytest.mark.parametrize(
    ("wish", "pointer", "says"),
    [
        ("/a", "", "expected an object"),
        ([], "", "expected an object"),
        ({}, "", "either"),
        ({"path": "/a", "store": True, "files": ["a"]}, "", "either"),
        ({"path": "/a", "files": ["a"], "mode": 1}, "", "expected an object"),
        ({"path": "/a"}, "/files", "1 to 50"),
        ({"path": "/a", "files": []}, "/files", "1 to 50"),
        ({"path": "/a", "files": ["a"] * 51}, "/files", "1 to 50"),
        ({"path": "a", "files": ["a"]}, "/path", "absolute"),
        ({"path": "/a/../b", "files": ["a"]}, "/path", "absolute"),
        ({"path": "/a\nb", "files": ["a"]}, "/path", "absolute"),
        ({"path": 3, "files": ["a"]}, "/path", "absolute"),
        ({"store": False, "files": ["a"]}, "/store", "expected true"),
        ({"store": "yes", "files": ["a"]}, "/store", "expected true"),
        ({"store": True, "files": ["a", "/b"]}, "/files/1", "below"),
        ({"store": True, "files": ["../b"]}, "/files/0", "below"),
        ({"store": True, "files": ["a/../../b"]}, "/files/0", "below"),
        ({"store": True, "files": ["**/b"]}, "/files/0", "not needed"),
        ({"store": True, "files": [".token"]}, "/files/0", "below"),
        ({"store": True, "files": ["a\nb"]}, "/files/0", "below"),
        ({"store": True, "files": [""]}, "/files/0", "below"),
        ({"store": True, "files": ["a" * 201]}, "/files/0", "below"),
        ({"store": True, "files": [None]}, "/files/0", "below"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_meant(
    person: User, version: PipelineVersion, wish: Any, pointer: str, says: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        submitted(person, wish)
    (problem,) = caught.value.problems
    assert problem.pointer == f"/archive{pointer}"
    assert says in problem.message


def test_a_schema_that_names_the_key_keeps_its_own_meaning(
    person: User, account: SystemAccount
) -> None:
    schema = {"type": "object", "properties": {"archive": {"type": "string"}}}
    make_version("making", system=account.system, schema=schema, script=SCRIPT)
    run = submitted(person, "/isilon/results")
    assert archive.job_files(run) == {}
    assert not RunArchive.objects.exists()


def test_where_results_go_is_no_input_that_must_be_there(
    person: User, version: PipelineVersion
) -> None:
    wish = {"path": "/nowhere/yet", "files": ["out"]}
    document = {"pipeline": "making", "lab": "lab-a", "archive": wish}
    found = preflight(intake.prepare(user=person, document=document))
    (step,) = (step for step in found.steps if step.name == "inputs")
    assert step.message == "The configuration names no files by absolute path."


def test_lines_that_the_list_cannot_say() -> None:
    with pytest.raises(ValueError, match="line end"):
        result_files(["a\nb"])


def test_results_are_copied_with_their_directories(
    person: User, version: PipelineVersion, tmp_path: Path
) -> None:
    target = tmp_path / "kept here" / "run 1"
    files = ["out", "with a blank/*", "*.html", "missing*"]
    run = follow(submitted(person, {"path": str(target), "files": files}))
    assert run.state == RunState.SUCCEEDED
    kept = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert kept == ["d.html", "out/a.bam", "out/deep/b.txt", "with a blank/c"]
    assert said(run, "error") == ["No result fits missing*"]
    assert said(run, "message") == [f"The results are in {target}"]


def test_without_rsync_the_copy_is_the_same(
    person: User, version: PipelineVersion, tmp_path: Path
) -> None:
    program = result_files(["x"])["results.sh"].decode()
    assert "cp -a --parents" in program
    assert program.count("command -v rsync") == 1
    folder, target = tmp_path / "from", tmp_path / "to"
    (folder / "out/deep").mkdir(parents=True)
    (folder / "out/deep/b.txt").write_text("b")
    files = result_files(["out"], str(target))
    for name, data in files.items():
        (folder / name).write_bytes(data.replace(b"command -v rsync", b"false"))
    code = _sh(folder)
    assert (code, (target / "out/deep/b.txt").read_text()) == (0, "b")


def _sh(folder: Path) -> int:
    (folder / "bin").mkdir()
    (folder / "bin/centro-event").write_text("#!/bin/sh\n")
    (folder / "bin/centro-event").chmod(0o755)
    environment = {"CENTRO_RUN_DIR": str(folder), "PATH": f"{folder}/bin:/usr/bin:/bin"}
    command = ["/bin/sh", "./results.sh"]
    return subprocess.run(command, cwd=folder, env=environment, check=False, timeout=20).returncode


@pytest.mark.parametrize(
    ("path", "files", "says"),
    [("/proc/none", ["out"], "not archived: mkdir"), ("/tmp", ["none"], "nothing fits")],
)
def test_results_that_cannot_be_taken_leave_the_outcome_alone(
    person: User, version: PipelineVersion, path: str, files: list[str], says: str
) -> None:
    run = follow(submitted(person, {"path": path, "files": files}))
    assert (run.state, run.exit_code) == (RunState.SUCCEEDED, 0)
    assert any(says in text for text in said(run, "error"))


def test_a_run_that_fails_takes_nothing_away(
    person: User, version: PipelineVersion, tmp_path: Path
) -> None:
    target = tmp_path / "kept"
    run = follow(submitted(person, {"path": str(target), "files": ["out"]}, code=3))
    assert (run.state, run.exit_code, target.exists()) == (RunState.FAILED, 3, False)


# the store


def test_packed_results_become_a_download(person: User, version: PipelineVersion) -> None:
    run = submitted(person, {"store": True, "files": ["out", "d.*"]})
    assert archive.archive_due() == 0
    follow(run)
    packed = Path(run.directory) / "results.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(packed.read_bytes())) as found:
        names = sorted(name for name in found.getnames() if "." in name.rpartition("/")[2])
    assert names == ["./d.html", "./d.log", "./out/a.bam", "./out/deep/b.txt"]
    assert archive.archive_due() == 1
    assert archive.archive_due() == 0
    row = RunArchive.objects.get(run=run)
    assert row.state == ArchiveState.SENT
    transfer = Transfer.objects.get()
    assert row.transfer == transfer
    assert (transfer.direction, transfer.user, transfer.path) == (
        Direction.DOWNLOAD, person, str(packed.resolve()),
    )  # fmt: skip
    assert said(run, "message")[-1].startswith("The results are on their way")


def test_a_failed_run_sends_nothing(person: User, version: PipelineVersion) -> None:
    run = follow(submitted(person, {"store": True, "files": ["out"]}, code=1))
    archive.archive_due()
    assert RunArchive.objects.get(run=run).state == ArchiveState.NOTHING
    assert not Transfer.objects.exists()


def test_results_that_were_never_packed(person: User, version: PipelineVersion) -> None:
    run = follow(submitted(person, {"store": True, "files": ["none"]}))
    archive.archive_due()
    row = RunArchive.objects.get(run=run)
    assert row.state == ArchiveState.FAILED
    assert "cannot be read" in row.text
    assert said(run, "error")[-1] == row.text


def test_a_system_that_is_away_is_asked_again_for_a_day(
    person: User, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = follow(submitted(person, {"store": True, "files": ["out"]}))

    def away(*_: object, **__: object) -> None:
        raise ConnectFailed("no route to host")

    monkeypatch.setattr(requests, "request_download", away)
    archive.archive_due()
    row = RunArchive.objects.get(run=run)
    assert (row.state, row.tries) == (ArchiveState.WAITING, 1)
    assert row.next_at > timezone.now()
    assert archive.archive_due() == 0
    RunArchive.objects.update(next_at=timezone.now())
    Run.objects.update(finished_at=timezone.now() - timedelta(days=2))
    archive.archive_due()
    row.refresh_from_db()
    assert row.state == ArchiveState.FAILED
    assert "no route to host" in row.text


def test_what_centro_refuses_is_said_once(
    person: User, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = follow(submitted(person, {"store": True, "files": ["out"]}))

    def refuse(*_: object, **__: object) -> None:
        raise Conflict("too many transfers are open")

    monkeypatch.setattr(requests, "request_download", refuse)
    archive.archive_due()
    assert RunArchive.objects.get(run=run).text == "too many transfers are open"
    assert archive.archive_due() == 0
