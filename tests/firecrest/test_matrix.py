"""Every address of the FirecREST API × every method × {Alice, Bob, nobody, an expired token}."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver

from tests.firecrest.expectations import METHODS, TABLE, Ask
from tests.firecrest.jobs import SCRIPT, one_thread

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

__all__ = ["one_thread"]
pytestmark = [pytest.mark.lab, pytest.mark.django_db]
MARKER = "qzx7marker"


def patterns(found: list[URLPattern | URLResolver] | None = None) -> Iterator[URLPattern]:
    """The FirecREST API's own patterns, wherever they are included."""
    for pattern in get_resolver().url_patterns if found is None else found:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns)
        elif (pattern.name or "").startswith("firecrest-"):
            yield pattern


ADDRESSES = {str(pattern.name): str(pattern.pattern) for pattern in patterns()}


@dataclass
class Things:
    """What is Alice's alone, and the words that stand for it in the table."""

    desk: Desk
    private: Path
    words: dict[str, str]

    def fill(self, text: str) -> str:
        return text.format(**self.words)

    def state(self) -> dict[str, Any]:
        """All that Bob could have changed: files with mode, owner and content, job and task."""
        from pipeline_management.models import ApiTask, Transfer

        files = {
            str(path): (path.lstat().st_mode, path.lstat().st_uid, content(path))
            for path in [self.private, *sorted(self.private.rglob("*"))]
        }
        jobs = self.desk.lab.slurm("squeue", "-h", "-o", "%i %T", "-u", self.desk.unix_user)
        tasks = ApiTask.objects.filter(user=self.desk.alice).order_by("id").values()
        transfers = Transfer.objects.filter(user=self.desk.alice).order_by("id").values()
        return {
            "files": files,
            "jobs": sorted(jobs.split()),
            "tasks": list(tasks),
            "transfers": list(transfers),
        }


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.fixture
def things(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Things]:
    """A private directory of Alice's with files, a task of hers and, where it is asked about, a running job."""
    from pipeline_management.models import System
    from pipeline_management.services import api_tasks, cluster
    from tests.firecrest.desk import token_of

    users = desk.lab.layout.settings.users[:2]
    assert len(set(users)) == 2, "needs two people on the system"
    for user in users:
        desk.lab.slurm("scancel", f"--user={user}")  # what earlier tests have left
        jobs_over(desk, user)
    cluster.forget()
    desk.tokens["expired"] = token_of(desk.alice, seconds=-1)
    where = f"private-{MARKER}"
    private = desk.make(where, mode=0o700)
    file = desk.write(f"{where}/{MARKER}.txt", f"the word is {MARKER}\n", mode=0o600)
    script = desk.write(f"{where}/job.sh", f"{SCRIPT}true\n", mode=0o600)
    archive = desk.write(f"{where}/archive.tar.gz", packed(), mode=0o600)
    task = api_tasks.create(desk.alice, System.objects.get(name="cluster"))
    api_tasks.finish(task, "200", {"job_file": MARKER})
    words = {
        "private": str(private), "file": str(file), "script": str(script), "archive": str(archive),
        "target": str(private / "new"), "marker": MARKER, "user": desk.unix_user, "task": task.id,
        "node": desk.lab.slurm("sinfo", "-h", "-N", "-o", "%N").split()[0], "job": "1",
        "transfer": transfer_into(desk, private),
    }  # fmt: skip
    wanted = repr(TABLE[request.getfixturevalue("name")])
    try:
        if "{job}" in wanted:
            words["job"] = running_job(desk)
        yield Things(desk, private, words)
    finally:
        if "> 200" in wanted or "{job}" in wanted:
            for user in users:
                desk.lab.slurm("scancel", "-u", user)
        cluster.forget()


def transfer_into(desk: Desk, folder: Path) -> str:
    """The id of the task of an upload of Alice's."""
    fields = {"sourcePath": "f", "targetPath": str(folder)}
    return str(desk.ask("POST", "/storage/xfer-external/upload", fields).json()["task_id"])


def running_job(desk: Desk) -> str:
    """A job of Alice's, submitted as programs do it; its id once it runs and accounting knows it."""
    script = f"{SCRIPT}#SBATCH --job-name={MARKER}\n#SBATCH --output=/dev/null\nsleep 300\n"
    answer = desk.ask("POST", "/compute/jobs/upload", {"file": attachment(script)}, multipart=True)
    shown = desk.ask("GET", f"/tasks/{answer.json()['task_id']}").json()["task"]
    job = str(shown["data"]["jobid"])
    deadline = time.monotonic() + 60
    while True:
        queued = desk.lab.slurm("squeue", "-h", "-j", job, "-o", "%T").strip()
        known = desk.lab.slurm("sacct", "-n", "-X", "-j", job, "-o", "State").strip()
        if (queued, known) == ("RUNNING", "RUNNING"):
            return job
        assert time.monotonic() < deadline, (queued, known)
        time.sleep(0.2)


def packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("unpacked"))
    return buffer.getvalue()


