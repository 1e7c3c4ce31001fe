"""Transfers by Centro's own API: beginning, parts, links, stopping, and every refusal by its field."""

from __future__ import annotations

import getpass
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from pipeline_management.models import AuditEvent, Transfer
from pipeline_management.models.transfer import TransferState
from pipeline_management.services.transfers import work
from pipeline_management.services.transfers.area import area
from pipeline_management.services.transfers.changes import change
from tests.api.site import JSON, Site
from tests.factories import make_account

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/transfers/"
MIB = 1024 * 1024


@pytest.fixture
def staging(settings: Any, tmp_path: Path) -> Path:
    """A staging area of this test's own."""
    folder = tmp_path / "staging"
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"path": folder}
    area().prepare()
    return folder


@pytest.fixture
def home(site: Site, staging: Path, tmp_path: Path) -> Path:
    """A folder on "local", where Sam and Mona now have accounts of their own."""
    for person in (site.submitter, site.manager):
        make_account(site.account.system, person, username=getpass.getuser())
    folder = tmp_path / "home of sam"
    folder.mkdir()
    return folder


Ask = Callable[..., Any]


@pytest.fixture
def ask(site: Site, home: Path) -> Ask:
    """``ask("POST", "", {...})``: below /api/v1/transfers/, as Sam or ``user``."""
    clients: dict[User, Client] = {}

    def asked(method: str, path: str = "", body: Any = None, user: User | None = None) -> Any:
        person = user or site.submitter
        client = clients.setdefault(person, site.client(person))
        if body is None:
            return client.generic(method, ROOT + path)
        return client.generic(method, ROOT + path, json.dumps(body), content_type=JSON)

    return asked


def wanted(home: Path, **fields: Any) -> dict[str, Any]:
    values = {
        "direction": "upload",
        "system": "local",
        "path": str(home),
        "name": "f.bin",
        "size": 10,
    }
    return {k: v for k, v in (values | fields).items() if v is not None}


def fetch(link: str) -> bytes:
    """What a link leads to."""
    parts = urlsplit(link)
    answer: Any = Client().get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def put(link: str, data: bytes) -> Any:
    """What a browser does with a link; without any log-in."""
    parts = urlsplit(link)
    path = f"{parts.path}?{parts.query}"
    length = {
        "CONTENT_LENGTH": str(len(data))
    }  # which Django's client leaves out for an empty body
    return Client().generic("PUT", path, data, content_type="application/octet-stream", **length)


def test_an_upload_in_parts_from_begin_to_arrival(ask: Ask, home: Path, site: Site) -> None:
    data = os.urandom(16 * MIB + 5)
    made = ask("POST", "", wanted(home, size=len(data), sha256=hashlib.sha256(data).hexdigest()))
    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["state"], shown["path"]) == ("awaiting", f"{home}/f.bin")
    assert (shown["part_size"], shown["size"], shown["route"]) == (16 * MIB, len(data), None)
    assert set(shown["links"]) == {"self", "cancel", "retry", "parts", "complete", "file"}
    one = shown["id"]
    assert ask("GET", f"{one}/parts/").json() == {"part_size": 16 * MIB, "count": 2, "done": []}
    links = ask("POST", f"{one}/parts/", {"numbers": [1, 2]}).json()["links"]
    assert [link["number"] for link in links] == [1, 2]
    assert put(links[1]["url"], data[16 * MIB :]).status_code in (200, 201, 204)
    assert ask("GET", f"{one}/parts/").json()["done"] == [2]
    early = ask("POST", f"{one}/complete/")
    assert (early.status_code, "Part 1 of 2" in early.json()["detail"]) == (409, True)
    assert put(links[0]["url"], data[: 16 * MIB]).status_code in (200, 201, 204)
    done = ask("POST", f"{one}/complete/")
    assert (done.status_code, done.json()["state"]) == (200, "queued")
    assert done.json()["links"]["parts"] is None
    assert ask("POST", f"{one}/complete/").status_code == 200  # again is no error
    event = AuditEvent.objects.get(action="transfer.upload")
    assert (event.actor, event.target) == (site.submitter, f"local:{home}/f.bin")


