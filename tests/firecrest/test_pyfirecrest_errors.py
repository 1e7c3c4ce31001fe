"""Every row of FirecREST's tables of errors, as its real clients meet it: exception, status, header and text."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import firecrest
import pytest
from firecrest.FirecrestException import ERROR_HEADERS

from tests.firecrest.portal import CLUSTER, DOWN, FOREIGN, HASTY, Portal

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

TIMEOUT = "Command has finished with timeout signal"
OURS = {"X-Exists", "X-Size-Limit", "X-Invalid-Mode", "X-Invalid-Owner", "X-Invalid-Group"}


@dataclass(frozen=True)
class Places:
    """What the calls meet; every path is text."""

    root: str
    file: str
    folder: str
    link: str
    missing: str
    orphan: str  # its folder is missing
    below_file: str  # a parent is a file
    closed: str  # a folder without any right
    in_closed: str
    secret: str  # a file without any right
    theirs: str  # root's file, readable
    in_theirs: str  # in root's folder
    binary: str
    large: str


@pytest.fixture
def places(portal: Portal, folder: Path) -> Places:
    """One of each."""
    portal.write("alice", folder / "file", "line\n" * 20)
    portal.write("alice", folder / "binary", bytes(range(256)))
    portal.write("alice", folder / "secret").chmod(0)
    with (folder / "large").open("wb") as large:
        large.truncate((5 << 20) + 1)
    portal.give("alice", folder / "large")
    (folder / "folder").mkdir()
    (folder / "closed").mkdir()
    portal.give("alice", folder / "folder", folder / "closed")
    (folder / "closed").chmod(0)
    (folder / "link").symlink_to("file")
    names = ("file", "folder", "link", "missing", "closed", "secret", "binary", "large")
    return Places(
        root=str(folder),
        orphan=str(folder / "none" / "x"),
        below_file=str(folder / "file" / "x"),
        in_closed=str(folder / "closed" / "x"),
        theirs="/etc/passwd",
        in_theirs="/etc/centro-test",
        **{name: str(folder / name) for name in names},
    )


@dataclass(frozen=True)
class Row:
    """A call, and the header, status and part of the `error` text of its answer."""

    call: Callable[[Any, Places], Any]
    header: str | None
    error: str | None = None
    status: int = 400


def on(method: str, *attributes: str, **named: Any) -> Callable[[Any, Places], Any]:
    """The method with the values of these attributes of the places, or with the text after `=`."""

    def call(client: Any, places: Places) -> Any:
        values = [a[1:] if a.startswith("=") else getattr(places, a) for a in attributes]
        return getattr(client, method)(CLUSTER, *values, **named)

    return call


def upload(target: str, name: str, size: int = 3) -> Callable[[Any, Places], Any]:
    """An upload of some bytes under a name into one of the places."""

    def call(client: Any, places: Places) -> Any:
        content = io.BytesIO(b"x" * size)
        return client.simple_upload(CLUSTER, content, getattr(places, target), filename=name)

    return call


def download(source: str) -> Callable[[Any, Places], Any]:
    """A download of one of the places."""
    return lambda client, places: client.simple_download(
        CLUSTER, getattr(places, source), io.BytesIO()
    )


def chown_nothing(client: Any, places: Places) -> None:
    """The clients' own method makes no request of it."""
    fields = {"targetPath": places.file}
    answer = client._put_request("/utilities/chown", {"X-Machine-Name": CLUSTER}, fields)
    client._json_response([answer], 200)


