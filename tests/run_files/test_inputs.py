"""Inputs that a configuration names by URL or upload: what is refused, and how they come to the job."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Role
from hpc.protocol.inputs import FAILED, BroughtFile, input_files
from pipeline_management.choices import Desired, Reason, RunSource, RunState
from pipeline_management.errors import InvalidRequest
from pipeline_management.models import PipelineVersion, Run, SystemAccount, Transfer
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.services import intake, submission
from pipeline_management.services.presentation import explain
from pipeline_management.services.run_files import inputs
from tests.engine.steps import follow
from tests.factories import make_account, make_lab, make_user, make_version

pytestmark = pytest.mark.django_db

CONTENT = b"@read1\nACGT\n"
SUM = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/a.fastq"
SCHEMA = {
    "type": "object",
    "properties": {
        "reads": {"type": "array", "items": {"type": "string", "pattern": "fastq$"}},
        "reference": {"type": "string"},
    },
    "additionalProperties": False,
}
SCRIPT = "#!/bin/sh\ncat {{ config.reads[0] }}\nsha256sum < config.json >&2\n"


@pytest.fixture
def person(account: SystemAccount) -> User:
    make_lab("lab-a", alice=Role.SUBMITTER)
    return User.objects.get(username="alice")


@pytest.fixture
def version(account: SystemAccount) -> PipelineVersion:
    return make_version("reading", system=account.system, schema=SCHEMA, script=SCRIPT)


def uploaded(person: User, account: SystemAccount, path: Path | str, **fields: Any) -> Transfer:
    values = {
        "direction": Direction.UPLOAD, "user": person, "account": account, "path": str(path),
        "key": uuid.uuid4().hex, "limit": 100, "state": TransferState.DONE, "sha256": SUM,
        "expires_at": timezone.now(),
    } | fields  # fmt: skip
    return Transfer.objects.create(**values)


def document(*reads: object) -> dict[str, Any]:
    return {"pipeline": "reading", "lab": "lab-a", "reads": list(reads)}


def submitted(person: User, *reads: object) -> Run:
    prepared = intake.prepare(user=person, document=document(*reads))
    return intake.create_run(user=person, prepared=prepared, source=RunSource.API)[0]


def refused(person: User, *reads: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        intake.prepare(user=person, document=document(*reads))
    return [(problem.pointer, problem.message) for problem in caught.value.problems]


def stdout(run: Run) -> bytes:
    return (Path(run.directory) / "stdout").read_bytes()


# what is refused

HTTP = {"url": URL, "sha256": SUM, "path": "a.fastq"}


@pytest.mark.parametrize(
    ("change", "pointer", "says"),
    [
        ({"path": ""}, "path", "expected where"),
        ({"path": 3}, "path", "expected where"),
        ({"path": "/etc/a.fastq"}, "path", "must stay below"),
        ({"path": "../a.fastq"}, "path", "must stay below"),
        ({"path": "a/../../b.fastq"}, "path", "must stay below"),
        ({"path": "a\nb.fastq"}, "path", "printable"),
        ({"path": "\u202eb.fastq"}, "path", "printable"),
        ({"path": "a" * 401}, "path", "400"),
        ({"sha256": "abc"}, "sha256", "64 hexadecimal"),
        ({"sha256": None}, "sha256", "64 hexadecimal"),
        ({"url": "ftp://example.org/a"}, "url", "http or https"),
        ({"url": "file:///etc/passwd"}, "url", "http or https"),
        ({"url": "https://"}, "url", "http or https"),
        ({"url": "https://[::1/"}, "url", "http or https"),
        ({"url": 'https://a/"\noutput = "x'}, "url", "http or https"),
        ({"url": 'https://a/"b'}, "url", "http or https"),
        ({"url": "https://a/ b"}, "url", "without blanks"),
        ({"url": ["https://a/b"]}, "url", "http or https"),
    ],
)  # fmt: skip
def test_inputs_that_cannot_be_meant(
    person: User, version: PipelineVersion, change: dict[str, Any], pointer: str, says: str
) -> None:
    (found,) = (
        (place, text)
        for place, text in refused(person, HTTP | change)
        if place == f"/reads/0/{pointer}"
    )
    assert says in found[1]


def test_a_url_needs_a_sum_and_two_inputs_two_places(
    person: User, version: PipelineVersion
) -> None:
    without = {"url": URL, "path": "a.fastq"}
    assert refused(person, without)[0][1] == "sha256: a file from a URL needs its SHA-256."
    other = HTTP | {"sha256": "0" * 64}
    below = HTTP | {"path": "a.fastq/b.fastq"}
    assert [place for place, _ in refused(person, HTTP, other)] == ["/reads/1/path"]
    assert [place for place, _ in refused(person, HTTP, below)] == ["/reads/1/path"]
    assert len(intake.prepare(user=person, document=document(HTTP, HTTP)).inputs) == 2


def test_uploads_that_are_not_to_be_had(
    person: User, version: PipelineVersion, account: SystemAccount
) -> None:
    ask = {"path": "a.fastq"}
    theirs = uploaded(make_user(), account, "/tmp/x")
    elsewhere = uploaded(person, make_account(), "/tmp/x")
    gone = uploaded(person, account, "/tmp/x", state=TransferState.CANCELLED)
    down = uploaded(person, account, "/tmp/x", direction=Direction.DOWNLOAD)
    for upload, says in [
        ("12", "expected the id"),
        ({}, "expected the id"),
        (str(uuid.uuid4()), "no such upload of yours"),
        (str(theirs.pk), "no such upload of yours"),
        (str(down.pk), "no such upload of yours"),
        (str(elsewhere.pk), "that file goes to"),
        (str(gone.pk), "is cancelled; send the file again"),
    ]:
        assert [
            place for place, text in refused(person, ask | {"upload": upload}) if says in text
        ] == ["/reads/0/upload"], upload


def test_the_schema_sees_the_path(person: User, version: PipelineVersion) -> None:
    (found,) = refused(person, HTTP | {"path": "a.bam"})
    assert found[0] == "/reads/0"
    prepared = intake.prepare(user=person, document=document(HTTP | {"path": "./x//a.fastq"}))
    assert f"{prepared.directory_hint}/inputs/x/a.fastq" in prepared.script
    assert prepared.configuration["reads"] == [HTTP | {"path": "./x//a.fastq"}]


def test_objects_that_only_look_alike_are_left_alone() -> None:
    for value in ({"path": "a"}, {"url": "b"}, HTTP | {"more": 1}, HTTP | {"upload": "x"}):
        assert not inputs.is_input(value)
        assert inputs.resolved({"a": [value]}, "/d") == {"a": [value]}


def test_lines_that_the_list_cannot_say() -> None:
    for one in (BroughtFile("a\nb", file="/x"), BroughtFile("a", file="/x\ny"), BroughtFile("")):
        with pytest.raises(ValueError, match="cannot be brought"):
            input_files([one])


# how they come


def test_a_file_from_a_url(person: User, version: PipelineVersion, web: tuple[str, Path]) -> None:
    address, folder = web
    (folder / "a b.fastq").write_bytes(CONTENT)
    one = {"url": f"{address}/a%20b.fastq", "sha256": SUM.upper(), "path": "x y/a 'b.fastq"}
    run = submitted(person, one)
    follow(run)
    assert (run.state, run.reason_text) == (RunState.SUCCEEDED, "")
    assert stdout(run) == CONTENT
    seen = json.loads((Path(run.directory) / "config.json").read_bytes())
    assert seen["reads"] == [f"{run.directory}/inputs/x y/a 'b.fastq"]
    assert run.configuration["reads"] == [one]
    assert not list(Path(run.directory).glob(".inputs*"))
    texts = [event.data.get("text", "") for event in run.events.filter(type="message")]
    assert texts == ["Input 1 of 1 is there: x y/a 'b.fastq"]


@pytest.mark.parametrize(
    ("one", "says"),
    [({"sha256": "0" * 64}, "another SHA-256"), ({"url": "{}/none"}, "cannot be fetched")],
)
def test_an_input_that_is_not_right_fails_the_run_before_its_script(
    person: User, version: PipelineVersion, web: tuple[str, Path], one: dict[str, str], says: str
) -> None:
    address, folder = web
    (folder / "a").write_bytes(CONTENT)
    wish = {"url": "{}/a", "sha256": SUM, "path": "a.fastq"} | one
    run = submitted(person, wish | {"url": wish["url"].format(address)})
    follow(run)
    assert (run.state, run.exit_code) == (RunState.FAILED, FAILED)
    assert stdout(run) == b""
    assert says in (Path(run.directory) / "stderr").read_text()
    assert "input" in explain(run)
    assert any(says in str(event.data) for event in run.events.filter(type="error"))
    assert list((Path(run.directory) / "inputs").iterdir()) == []


def test_a_file_that_was_uploaded(
    person: User, version: PipelineVersion, account: SystemAccount, tmp_path: Path
) -> None:
    there = tmp_path / "sent by alice.fastq"
    there.write_bytes(CONTENT)
    upload = uploaded(person, account, there)
    run = follow(submitted(person, {"upload": str(upload.pk), "path": "a.fastq"}))
    assert (run.state, stdout(run)) == (RunState.SUCCEEDED, CONTENT)
    assert there.read_bytes() == CONTENT


def test_an_upload_that_was_changed_since_is_refused(
    person: User, version: PipelineVersion, account: SystemAccount, tmp_path: Path
) -> None:
    there = tmp_path / "a.fastq"
    there.write_bytes(b"other")
    upload = uploaded(person, account, there)
    run = follow(submitted(person, {"upload": str(upload.pk), "path": "a.fastq"}))
    assert (run.state, run.exit_code, stdout(run)) == (RunState.FAILED, FAILED, b"")


def test_a_run_waits_for_its_upload(
    person: User, version: PipelineVersion, account: SystemAccount, tmp_path: Path
) -> None:
    there = tmp_path / "a.fastq"
    upload = uploaded(person, account, there, state=TransferState.MOVING, sha256="")
    run = submitted(person, {"upload": str(upload.pk), "path": "a.fastq"})
    submission.submit_due(account.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts.count()) == (RunState.STAGING, 0)
    Run.objects.update(next_at=timezone.now())
    submission.submit_due(account.pk)
    run.refresh_from_db()
    assert run.state == RunState.STAGING
    there.write_bytes(CONTENT)
    Transfer.objects.update(state=TransferState.DONE, sha256=SUM)
    Run.objects.update(next_at=timezone.now())
    follow(run)
    assert (run.state, stdout(run)) == (RunState.SUCCEEDED, CONTENT)
    states = [event.to_state for event in run.events.filter(type="state")]
    assert states[:3] == [RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING]


def test_a_run_whose_upload_is_lost_fails_with_a_sentence(
    person: User, version: PipelineVersion, account: SystemAccount
) -> None:
    upload = uploaded(person, account, "/tmp/none", state=TransferState.AWAITING)
    run = submitted(person, {"upload": str(upload.pk), "path": "a.fastq"})
    submission.submit_due(account.pk)
    Transfer.objects.update(state=TransferState.EXPIRED)
    Run.objects.update(next_at=timezone.now())
    follow(run)
    assert (run.state, run.reason) == (RunState.FAILED, Reason.STAGE_FAILED)
    assert f"The upload {upload.pk} that the run waited for is expired." == run.reason_text


def test_a_run_that_waits_is_cancelled_at_its_next_look(
    person: User, version: PipelineVersion, account: SystemAccount
) -> None:
    upload = uploaded(person, account, "/tmp/none", state=TransferState.AWAITING)
    run = submitted(person, {"upload": str(upload.pk), "path": "a.fastq"})
    submission.submit_due(account.pk)
    Run.objects.update(next_at=timezone.now(), desired=Desired.CANCEL)
    follow(run)
    assert run.state == RunState.CANCELLED
