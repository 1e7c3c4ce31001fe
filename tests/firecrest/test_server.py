"""What only the real web server shows: large bodies, kept connections, systems that do not answer."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.firecrest.portal import CLUSTER, Portal, site_of
from tests.lab.process import descendants

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

MIB = 1024 * 1024
TOO_LARGE = {"description": "Failed to upload file. The file is over 5242880 bytes"}


@pytest.fixture(scope="module")
def headers(portal: Portal) -> dict[str, str]:
    """Alice, on the cluster."""
    return {"Authorization": f"Bearer {portal.token('alice')}", "X-Machine-Name": CLUSTER}


@pytest.fixture(scope="module")
def mute(portal: Portal) -> Iterator[str]:
    """A system that takes connections and never says a word, as one that hangs does."""
    server = socket.create_server(("127.0.0.1", 0), backlog=200)
    site = site_of(portal.lab)
    site["systems"].append(site["systems"][0] | {"name": "mute", "port": server.getsockname()[1]})
    for user in site["users"]:
        if user["username"] == "alice":
            user["accounts"].append(user["accounts"][0] | {"system": "mute"})
    file = portal.stack.var / "with-mute.yaml"
    file.write_text(yaml.safe_dump(json.loads(json.dumps(site))))
    portal.stack.manage("apply", str(file))
    yield "mute"
    server.close()


def web_memory(portal: Portal) -> int:
    """Resident bytes of the web server with its workers."""
    parent = portal.stack.processes["web"].pid
    pages = sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        for pid in (parent, *descendants(parent))
    )
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("size", [6 * MIB, 30 * MIB])
def test_the_answer_to_a_body_over_the_limit_is_seen(
    portal: Portal, headers: dict[str, str], folder: Path, size: int
) -> None:
    """The client sends all of it before it reads; then it goes on over the same connection."""
    with requests.Session() as session:
        for sent, expected in ((headers, 413), ({"X-Machine-Name": CLUSTER}, 401)):
            answer = session.post(
                f"{portal.url}/utilities/upload",
                headers=sent,
                data={"targetPath": str(folder)},
                files={"file": ("large", b"x" * size)},
                timeout=60,
            )
            assert answer.status_code == expected
            assert expected == 401 or answer.json() == TOO_LARGE
            answer = session.get(f"{portal.url}/utilities/whoami", headers=headers, timeout=60)
            assert answer.json()["output"] == portal.unix_user("alice")
    assert not list(folder.iterdir())


def test_a_gigabyte_is_refused_without_being_taken(
    portal: Portal, headers: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    """curl asks first (Expect: 100-continue), and need not send."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1024 * MIB)
    before = web_memory(portal)
    command = [
        "curl",
        "-s",
        "-S",
        "-X",
        "POST",
        f"{portal.url}/utilities/upload",
        "-w",
        "\n%{http_code}",
    ]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-F", f"targetPath={folder}", "-F", f"file=@{large}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    body, _, status = said.stdout.rpartition("\n")
    assert (status, json.loads(body)) == ("413", TOO_LARGE), said.stderr
    after = web_memory(portal)
    assert after - before < 60 * MIB


def test_a_body_in_pieces(portal: Portal, headers: dict[str, str]) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(
        f"{portal.url}/utilities/mkdir",
        headers=headers | kind,
        data=iter([b"targetPath=", b"/tmp/x"]),
        timeout=30,
    )
    assert answer.status_code == 411


def test_no_content_has_no_content(portal: Portal, headers: dict[str, str], folder: Path) -> None:
    (folder / "x").touch()
    answer = requests.delete(
        f"{portal.url}/utilities/rm",
        headers=headers,
        data={"targetPath": f"{folder}/x"},
        timeout=30,
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers


def test_a_system_that_hangs_takes_no_thread_from_the_others(
    portal: Portal, headers: dict[str, str], mute: str
) -> None:
    """Two dozen at once ask the mute one; who asks another is served as ever."""
    path = f"{portal.url}/utilities/stat?targetPath=/tmp"
    stop = threading.Event()
    refused: list[requests.Response] = []

    def bother() -> None:
        while not stop.is_set():
            refused.append(
                requests.get(path, headers=headers | {"X-Machine-Name": mute}, timeout=120)
            )

    def ask() -> float:
        started = time.monotonic()
        answer = requests.get(path, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return time.monotonic() - started

    for _ in range(20):
        ask()  # both web processes have a connection now
    with ThreadPoolExecutor(24) as pool:
        for _ in range(24):
            pool.submit(bother)
        time.sleep(2.5)  # by then it is known to be slow
        took = [ask() for _ in range(30)]
        stop.set()
    # with all threads taken each would need the 15 s of a connection that fails
    assert statistics.median(took) < 5
    codes = Counter(answer.status_code for answer in refused)
    assert set(codes) == {400, 503}, codes
    for answer in refused:
        said: dict[str, Any] = answer.json()
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
            # the first few wait for a connection; who comes later is told so at once
            assert said["error"] in (
                f"{mute} answers slowly at the moment; try again shortly",
                f"{mute} has many requests at the moment; try again shortly",
                "no connection became free within 30 s",
            )
        else:
            assert "X-Machine-Not-Available" in answer.headers
            assert said["error"]
