"""``/storage/xfer-external/*``: what each request answers, and what the task says at each step."""

from __future__ import annotations

import base64
import json
import re
import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.firecrest.desk import error_headers

if TYPE_CHECKING:
    from pipeline_management.models import Transfer
    from tests.firecrest.desk import Desk

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.xdist_group("lab")]
UPLOAD, DOWNLOAD = "/storage/xfer-external/upload", "/storage/xfer-external/download"
INVALIDATE = "/storage/xfer-external/invalidate"
SIGNED = {
    "key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature",
}  # fmt: skip


def upload(
    desk: Desk, target: object, source: str = "/home/me/data set.bin", **options: Any
) -> Any:
    fields = {"sourcePath": source, "targetPath": str(target)}
    return desk.ask("POST", UPLOAD, fields, **options)


def download(desk: Desk, source: object, **options: Any) -> Any:
    return desk.ask("POST", DOWNLOAD, {"sourcePath": str(source)}, **options)


def task(desk: Desk, answer: Any, person: str = "alice") -> dict[str, Any]:
    """The task as the client reads it, after the answer's own form was checked."""
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert set(body) == {"success", "task_id", "task_url"}
    assert body["success"] == "Task created"
    assert re.fullmatch("[0-9a-f]{32}", body["task_id"])
    asked = {"tasks": body["task_id"]}
    found = desk.ask("GET", "/tasks", asked, person=person, machine=None).json()["tasks"]
    one = desk.ask("GET", f"/tasks/{body['task_id']}", person=person, machine=None).json()
    assert one == {"task": found[body["task_id"]], "status": int(one["task"]["status"])}
    told: dict[str, Any] = one["task"]
    assert (told["service"], told["user"]) == ("storage", person)
    return told


def transfer_of(told: dict[str, Any]) -> Transfer:
    from pipeline_management.models import Transfer

    return Transfer.objects.get(api_task=told["hash_id"])


def advance(told: dict[str, Any], *states: str, **fields: Any) -> None:
    """Move the transfer on as a worker does."""
    from pipeline_management.models.transfer import TransferState
    from pipeline_management.services.transfers.changes import change

    transfer = transfer_of(told)
    for state in states:
        assert change(transfer, TransferState(state), **fields)


def test_an_upload_is_told_its_form_at_once(desk: Desk) -> None:
    told = task(desk, upload(desk, desk.folder))
    target = f"{desk.folder}/data set.bin"
    assert (told["status"], told["system"]) == ("111", "cluster")
    assert told["description"] == "Form URL from Object Storage received"
    data = told["data"]
    form = data.pop("msg")
    assert data == {
        "user": "alice", "system_name": "cluster", "system_addr": "127.0.0.1", "target": target,
        "source": "data set.bin", "status": "111", "hash_id": told["hash_id"], "trace_id": told["hash_id"],
    }  # fmt: skip
    assert set(form) == {"command", "parameters"}
    parameters = form["parameters"]
    assert set(parameters["data"]) == SIGNED
    assert parameters == {
        "method": "POST", "url": parameters["url"], "data": parameters["data"],
        "files": "/home/me/data set.bin", "json": {}, "params": {}, "headers": {},
    }  # fmt: skip
    words = shlex.split(form["command"])
    assert words[:8] == ["curl", "-f", "--show-error", "-s", "-i", "-X", "POST", parameters["url"]]
    sent = [f"{name}={value}" for name, value in parameters["data"].items()]
    assert words[8:] == [w for part in sent for w in ("-F", part)] + [
        "-F", 'file=@"/home/me/data set.bin"'
    ]  # fmt: skip
    policy = json.loads(base64.b64decode(parameters["data"]["policy"]))
    assert ["content-length-range", 0, 5120 * 1024 * 1024] in policy["conditions"]


def test_each_step_of_an_upload(desk: Desk) -> None:
    told = task(desk, upload(desk, desk.folder / "new", "f.bin"))
    answer = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None)

    def now() -> dict[str, Any]:
        found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
        return dict(found)

    assert answer.json()["task"] == told
    form = told["data"]["msg"]
    advance(told, "queued", size=200)
    assert now()["status"] == "112"
    assert now()["data"] == told["data"] | {"status": "112", "msg": form}
    advance(told, "moving", bytes_done=50, rate=10.0)
    place = {
        "source": "f.bin", "target": f"{desk.folder}/new", "system_name": "cluster",
        "system_addr": "127.0.0.1",
    }  # fmt: skip
    assert now()["status"] == "113"
    progress = {"bytes": 50, "size": 200, "rate": 10, "remaining": 15}
    assert now()["data"] == place | {"progress": progress}
    advance(told, "checking", "done")
    assert now()["status"] == "114"
    assert now()["data"] == place


