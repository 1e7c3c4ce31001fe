"""Large files through the staging area by the real clients, with both stores; each file equal at both ends."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import firecrest
import pytest

from tests.firecrest.portal import CLUSTER, Portal

if TYPE_CHECKING:
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]
SIZE = 6_000_000


@pytest.fixture(scope="module")
def s3_portal(lab: Lab, s3_settings: dict[str, Any]) -> Iterator[Portal]:
    """A portal whose staging area is the S3 server."""
    from tests.firecrest.portal import running

    names = ("kind", "endpoint", "bucket", "access_key", "secret_key")
    with running(lab, **{f"CENTRO_STAGING_{n.upper()}": s3_settings[n] for n in names}) as started:
        yield started


@pytest.fixture(scope="module", params=["local", "s3"])
def store_portal(request: pytest.FixtureRequest) -> Portal:
    """A portal with each store in turn."""
    name = "portal" if request.param == "local" else "s3_portal"
    found: Portal = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="module")
def client(store_portal: Portal, client_kind: str) -> Iterator[Any]:
    """Each of both clients with each store."""
    yield from store_portal.judged("alice", client_kind)


@pytest.fixture
def far(store_portal: Portal) -> Iterator[Path]:
    """A fresh folder of Alice's on the system."""
    with store_portal.folder("alice") as path:
        yield path


def until(transfer: Any, status: str, client: Any, seconds: float = 60.0) -> list[str]:
    """Every status that was seen, up to this one."""
    seen: list[str] = []
    deadline = time.monotonic() + seconds
    while not seen or seen[-1] != status:
        assert time.monotonic() < deadline, seen
        found = value(transfer, "status", client)
        if not seen or found != seen[-1]:
            seen.append(found)
        time.sleep(0.05)
    return seen


def value(transfer: Any, name: str, client: Any) -> Any:
    """A property of a transfer, which the asynchronous client gives as something to await."""
    found = getattr(transfer, name)
    return client.wait(found) if hasattr(client, "wait") else found


def call(transfer: Any, name: str, client: Any, *arguments: Any) -> Any:
    found = getattr(transfer, name)(*arguments)
    return client.wait(found) if hasattr(client, "wait") else found


def test_up_and_down(client: Any, far: Path, tmp_path: Path) -> None:
    content = os.urandom(SIZE)
    source = tmp_path / "reads of alice.bin"
    source.write_bytes(content)
    up = client.external_upload(CLUSTER, str(source), str(far))
    form = value(up, "object_storage_data", client)
    assert value(up, "status", client) == "111"
    assert form["parameters"]["files"] == str(source)
    assert not (far / source.name).exists()
    call(up, "finish_upload", client)
    seen = until(up, "114", client)
    assert set(seen) <= {"111", "112", "113", "114"}
    assert value(up, "in_progress", client) is False
    assert value(up, "data", client)["target"] == str(far / source.name)
    assert [path.name for path in far.iterdir()] == [source.name], "nothing else is left there"
    assert (far / source.name).read_bytes() == content
    assert client.checksum(CLUSTER, str(far / source.name)) == hashlib.sha256(content).hexdigest()

    down = client.external_download(CLUSTER, str(far / source.name))
    assert set(until(down, "117", client)) <= {"100", "116", "117"}
    call(down, "finish_download", client, str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == content
    link = value(down, "object_storage_link", client)
    buffer = io.BytesIO()
    call(down, "finish_download", client, buffer)
    assert buffer.getvalue() == content
    call(down, "invalidate_object_storage_link", client)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link, timeout=30)
    assert refused.value.code == 404


def test_an_empty_file(client: Any, far: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    up = client.external_upload(CLUSTER, str(tmp_path / "empty"), str(far / "made"))
    call(up, "finish_upload", client)
    until(up, "114", client)
    assert (far / "made").read_bytes() == b""
    down = client.external_download(CLUSTER, str(far / "made"))
    until(down, "117", client)
    call(down, "finish_download", client, str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b""


def test_refusals_are_the_clients_own(client: Any, far: Path, tmp_path: Path) -> None:
    with pytest.raises(firecrest.HeaderException) as refused:
        client.external_upload(CLUSTER, "/any/file", f"{far}/fake_dir/x")
    assert "X-Invalid-Path" in refused.value.responses[-1].headers
    with pytest.raises(firecrest.HeaderException) as refused:
        client.external_upload(CLUSTER, "/any/file", "/copied_file")
    assert "X-Permission-Denied" in refused.value.responses[-1].headers
    with pytest.raises(firecrest.HeaderException) as refused:
        client.external_download(CLUSTER, f"{far}/none")
    assert "X-Invalid-Path" in refused.value.responses[-1].headers
    up = client.external_upload(CLUSTER, str(tmp_path / "none"), str(far))
    with pytest.raises(Exception, match="Failed to finish upload"):
        call(up, "finish_upload", client)


def test_a_target_that_goes_away_is_told_in_the_systems_words(
    store_portal: Portal, far: Path, tmp_path: Path
) -> None:
    client = store_portal.client("alice")
    gone = far / "gone"
    gone.mkdir()
    store_portal.give("alice", gone)
    (tmp_path / "f").write_bytes(b"content")
    up = client.external_upload(CLUSTER, str(tmp_path / "f"), str(gone))
    assert up.object_storage_data
    gone.rmdir()
    up.finish_upload()
    with pytest.raises(firecrest.StorageUploadException) as failed:
        until(up, "114", client)
    (task,) = failed.value.responses[-1].json()["tasks"].values()
    assert task["status"] == "115"
    assert "no such" in task["data"]["msg"].lower()


def test_the_pasted_line_and_curl_for_the_link(
    store_portal: Portal, far: Path, tmp_path: Path
) -> None:
    client = store_portal.client("alice")
    name = "it has, a comma and $HOME"
    (tmp_path / name).write_bytes(b"content")
    up = client.external_upload(CLUSTER, str(tmp_path / name), str(far))
    line = up.object_storage_data["command"]
    subprocess.run(["bash", "-c", line], check=True, capture_output=True, timeout=30)
    until(up, "114", client)
    assert (far / name).read_bytes() == b"content"
    down = client.external_download(CLUSTER, str(far / name))
    until(down, "117", client)
    got = subprocess.run(
        ["curl", "-fsS", down.object_storage_link], check=True, capture_output=True, timeout=30
    )
    assert got.stdout == b"content"