INVALID, DENIED = "X-Invalid-Path", "X-Permission-Denied"
ROWS: dict[str, Row] = {
    "ls missing": Row(on("list_files", "missing"), INVALID),
    "ls parent closed": Row(on("list_files", "in_closed"), INVALID),
    "ls closed": Row(on("list_files", "closed"), DENIED),
    "mkdir exists": Row(on("mkdir", "folder"), "X-Exists"),
    "mkdir orphan": Row(on("mkdir", "orphan"), INVALID),
    "mkdir denied": Row(on("mkdir", "in_theirs"), DENIED),
    "mkdir below file": Row(on("mkdir", "below_file"), "X-Not-A-Directory"),
    "rename missing": Row(on("mv", "missing", "root"), "X-Not-Found"),
    "rename to orphan": Row(on("mv", "file", "orphan"), INVALID),
    "rename denied": Row(on("mv", "file", "in_theirs"), DENIED),
    "rename of others": Row(on("mv", "theirs", "root"), DENIED),
    "copy missing": Row(on("copy", "missing", "root"), "X-Not-Found"),
    "copy to orphan": Row(on("copy", "file", "orphan"), INVALID),
    "copy denied": Row(on("copy", "file", "in_theirs"), DENIED),
    "copy of unreadable": Row(on("copy", "secret", "missing"), DENIED),
    "chmod bad mode": Row(on("chmod", "file", "=u+banana"), "X-Invalid-Mode"),
    "chmod missing": Row(on("chmod", "missing", "=700"), INVALID),
    "chmod denied": Row(on("chmod", "theirs", "=700"), DENIED),
    "chown nothing": Row(chown_nothing, None, "group or owner must be set"),
    "chown bad group": Row(on("chown", "file", group="no-such-group"), "X-Invalid-Group"),
    "chown bad owner": Row(on("chown", "file", owner="no-such-owner"), "X-Invalid-Owner"),
    "chown denied": Row(on("chown", "file", owner="root"), DENIED),
    "file missing": Row(on("file_type", "missing"), INVALID),
    "file unreadable": Row(on("file_type", "secret"), DENIED),
    "stat missing": Row(on("stat", "missing"), "X-Not-Found"),
    "stat parent closed": Row(on("stat", "in_closed"), DENIED),
    "stat below file": Row(on("stat", "below_file"), "X-Not-A-Directory"),
    "symlink exists": Row(on("symlink", "file", "link"), "X-Exists"),
    "symlink orphan": Row(on("symlink", "file", "orphan"), INVALID),
    "symlink denied": Row(on("symlink", "file", "in_theirs"), DENIED),
    "head both": Row(on("head", "file", "=1", "=2"), None, "lines"),
    "head bad number": Row(on("head", "file", lines="many"), "X-Error"),
    "head binary": Row(on("head", "binary"), "X-Error"),
    "tail both": Row(on("tail", "file", "=1", "=2"), None, "lines"),
    "tail bad number": Row(on("tail", "file", bytes="many"), "X-Error"),
    "tail binary": Row(on("tail", "binary"), "X-Error"),
    **{
        f"{method} {place}": Row(on(method, place), header)
        for method in ("checksum", "head", "tail")
        for place, header in (
            ("folder", "X-A-Directory"), ("missing", INVALID), ("secret", DENIED),
        )
    },
    "view missing": Row(on("view", "missing"), "X-Not-Found"),
    "view folder": Row(on("view", "folder"), "X-A-Directory"),
    "view unreadable": Row(on("view", "secret"), DENIED),
    "view large": Row(on("view", "large"), "X-Size-Limit"),
    "view binary": Row(on("view", "binary"), "X-Error"),
    "download missing": Row(download("missing"), "X-Not-Found"),
    "download folder": Row(download("folder"), "X-A-Directory"),
    "download unreadable": Row(download("secret"), DENIED),
    "download large": Row(download("large"), "X-Size-Limit"),
    "upload to nowhere": Row(upload("missing", "name"), INVALID),
    "upload denied": Row(upload("closed", "name"), DENIED),
    "upload over a folder": Row(upload("root", "folder"), "X-A-Directory"),
    "upload too large": Row(upload("root", "name", 5 << 20), None, None, 413),
    "rm missing": Row(on("simple_delete", "missing"), INVALID),
    "rm denied": Row(on("simple_delete", "theirs"), DENIED),
    "compress missing": Row(on("compress", "missing", "orphan"), INVALID),
    "compress to orphan": Row(on("compress", "file", "orphan"), INVALID),
    "extract missing": Row(on("extract", "missing", "folder", extension=".zip"), INVALID),
    "extract to missing": Row(on("extract", "file", "missing", extension=".zip"), INVALID),
    "extract unknown": Row(on("extract", "file", "folder"), None, "Unsupported file format in "),
    "extract no archive": Row(on("extract", "file", "folder", extension=".gz"), "X-Error"),
    "empty path": Row(on("list_files", "="), None, "'targetPath' is empty"),
    "bad character": Row(on("list_files", "=/tmp/a;b"), None, "'targetPath' has invalid char"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_row(alice: Any, places: Places, name: str) -> None:
    row = ROWS[name]
    with pytest.raises(firecrest.FirecrestException) as raised:
        row.call(alice, places)
    answer = raised.value.responses[-1]
    assert answer.status_code == row.status, answer.text
    found = {header for header in ERROR_HEADERS | OURS if header in answer.headers}
    assert found == ({row.header} if row.header else set()), answer.text
    if row.header in ERROR_HEADERS:
        assert type(raised.value) is firecrest.HeaderException
    if row.header:
        value = answer.headers[row.header]
        assert value.isascii() and value.isprintable() and len(value) < 1000
    body = answer.json()
    assert body["description"]
    if row.error:
        assert row.error in body["error"]
    assert os.listdir(places.folder) == []  # nothing came of it


def test_a_pattern_that_is_not_found(portal: Portal, places: Places) -> None:
    """The clients have no argument for it; what they make of the answer is their NotFound."""
    client = portal.client("alice")
    for method in ("head", "tail"):
        answer = client._get_request(
            f"/utilities/{method}",
            {"X-Machine-Name": CLUSTER},
            {"targetPath": places.file, "grep": "$(id)"},
        )
        assert answer.status_code == 404
        assert "X-Not-Found" in answer.headers
        assert answer.json()["error"] == "pattern not found"
        with pytest.raises(firecrest.HeaderException):
            client._json_response([answer], 200)


def test_a_command_over_its_time(portal: Portal, alice: Any, places: Places) -> None:
    with open(places.large, "wb") as large:
        for _ in range(150):
            large.write(os.urandom(1 << 20))
    for archive in ("a.tar.gz", "b.tar.gz"):
        with pytest.raises(firecrest.HeaderException) as raised:
            alice.compress(HASTY, places.large, f"{places.root}/{archive}")
        answer = raised.value.responses[-1]
        assert answer.status_code == 400
        assert "X-Timeout" in answer.headers
        assert answer.json()["error"] == TIMEOUT


ANYWHERE: dict[str, Callable[[Any, str], Any]] = {
    "utilities": lambda client, machine: client.stat(machine, "/tmp"),
    "submit": lambda client, machine: client.submit(machine, script_str="#!/bin/sh\ntrue\n"),
    "submit path": lambda client, machine: client.submit(machine, script_remote_path="/tmp/x"),
    "queue": lambda client, machine: client.poll_active(machine),
    "acct": lambda client, machine: client.poll(machine),
    "nodes": lambda client, machine: client.nodes(machine),
    "partitions": lambda client, machine: client.partitions(machine),
    "cancel": lambda client, machine: client.cancel(machine, 1),
    "storage": lambda client, machine: client.submit_copy_job(machine, "a", "b"),
    "reservations": lambda client, machine: client.all_reservations(machine),
}


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_machine_that_does_not_exist(alice: Any, name: str) -> None:
    with pytest.raises(firecrest.HeaderException) as raised:
        ANYWHERE[name](alice, "no-such-machine")
    answer = raised.value.responses[-1]
    assert answer.status_code == 400
    assert "X-Machine-Does-Not-Exist" in answer.headers
    if name in ("utilities", "reservations"):
        assert answer.json()["error"] == "Machine does not exist"
    else:  # both spellings of the header, upstream's text
        assert "X-Machine-Does-Not-Exists" in answer.headers
        assert answer.json()["error"] == "Machine does not exists"


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_machine_without_an_account(alice: Any, name: str) -> None:
    with pytest.raises(firecrest.HeaderException) as raised:
        ANYWHERE[name](alice, FOREIGN)
    assert "X-Permission-Denied" in raised.value.responses[-1].headers


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_machine_that_is_down(alice: Any, name: str) -> None:
    with pytest.raises(firecrest.HeaderException) as raised:
        ANYWHERE[name](alice, DOWN)
    answer = raised.value.responses[-1]
    assert answer.status_code in (400, 503)
    assert "X-Machine-Not-Available" in answer.headers


@pytest.mark.parametrize(
    ("arguments", "header", "error"),
    [
        ({"script_remote_path": "missing"}, INVALID, None),
        ({"script_remote_path": "folder"}, "X-A-Directory", None),
        ({"script_remote_path": "secret"}, DENIED, None),
        ({"script_str": ""}, None, "Batch file is empty"),
        ({"script_str": "#!/bin/sh\n", "account": "a;b"}, None, "'account' has invalid char"),
    ],
)
def test_early_refusals_of_a_submission(
    alice: Any, places: Places, arguments: dict[str, str], header: str | None, error: str | None
) -> None:
    named = dict(arguments)
    if place := named.get("script_remote_path"):
        named["script_remote_path"] = getattr(places, place)
    with pytest.raises(firecrest.FirecrestException) as raised:
        alice.submit(CLUSTER, **named)
    answer = raised.value.responses[-1]
    assert answer.status_code == 400
    assert {name for name in ERROR_HEADERS if name in answer.headers} == ({header} - {None})
    if error:
        assert error in answer.json()["error"]


def test_a_script_over_the_limit(alice: Any) -> None:
    with pytest.raises(firecrest.FirecrestException) as raised:
        alice.submit(CLUSTER, script_str="#!/bin/sh\n" + "#" * (5 << 20))
    answer = raised.value.responses[-1]
    assert answer.status_code == 413
    assert "over 5 MB" in answer.json()["description"]


@pytest.mark.parametrize("time", ["banana", "0", "1-25", "00:61"])
def test_a_time_that_no_job_can_have(alice: Any, time: str) -> None:
    with pytest.raises(firecrest.FirecrestException) as raised:
        alice.submit_copy_job(CLUSTER, "a", "b", time=time)
    answer = raised.value.responses[-1]
    assert (answer.status_code, answer.json()["error"]) == (400, "Not supported time format")


def test_tokens_that_are_none(portal: Portal) -> None:
    """Each kind is the clients' UnauthorizedException, and says why in both of FirecREST's ways."""

    class Given:
        def __init__(self, token: str) -> None:
            self.token = token

        def get_access_token(self) -> str:
            return self.token

    good = portal.token("alice")
    for token in ("", "rubbish", good[:-4] + "AAAA", good.rsplit(".", 1)[0] + "."):
        client = firecrest.v1.Firecrest(portal.url, Given(token))
        with pytest.raises(firecrest.UnauthorizedException) as raised:
            client.all_systems()
        assert raised.value.responses[-1].json()["description"]
        with pytest.raises(firecrest.UnauthorizedException):
            client._json_response([client._get_request("/no/such/path")], 200)