def test_a_failed_upload_says_why_and_shows_no_form(desk: Desk) -> None:
    told = task(desk, upload(desk, desk.folder))
    advance(told, "queued", "moving", "failed", error="No space left on device.")
    found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
    assert (found["status"], found["data"]["msg"]) == ("115", "No space left on device.")
    assert "x-amz-signature" not in json.dumps(found)


def test_each_step_of_a_download(desk: Desk) -> None:
    file = desk.write("result.bin", b"x" * 100)
    told = task(desk, download(desk, file))
    assert (told["status"], told["data"]) == ("100", "Queued")
    place = {"source": str(file), "system_name": "cluster"}

    def now() -> tuple[str, Any]:
        found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
        return found["status"], found["data"]

    advance(told, "moving")
    progress = {"bytes": 0, "size": 100, "rate": 0, "remaining": None}
    assert now() == ("116", place | {"progress": progress})
    advance(told, "checking", "ready", link="https://store.example.org/key?signature=1")
    assert now() == ("117", {"url": "https://store.example.org/key?signature=1", **place})


def test_a_failed_download_says_why(desk: Desk) -> None:
    told = task(desk, download(desk, desk.write("result.bin", b"x")))
    advance(told, "moving", "failed", error="result.bin: permission denied")
    found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
    assert found["status"] == "118"
    assert found["data"]["error"] == "result.bin: permission denied"


def test_a_transfer_that_was_given_up(desk: Desk) -> None:
    for state, text in (("cancelled", "was cancelled"), ("expired", "has expired")):
        told = task(desk, upload(desk, desk.folder))
        advance(told, state)
        found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
        assert found["status"] == "400"
        assert text in found["data"]["msg"]


def test_where_an_upload_goes(desk: Desk) -> None:
    desk.write("there", b"old")
    for target, path in {
        desk.folder: f"{desk.folder}/f.bin",
        f"{desk.folder}/": f"{desk.folder}/f.bin",
        desk.folder / "new": f"{desk.folder}/new",
        desk.folder / "there": f"{desk.folder}/there",
        ".": f"/home/{desk.unix_user}/f.bin",
        "some.bin": f"/home/{desk.unix_user}/some.bin",
    }.items():
        assert task(desk, upload(desk, target, "f.bin"))["data"]["target"] == path


def test_a_target_that_will_not_do(desk: Desk) -> None:
    desk.write("file")
    desk.make("dir")
    desk.make("dir/f.bin")
    for target, header in {
        f"{desk.folder}/fake_dir/x": "X-Invalid-Path",
        "/copied_file": "X-Permission-Denied",
        "/root/x": "X-Permission-Denied",
        f"{desk.folder}/file/x": "X-Not-A-Directory",
        f"{desk.folder}/dir": "X-A-Directory",
    }.items():
        answer = upload(desk, target, "f.bin")
        assert answer.status_code == 400
        assert answer.json() == {
            "description": "Failed to upload file",
            "error": "'targetPath' directory not allowed",
        }
        assert set(error_headers(answer)) == {header}, target


def test_a_source_that_will_not_do(desk: Desk) -> None:
    closed = desk.write("closed", b"x", mode=0)
    for source, header in {
        f"{desk.folder}/none": "X-Invalid-Path",
        str(desk.folder): "X-A-Directory",
        str(closed): "X-Permission-Denied",
        "/etc/shadow": "X-Permission-Denied",
    }.items():
        answer = download(desk, source)
        assert answer.status_code == 400
        assert answer.json()["description"] == "sourcePath error"
        assert set(error_headers(answer)) == {header}, source