@pytest.mark.parametrize("size", [0, 1])
def test_a_tiny_file_is_one_part(ask: Ask, home: Path, size: int) -> None:
    one = ask("POST", "", wanted(home, size=size)).json()["id"]
    assert ask("GET", f"{one}/parts/").json()["count"] == 1
    (link,) = ask("POST", f"{one}/parts/", {"numbers": [1]}).json()["links"]
    assert put(link["url"], b"x" * size).status_code in (200, 201, 204)
    assert ask("POST", f"{one}/complete/").json()["state"] == "queued"


def test_links_refuse_what_they_are_not_for(ask: Ask, home: Path) -> None:
    one = ask("POST", "", wanted(home, size=10)).json()["id"]
    (link,) = ask("POST", f"{one}/parts/", {"numbers": [1]}).json()["links"]
    assert put(link["url"], b"x" * 11).status_code == 403
    assert put(link["url"].replace("signature=", "signature=0"), b"x" * 10).status_code == 403
    assert ask("GET", f"{one}/parts/").json()["done"] == []
    assert ask("POST", f"{one}/cancel/").status_code == 200
    assert ask("POST", f"{one}/parts/", {"numbers": [1]}).status_code == 409


def test_folders_of_a_name_are_made_below_an_existing_one(ask: Ask, home: Path) -> None:
    made = ask("POST", "", wanted(home, name="a/b c/f.bin")).json()
    assert made["path"] == f"{home}/a/b c/f.bin"
    assert (home / "a" / "b c").is_dir()
    refused = ask("POST", "", wanted(home / "none", name="a/f.bin"))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/path")
    assert not (home / "none").exists()


def test_paths_from_the_home_directory(ask: Ask, home: Path) -> None:
    made = ask("POST", "", wanted(home, path="~/", name="never-sent.bin")).json()
    assert made["path"] == f"{Path.home()}/never-sent.bin"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"direction": "sideways"}, "/direction"),
        ({"direction": None}, "/direction"),
        ({"system": "none-such"}, "/system"),
        ({"system": "cluster"}, "/system"),
        ({"path": "/no/such/folder"}, "/path"),
        ({"path": ""}, "/path"),
        ({"path": "a\nb"}, "/path"),
        ({"name": None}, "/name"),
        ({"name": "../f"}, "/name"),
        ({"name": "/"}, "/name"),
        ({"size": None}, "/size"),
        ({"size": -1}, "/size"),
        ({"size": "many"}, "/size"),
        ({"sha256": "abc"}, "/sha256"),
        ({"colour": "red"}, "/colour"),
        ({"direction": "download", "size": None}, "/name"),
    ],
)
def test_a_wrong_field_is_named(ask: Ask, home: Path, fields: dict[str, Any], pointer: str) -> None:
    answer = ask("POST", "", wanted(home, **fields))
    assert answer.status_code == 400, answer.content
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not Transfer.objects.exists()


