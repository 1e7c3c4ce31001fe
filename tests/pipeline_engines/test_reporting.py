"""How the heads' programs report: a line in the file each, and the same by HTTP where that works."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.services.reports.wire import read_body, read_event

FILES = Path(__file__).resolve().parents[2] / "hpc/engines/files"
PROGRAM = """
from centro_reporting import begun, reporter
r = reporter()
r.task("a" * 300, "pending", job_id="7", resources={"cpus": 2, "mem": "4G"}, started=None, log_path="/" + "x" * 700)
r.task("b", "complete", exit_code=0, started=1.5, ended=2.5, log_path="/run/b.log")
r.message("it's done: \\u00e4 " + "y" * 5000)
r.progress(40, "2 of 5")
r.error("no")
begun()
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers), body))  # type: ignore[attr-defined]  ours
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def portal() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.taken = []  # type: ignore[attr-defined]  ours
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def report(folder: Path, url: str = "", times: int = 1) -> None:
    (folder / ".token").write_text("secret-token\n")
    environment = {
        "PYTHONPATH": str(FILES),
        "CENTRO_RUN_DIR": str(folder),
        "CENTRO_EVENTS_URL": url,
        "CENTRO_TOKEN_FILE": str(folder / ".token"),
        "PATH": os.environ["PATH"],
    }
    for _ in range(times):
        subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60)


def test_the_file_holds_what_the_portal_can_read(tmp_path: Path) -> None:
    report(tmp_path)
    lines = (tmp_path / "events.ndjson").read_bytes().splitlines()
    events = [read_event(line) for line in lines]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert {event.sender for event in events} == {"engine"}
    assert [event.type for event in events] == ["task", "task", "message", "progress", "error"]
    assert events[0].data == {
        "name": "a" * 200,
        "state": "pending",
        "job_id": "7",
        "resources": {"cpus": 2, "mem": "4G"},
    }
    assert events[1].data["log_path"] == "/run/b.log"
    assert len(events[2].data["text"]) == 4000
    assert (tmp_path / "events.ndjson").stat().st_mode & 0o077 == 0
    assert (tmp_path / "engine.begun").exists()


def test_the_same_lines_are_posted_with_the_token(tmp_path: Path, portal: Any) -> None:
    report(tmp_path, f"http://127.0.0.1:{portal.server_port}/events/")
    sent = b"".join(body for _headers, body in portal.taken)
    assert sent == (tmp_path / "events.ndjson").read_bytes()
    assert len(read_body(sent)) == 5
    headers = portal.taken[0][0]
    assert headers["Authorization"] == "Bearer secret-token"
    assert headers["Content-Type"] == "application/x-ndjson"


def test_a_program_that_begins_again_counts_on(tmp_path: Path) -> None:
    report(tmp_path, times=2)
    lines = (tmp_path / "events.ndjson").read_bytes().splitlines()
    assert [read_event(line).seq for line in lines] == list(range(1, 11))


@pytest.mark.parametrize("status", [500, 401, 429])
def test_a_portal_that_refuses_costs_nothing(
    tmp_path: Path, portal: Any, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(Receiver, "status", status)
    report(tmp_path, f"http://127.0.0.1:{portal.server_port}/events/")
    assert len((tmp_path / "events.ndjson").read_bytes().splitlines()) == 5


def test_nobody_listening_costs_nothing(tmp_path: Path) -> None:
    report(tmp_path, "http://127.0.0.1:1/events/")
    assert len((tmp_path / "events.ndjson").read_bytes().splitlines()) == 5


def test_a_directory_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").mkdir()
    report(tmp_path)
