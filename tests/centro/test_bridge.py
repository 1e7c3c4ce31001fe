"""HTTP through the bridge, on a real Granian: what a WSGI application is told and what the client gets."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.centro.bridge_site import THREADS
from tests.stack import ROOT, free_port

MEGABYTE = 1024 * 1024


@dataclass
class Site:
    port: int
    notes: Path
    log: Path
    process: subprocess.Popen[bytes]

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def raw(self, text: bytes) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), 20)
        client.sendall(text)
        return client

    def noted(self, text: str) -> int:
        return self.notes.read_text().splitlines().count(text)


def start(folder: Path) -> Site:
    port = free_port()
    notes, log = folder / "notes", folder / "log"
    notes.touch()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", "--interface", "asgi", "--http", "1", "--loop", "uvloop",
             "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning",
             "--workers-kill-timeout", "10", "tests.centro.bridge_site:site"],
            cwd=ROOT, env=os.environ | {"BRIDGE_NOTES": str(notes)}, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    site = Site(port, notes, log, process)
    wait_for(lambda: reachable(site))
    return site


def reachable(site: Site) -> bool:
    assert site.process.poll() is None, site.log.read_text()
    try:
        return site.ask("GET", "/sleep")[1] == b"slept"
    except OSError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = start(tmp_path_factory.mktemp("bridge"))
    yield site
    os.killpg(site.process.pid, signal.SIGKILL)
    site.process.wait(10)


def test_the_environment_is_that_of_pep_3333(site: Site) -> None:
    client = site.raw(
        b"POST /environ/a%2Fb%20%C3%A9%FF?q=%20a+b HTTP/1.1\r\nHost: here:1\r\nContent-Length: 2\r\n"
        b"Content-Type: text/x\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX-L: \xe9\r\n"
        b"X_Forwarded_For: 6.6.6.6\r\nConnection: close\r\n\r\nhi"
    )
    text = b""
    while piece := client.recv(65536):
        text += piece
    environ = json.loads(text.partition(b"\r\n\r\n")[2])
    expected = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/environ/a/b \u00c3\u00a9\u00ff", "QUERY_STRING": "q=%20a+b",
        "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(site.port), "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": "2", "CONTENT_TYPE": "text/x", "HTTP_HOST": "here:1", "HTTP_X_A": "1,2",
        "HTTP_COOKIE": "a=1; b=2", "HTTP_X_L": "\u00e9", "CENTRO_WEBSOCKETS": True,
    }  # fmt: skip
    assert {name: environ.get(name) for name in expected} == expected
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert "PATH" not in environ  # nothing of the server's own environment, where secrets may be


def test_status_and_headers_arrive(site: Site) -> None:
    answer, body = site.ask("GET", "/refuse")
    assert (answer.status, body) == (413, b"no")
    assert answer.headers.get_all("x-twice") == ["1", "2"]
    assert site.ask("GET", "/nothing")[0].status == 204


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 3 * MEGABYTE])
def test_bodies_of_every_size_arrive_whole(site: Site, size: int) -> None:
    data = os.urandom(size)
    _, said = site.ask("POST", "/echo", data)
    assert said.split()[:2] == [str(size).encode(), hashlib.sha256(data).hexdigest().encode()]


def test_a_body_without_a_length_arrives(site: Site) -> None:
    pieces = [os.urandom(50_000) for _ in range(7)]
    _, said = site.ask("POST", "/echo", iter(pieces))
    assert said.split()[1] == hashlib.sha256(b"".join(pieces)).hexdigest().encode()


def test_a_large_upload_takes_no_memory(site: Site) -> None:
    before = int(site.ask("POST", "/echo", b"x")[1].split()[2])
    piece = bytes(MEGABYTE)
    length = {"Content-Length": str(200 * MEGABYTE)}
    _, said = site.ask("POST", "/echo", (piece for _ in range(200)), length)
    size, _, after = said.split()
    assert int(size) == 200 * MEGABYTE
    assert int(after) - before < 60


def test_continue_is_said_only_when_the_body_is_wanted(site: Site) -> None:
    head = b"Host: x\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n"
    assert site.raw(b"POST /refuse HTTP/1.1\r\n" + head).recv(4096).startswith(b"HTTP/1.1 413")
    client = site.raw(b"POST /echo HTTP/1.1\r\n" + head)
    assert client.recv(4096).startswith(b"HTTP/1.1 100")
    client.sendall(bytes(300_000))
    assert b"300000 " in client.recv(65536)


def test_streams_arrive_in_order_and_are_closed(site: Site) -> None:
    assert site.ask("GET", "/numbers/whole")[1] == b"0\n1\n2\n3\n4\n"
    answer, body = site.ask("GET", "/static/whole")
    assert (answer.headers["content-length"], body) == ("6", b"abcdef")
    for path in ("/numbers/whole", "/static/whole"):
        wait_for(partial(site.noted, f"closed {path}"))


@pytest.mark.parametrize(
    ("path", "length"), [("/environ", True), ("/static", True), ("/numbers", False)]
)
def test_head_has_headers_and_no_body(site: Site, path: str, length: bool) -> None:
    answer, body = site.ask("HEAD", path)
    assert (answer.status, body) == (200, b"")
    assert (int(answer.headers.get("content-length") or 0) > 0) == length


def test_an_endless_answer_ends_when_the_client_leaves(site: Site) -> None:
    client = site.raw(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.recv(1000)
    client.close()
    wait_for(lambda: site.noted("closed /endless") == 1)


def test_who_leaves_in_the_middle_of_a_request_holds_no_thread(site: Site) -> None:
    for _ in range(2 * THREADS):
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
        client = site.raw(head + bytes(1000))
        client.close()
    assert site.ask("GET", "/sleep")[1] == b"slept"


def test_slow_senders_of_small_bodies_hold_no_thread(site: Site) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
    slow = [site.raw(head) for _ in range(2 * THREADS)]
    assert site.ask("GET", "/sleep")[1] == b"slept"
    for client in slow:
        client.sendall(b"67890")
        assert b"\r\n\r\n10 " in client.recv(4096)


def test_a_view_that_raises_answers_500_and_the_thread_goes_on(site: Site) -> None:
    for _ in range(2 * THREADS):
        assert site.ask("GET", "/wrong")[0].status == 500
    assert site.ask("GET", "/sleep")[1] == b"slept"
    assert "wrong on purpose" in site.log.read_text()


def test_a_stream_that_fails_does_not_look_complete(site: Site) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        site.ask("GET", "/half")


def test_requests_share_few_threads(site: Site) -> None:
    names: list[bytes] = []
    clients = [
        threading.Thread(target=lambda: names.append(site.ask("GET", "/thread")[1]))
        for _ in range(12)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(names) == 12
    assert set(names) == {f"http-{number}".encode() for number in range(THREADS)}


def test_a_stopping_server_answers_what_it_was_asked(tmp_path: Path) -> None:
    site = start(tmp_path)
    try:
        client = site.raw(b"GET /sleep?1.0 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        site.process.terminate()
        assert b"slept" in client.recv(4096)
        assert site.process.wait(10) == 0
    finally:
        if site.process.poll() is None:
            os.killpg(site.process.pid, signal.SIGKILL)
            site.process.wait(10)