def test_fields_of_an_upload(desk: Desk) -> None:
    for fields, error in [
        ({"sourcePath": "f"}, "'targetPath' not specified"),
        ({"targetPath": "/tmp"}, "'sourcePath' not specified"),
        ({"sourcePath": "", "targetPath": "/tmp"}, "'sourcePath' is empty"),
        ({"sourcePath": "f", "targetPath": ""}, "'targetPath' is empty"),
        ({"sourcePath": "f;g", "targetPath": "/tmp"}, "'sourcePath' has invalid char"),
        ({"sourcePath": "f", "targetPath": "/tmp/$(id)"}, "'targetPath' has invalid char"),
        ({"sourcePath": "f/", "targetPath": "/tmp"}, "'sourcePath' has no file name"),
        ({"sourcePath": "f/..", "targetPath": "/tmp"}, "'sourcePath' has no file name"),
    ]:
        for multipart in (False, True):
            answer = desk.ask("POST", UPLOAD, fields, multipart=multipart)
            assert answer.status_code == 400
            assert answer.json() == {"description": "Failed to upload file", "error": error}


def test_the_machine_is_looked_up_as_everywhere(desk: Desk) -> None:
    for ask in (upload, download):
        answer = ask(desk, desk.folder, machine="none-such")
        assert (answer.status_code, answer.json()["error"]) == (400, "Machine does not exists")
        assert answer.headers["X-Machine-Does-Not-Exist"]
        assert answer.headers["X-Machine-Does-Not-Exists"]
        assert "X-Machine-Not-Available" in ask(desk, desk.folder, machine="down").headers
        answer = ask(desk, desk.folder, machine=None)
        assert (answer.status_code, answer.json()) == (
            400,
            {"description": "No machine name given"},
        )


def test_invalidate(desk: Desk) -> None:
    told = task(desk, upload(desk, desk.folder))

    def invalidate(person: str = "alice", **headers: str) -> Any:
        return desk.ask("POST", INVALIDATE, person=person, machine=None, headers=headers)

    mine = {"X-Task-Id": told["hash_id"]}
    for headers, person, error in [
        ({}, "alice", "Header X-Task-Id missing"),
        ({"X-Task-Id": "a-b"}, "alice", "Header X-Task-Id is not alphanumeric"),
        ({"X-Task-Id": ""}, "alice", "Header X-Task-Id is not alphanumeric"),
        ({"X-Task-Id": "0" * 32}, "alice", "Invalid X-Task-Id"),
        (mine, "bob", "Invalid X-Task-Id"),
    ]:
        answer = invalidate(person, **headers)
        assert (answer.status_code, answer.json()) == (400, {"error": error})
    found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
    assert found["status"] == "111"
    for _ in range(2):
        answer = invalidate(**mine)
        assert answer.status_code == 201
        assert answer.json() == {"success": "URL invalidated successfully"}
        found = desk.ask("GET", f"/tasks/{told['hash_id']}", machine=None).json()["task"]
        assert (found["status"], found["data"]) == ("302", "")


def test_a_task_that_is_no_transfer_cannot_be_invalidated(desk: Desk) -> None:
    from pipeline_management.models import System
    from pipeline_management.services import api_tasks

    other = api_tasks.create(desk.alice, System.objects.get(name="cluster"))
    answer = desk.ask("POST", INVALIDATE, machine=None, headers={"X-Task-Id": other.id})
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid X-Task-Id"})


def test_somebody_elses_task_tells_nothing(desk: Desk) -> None:
    told = task(desk, upload(desk, desk.folder))
    answer = desk.ask("GET", f"/tasks/{told['hash_id']}", person="bob", machine=None)
    assert answer.status_code == 403
    assert "signature" not in answer.content.decode()
    listed = desk.ask("GET", "/tasks", {"tasks": told["hash_id"]}, person="bob", machine=None)
    assert listed.json() == {"tasks": {}}


def test_limits(desk: Desk, settings: Any) -> None:
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"max_size_mb": 1, "open_transfers": 2}
    answer = download(desk, desk.write("large", b"x" * (1024 * 1024 + 1)))
    assert (answer.status_code, "at most 1048576" in answer.json()["error"]) == (413, True)
    for name in ("a", "b"):
        assert upload(desk, desk.folder, name).status_code == 201
    answer = upload(desk, desk.folder, "c")
    assert (answer.status_code, "2 open transfers" in answer.json()["error"]) == (409, True)


def test_tasks_of_transfers_live_as_long_as_their_links(desk: Desk) -> None:
    from django.utils import timezone

    told = task(desk, upload(desk, desk.folder))
    transfer = transfer_of(told)
    assert transfer.api_task is not None
    assert transfer.api_task.expires_at - timezone.now() > timedelta(days=6, hours=23)