def attachment(script: str = f"{SCRIPT}true\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("job.sh", script.encode())


def jobs_over(desk: Desk, user: str) -> None:
    """Wait until the person has no job in the queue."""
    deadline = time.monotonic() + 90
    while waiting := desk.lab.slurm("squeue", "-h", "-u", user).strip():
        assert time.monotonic() < deadline, waiting
        time.sleep(0.2)


def send(things: Things, name: str, method: str, person: str | None) -> Any:
    """The request that the table describes; a method that is not in it goes without fields."""
    row = TABLE[name]
    asked = row.asked(method) or Ask("", "")
    path = ADDRESSES[name]
    for parameter, value in row.path.items():
        for form in (f"<{parameter}>", f"<str:{parameter}>", "<system>", "<str:system>"):
            path = path.replace(form, things.fill(value))
    assert "<" not in path, f"the table does not say what to put into {path}"
    fields: dict[str, Any] = {key: things.fill(value) for key, value in asked.fields.items()}
    if asked.attached:
        fields["file"] = attachment()
    sent = fields or None
    address = "/nowhere" if name == "firecrest-nothing" else f"/{path}"
    return things.desk.ask(
        method,
        address,
        sent,
        person=person,
        machine="cluster" if row.system else None,
        multipart=asked.attached,
        headers={key: things.fill(value) for key, value in asked.headers.items()},
    )


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def judged(things: Things, answer: Any, person: str) -> tuple[str, str]:
    """The outcome in the words of the table, and all that was said, the task included."""
    from tests.firecrest.desk import error_headers

    text = body_of(answer).decode("utf-8", "replace")
    outcome = " ".join([str(answer.status_code), *sorted(error_headers(answer))])
    if answer.headers.get("Content-Type") == "application/json" and text:
        task = json.loads(text).get("task_id") if isinstance(json.loads(text), dict) else None
        if task:
            listed = things.desk.ask("GET", "/tasks", {"tasks": task}, person=person, machine=None)
            outcome += f" > {listed.json()['tasks'][task]['status']}"
            text += listed.content.decode()
    return outcome, text


def without_echo(things: Things, asked: Ask | None, said: str) -> str:
    """What was said beyond the values that were sent."""
    for value in asked.fields.values() if asked else ():
        said = said.replace(things.fill(value), "")
    return said


def test_every_address_has_a_written_expectation_and_no_row_is_left_over() -> None:
    assert len(ADDRESSES) > 40
    missing = sorted(set(ADDRESSES) - set(TABLE))
    assert not missing, f"write into tests/firecrest/expectations.py who may do what at: {missing}"
    assert not sorted(set(TABLE) - set(ADDRESSES)), "expected, but there is no such address"
    unnamed = [
        str(p.pattern) for p in firecrest_resolver() if not str(p.name).startswith("firecrest-")
    ]
    assert not unnamed, f"give a name that starts with firecrest- to {unnamed}"


def firecrest_resolver() -> list[URLPattern]:
    from api.firecrest.urls import urlpatterns

    return list(urlpatterns)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_who_gets_which_answer(things: Things, name: str) -> None:
    row, wrong = TABLE[name], []
    bobs = things.desk.lab.layout.settings.users[1]
    before = things.state()
    for method in METHODS:
        for person in (None, "expired"):
            answer = send(things, name, method, person)
            if answer.status_code != 401:
                wrong.append(f"{method} by {person or 'nobody'}: {answer.status_code}")
        asked = row.asked(method)
        outcome, said = judged(things, send(things, name, method, "bob"), "bob")
        expected = asked.bob if asked else "405"
        if outcome != expected:
            wrong.append(f"{method} by bob: {outcome}, expected {expected}; {said[:300]}")
        if MARKER in without_echo(things, asked, said):
            wrong.append(f"{method} by bob tells what is Alice's: {said[:300]}")
    if "xfer" in name:
        jobs_over(things.desk, bobs)
    assert things.state() == before, f"{name}: Bob has changed something of Alice's"
    for method in METHODS:
        asked = row.asked(method)
        outcome, said = judged(things, send(things, name, method, "alice"), "alice")
        expected = asked.alice if asked else "405"
        if outcome != expected:
            wrong.append(f"{method} by alice: {outcome}, expected {expected}; {said[:300]}")
        if asked and asked.shows and MARKER not in without_echo(things, asked, said):
            wrong.append(f"{method} by alice does not show what is hers: {said[:300]}")
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(name for name, row in TABLE.items() if row.system))
def test_somebody_without_an_account_reaches_no_system(desk: Desk, name: str) -> None:
    from tests.factories import make_user
    from tests.firecrest.desk import token_of

    desk.tokens["carol"] = token_of(make_user("carol"))
    paths = dict.fromkeys(("private", "file", "script", "archive", "target"), "/tmp/x")
    words = paths | {"marker": "x", "user": "x", "task": "x", "node": "x", "job": "1"}
    things = Things(desk, desk.folder, words)
    for method in METHODS:
        if TABLE[name].asked(method) is None:
            continue
        outcome, said = judged(things, send(things, name, method, "carol"), "carol")
        assert outcome == "400 X-Permission-Denied", (method, outcome, said)
        assert "carol has no account on cluster" in said
