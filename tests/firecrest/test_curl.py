"""The printed curl line, run by the real curl in both ways that clients run it."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.firecrest.curl import form_upload

NAMES = [
    "plain.bin", "a b", "a,b", "a;type=text", "$HOME", "it's", 'a"b', "back\\slash", "-", "--help", "é ü",
    "a=b", "@x", "<x", "~", "#", "a;b,c d'e\"f\\g",
]  # fmt: skip
FIELDS = {
    "key": "0f/a_b",
    "policy": "eyJ4Ijp7fX0=",
    "x-amz-credential": "K/20261122/us-east-1/s3/aws4_request",
}


class Store(BaseHTTPRequestHandler):
    """Keeps what comes; refuses at /refused."""

    parts: list[Message] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        found = BytesParser().parsebytes(head + body).get_payload()
        Store.parts = [part for part in found if isinstance(part, Message)]
        self.send_response(403 if self.path == "/refused" else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(line: str, folder: Path, *, shell: bool) -> subprocess.CompletedProcess[bytes]:
    words = ["/bin/sh", "-c", line] if shell else shlex.split(line)
    return subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=30)


@pytest.mark.parametrize("shell", [False, True], ids=["words", "shell"])
@pytest.mark.parametrize("name", NAMES)
def test_the_line_sends_the_fields_then_the_file(
    store: str, tmp_path: Path, name: str, shell: bool
) -> None:
    (tmp_path / name).write_bytes(os.fsencode(f"content of {name}"))
    for path in (name, str(tmp_path / name)):
        done = run(form_upload(f"{store}/b", FIELDS, path), tmp_path, shell=shell)
        assert done.returncode == 0, done.stderr
        sent = [part.get_param("name", header="content-disposition") for part in Store.parts]
        assert sent == [*FIELDS, "file"]
        values = [part.get_payload(decode=True) for part in Store.parts]
        assert values[:-1] == [value.encode() for value in FIELDS.values()]
        assert values[-1] == os.fsencode(f"content of {name}")


def test_a_refusal_and_a_missing_file_are_failures_that_say_why(store: str, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    done = run(form_upload(f"{store}/refused", FIELDS, "f"), tmp_path, shell=False)
    assert (done.returncode, b"403" in done.stderr) == (22, True)
    done = run(form_upload(f"{store}/b", FIELDS, "none"), tmp_path, shell=False)
    assert done.returncode != 0
    assert done.stderr