def test_limits(ask: Ask, home: Path, settings: Any) -> None:
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"max_size_mb": 1, "open_transfers": 1}
    answer = ask("POST", "", wanted(home, size=MIB + 1))
    assert (answer.status_code, "at most 1048576" in answer.json()["detail"]) == (413, True)
    assert ask("POST", "", wanted(home)).status_code == 201
    answer = ask("POST", "", wanted(home))
    assert (answer.status_code, "1 open transfers" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("numbers", [[], [0], [2], ["one"], None, list(range(1, 102))])
def test_parts_that_there_are_not(ask: Ask, home: Path, numbers: Any) -> None:
    one = ask("POST", "", wanted(home)).json()["id"]
    answer = ask("POST", f"{one}/parts/", {} if numbers is None else {"numbers": numbers})
    assert answer.status_code == 400


def test_a_download(ask: Ask, home: Path) -> None:
    (home / "result").write_bytes(b"x" * 100)
    made = ask("POST", "", {"direction": "download", "system": "local", "path": f"{home}/result"})
    assert made.status_code == 201, made.content
    assert (made.json()["state"], made.json()["size"]) == ("queued", 100)
    assert made.json()["links"]["file"] is None
    transfer = Transfer.objects.get()
    for state in ("moving", "checking"):
        assert change(transfer, TransferState(state))
    assert change(transfer, TransferState.READY, link="https://store.example.org/x?signature=1")
    shown = ask("GET", f"{transfer.pk}/").json()
    assert shown["links"]["file"] == "https://store.example.org/x?signature=1"
    assert ask("POST", f"{transfer.pk}/cancel/").json()["state"] == "invalid"
    assert ask("GET", f"{transfer.pk}/").json()["links"]["file"] is None


def test_a_folder_comes_as_one_archive(ask: Ask, home: Path) -> None:
    folder = home / "my results"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "report").write_text("all is well")
    made = ask("POST", "", {"direction": "download", "system": "local", "path": str(folder)}).json()
    assert (made["name"], made["path"], made["size"]) == ("my results.tar.gz", str(folder), None)
    assert work.work() > 0
    shown = ask("GET", f"{made['id']}/").json()
    assert (shown["state"], shown["error"]) == ("ready", "")
    got = fetch(shown["links"]["file"])
    with tarfile.open(fileobj=io.BytesIO(got), mode="r:gz") as archive:
        report = archive.extractfile("my results/sub/report")
        assert report is not None and report.read() == b"all is well"
    assert hashlib.sha256(got).hexdigest() == shown["sha256"]
    transfer = Transfer.objects.get()
    assert not Path(transfer.path).exists(), "the archive on the system is removed"
    assert transfer.leftovers is False


def test_a_source_that_will_not_do(ask: Ask, home: Path) -> None:
    for path in (f"{home}/none", "/dev/null"):
        answer = ask("POST", "", {"direction": "download", "system": "local", "path": path})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/path")


def test_the_list_is_ones_own_and_has_pages(ask: Ask, home: Path, site: Site) -> None:
    for number in range(3):
        ask("POST", "", wanted(home, name=f"f{number}"))
    ask("POST", "", wanted(home, name="hers"), user=site.manager)
    listed = ask("GET").json()
    assert [one["name"] for one in listed["results"]] == ["f2", "f1", "f0"]
    assert listed["next"] is None
    ask("POST", f"{listed['results'][0]['id']}/cancel/")
    assert len(ask("GET", "?state=awaiting").json()["results"]) == 2
    assert len(ask("GET", "?state=awaiting,cancelled").json()["results"]) == 3
    assert ask("GET", "?page=2").json() == {"results": [], "next": None}
    assert ask("GET", "?state=lost").status_code == 400
    assert ask("GET", "?page=0").status_code == 400


def test_nobody_elses(ask: Ask, home: Path, site: Site) -> None:
    one = ask("POST", "", wanted(home)).json()["id"]
    for method, path in (
        ("GET", ""), ("GET", "parts/"), ("POST", "complete/"), ("POST", "cancel/"), ("POST", "retry/"),
    ):  # fmt: skip
        assert ask(method, f"{one}/{path}", user=site.manager).status_code == 404
    assert Transfer.objects.get().state == "awaiting"


def test_a_failed_one_is_tried_again(ask: Ask, home: Path) -> None:
    (home / "result").write_bytes(b"x")
    body = {"direction": "download", "system": "local", "path": f"{home}/result"}
    one = ask("POST", "", body).json()["id"]
    assert ask("POST", f"{one}/retry/").status_code == 409
    transfer = Transfer.objects.get()
    change(transfer, TransferState.MOVING)
    change(transfer, TransferState.FAILED, error="No space left on device")
    assert ask("GET", f"{one}/").json()["error"] == "No space left on device"
    again = ask("POST", f"{one}/retry/").json()
    assert (again["state"], again["error"]) == ("queued", "")
