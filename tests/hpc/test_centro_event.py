"""The program that jobs report with, run as a job runs it; and reading what it wrote."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from hpc.protocol.reports import EventTail, parse_tails, reporting_program
from hpc.protocol.scripts import program

UNIT = "\x1f"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's directory with the program in it."""
    folder = tmp_path / "a run"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/centro-event").write_bytes(reporting_program())
    (folder / "bin/centro-event").chmod(0o700)
    (folder / ".token").write_text("ctr_secret\n")
    return folder


def tell(run: Path, *arguments: str | bytes, shell: str = "sh", **variables: str) -> str:
    """Call the program; returns what it said on stderr. It always ends with 0."""
    environment = {"PATH": os.environ["PATH"], "CENTRO_RUN_DIR": str(run)}
    answer = subprocess.run(
        [shell, str(run / "bin/centro-event"), *arguments],
        env=environment | {name: value for name, value in variables.items() if value},
        capture_output=True, cwd="/", timeout=60, check=False,
    )  # fmt: skip
    assert (answer.returncode, answer.stdout) == (0, b"")
    return answer.stderr.decode(errors="replace")


def events(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "events.ndjson").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "type", "data"),
    [
        (["progress", "40"], "progress", {"percent": 40}),
        (["progress", "99.9%", "nearly"], "progress", {"percent": 99, "text": "nearly"}),
        (["task", "a", "new"], "task", {"name": "a", "state": "new"}),
        (
            ["task", "a b", "failed", "--job", "12_3", "--exit", "-9", "--started", "5.5", "--log", "/x y"],
            "task",
            {"name": "a b", "state": "failed", "job_id": "12_3", "exit_code": -9, "started": 5.5, "log_path": "/x y"},
        ),
        (
            ["task", "a", "running", "--resource", "cpus=4", "--resource", "mem=1 G"],
            "task",
            {"name": "a", "state": "running", "resources": {"cpus": "4", "mem": "1 G"}},
        ),
        (["message", "x"], "message", {"text": "x"}),
        (["error", "-n"], "error", {"text": "-n"}),
        (["metric", "reads", "12.5", "M"], "metric", {"name": "reads", "value": 12.5, "unit": "M"}),
        (["metric", "reads", "007"], "metric", {"name": "reads", "value": "007"}),
        (["artifact", "/x", "calls"], "artifact", {"path": "/x", "label": "calls"}),
        (["completed"], "completed", {}),
    ],
)  # fmt: skip
def test_what_it_writes(run: Path, arguments: list[str], type: str, data: dict[str, Any]) -> None:
    assert tell(run, *arguments) == ""
    (event,) = events(run)
    assert (event["seq"], event["type"], event["data"]) == (1, type, data)
    assert event["sender"].startswith("job-") and event["at"] > 1.7e9


@pytest.mark.parametrize("shell", [s for s in ("dash", "bash") if shutil.which(s)])
def test_any_bytes_become_json(run: Path, shell: str) -> None:
    text = bytes(range(1, 256)) + "é€𝄞".encode() + b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe2\x82"
    assert tell(run, "message", text, shell=shell) == ""
    (event,) = events(run)

    def with_one_mark(
        shown: str,
    ) -> str:  # programs differ in how many marks a broken sequence gets
        return re.sub("\N{REPLACEMENT CHARACTER}+", "?", shown)

    assert with_one_mark(event["data"]["text"]) == with_one_mark(text.decode(errors="replace"))
    assert (run / "events.ndjson").read_bytes().isascii()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "no event"),
        (["state"], "no event"),
        (["progress"], "expected 0 to 100"),
        (["progress", "101"], "expected 0 to 100"),
        (["progress", "x"], "expected 0 to 100"),
        (["task", "a"], "expected: task NAME STATE"),
        (["task", "", "new"], "no name"),
        (["task", "a", "done"], "expected new, pending"),
        (["task", "a", "new", "--exit", "1.5"], "whole number"),
        (["task", "a", "new", "--exit"], "no value"),
        (["task", "a", "new", "--what", "1"], "unknown option"),
        (["task", "a", "new", "--resource", "cpus"], "NAME=VALUE"),
        (["message"], "expected: message TEXT"),
        (["metric", "a"], "expected: metric NAME VALUE"),
    ],
)
def test_a_wrong_call_says_so_and_fails_nothing(run: Path, arguments: list[str], word: str) -> None:
    assert word in tell(run, *arguments)
    assert not (run / "events.ndjson").exists()


def test_outside_of_a_run_it_says_so(run: Path, tmp_path: Path) -> None:
    nowhere = subprocess.run(
        [run / "bin/centro-event", "completed"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )  # fmt: skip
    assert b"no run of Centro's" in nowhere.stderr
    gone = tell(run, "completed", CENTRO_RUN_DIR=str(tmp_path / "gone"))
    assert "is not there" in gone


def test_many_at_once_number_each_event_once(run: Path) -> None:
    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(lambda n: tell(run, "message", str(n)), range(120)))
    assert set(said) == {""}
    written = events(run)
    assert [event["seq"] for event in written] == list(range(1, 121))
    assert len({event["sender"] for event in written}) == 1
    assert {event["data"]["text"] for event in written} == {str(n) for n in range(120)}


def test_a_line_that_was_cut_spoils_no_other(run: Path) -> None:
    tell(run, "message", "one")
    with (run / "events.ndjson").open("ab") as file:
        file.write(b'{"sender":"job')
    tell(run, "message", "two")
    lines = (run / "events.ndjson").read_bytes().splitlines()
    assert [json.loads(lines[0])["seq"], json.loads(lines[2])["seq"]] == [1, 2]


def test_after_the_counter_is_gone_no_number_comes_twice(run: Path) -> None:
    tell(run, "message", "one")
    (run / ".events.state").unlink()
    tell(run, "message", "two")
    (run / ".events.state").write_text("garbage\n")
    tell(run, "message", "three")
    assert len({(event["sender"], event["seq"]) for event in events(run)}) == 3


class Portal(HTTPServer):
    """Takes events, or refuses them with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.got: list[tuple[str, dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Portal

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def portal() -> Any:
    server = Portal()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def reach(portal: Portal, run: Path) -> dict[str, str]:
    return {
        "CENTRO_EVENTS_URL": f"http://127.0.0.1:{portal.server_port}/events/",
        "CENTRO_TOKEN_FILE": str(run / ".token"),
    }


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_it_posts_too(run: Path, portal: Portal, tmp_path: Path, client: str) -> None:
    if client == "wget":  # a PATH without curl
        folder = tmp_path / "tools"
        folder.mkdir()
        for name in (
            "sh",
            "awk",
            "od",
            "head",
            "tail",
            "flock",
            "date",
            "mv",
            "rm",
            "sed",
            "tr",
            "grep",
            "wget",
        ):
            (folder / name).symlink_to(shutil.which(name) or "")
        text = (
            (run / "bin/centro-event")
            .read_text()
            .replace("PATH=$PATH:/usr/bin:/bin", f"PATH={folder}")
        )
        (run / "bin/centro-event").write_text(text)
    text = 'a "quoted" \\ text\n'
    assert tell(run, "message", text, **reach(portal, run)) == ""
    ((token, event),) = portal.got
    assert token == "Bearer ctr_secret"
    assert event == events(run)[0]
    assert event["data"]["text"] == text
    assert not [path for path in run.iterdir() if "wgetrc" in path.name]


def test_the_token_is_in_no_argument(run: Path, portal: Portal, tmp_path: Path) -> None:
    spy = tmp_path / "spy"
    spy.mkdir()
    (spy / "curl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/seen\nenv >> {tmp_path}/seen\n'
                              f'exec {shutil.which("curl")} "$@"\n')  # fmt: skip
    (spy / "curl").chmod(0o700)
    tell(run, "message", "hello", PATH=f"{spy}:{os.environ['PATH']}", **reach(portal, run))
    assert len(portal.got) == 1
    assert "ctr_secret" not in (tmp_path / "seen").read_text()


def test_who_cannot_be_reached_is_left_alone_for_a_while(run: Path, portal: Portal) -> None:
    portal.status = 503
    said = tell(run, "message", "1", **reach(portal, run))
    assert "not reached (503)" in said
    assert tell(run, "message", "2", **reach(portal, run)) == "", "said once"
    assert len(portal.got) == 1, "no try meanwhile"
    (run / ".events.away").write_text("1000\n")
    portal.status = 200
    assert tell(run, "message", "3", **reach(portal, run)) == ""
    assert [event["data"]["text"] for _, event in portal.got] == ["1", "3"]
    assert not (run / ".events.away").exists()
    assert len(events(run)) == 3, "the file has them all"


def test_a_closed_port(run: Path) -> None:
    variables = {
        "CENTRO_EVENTS_URL": "http://127.0.0.1:9/",
        "CENTRO_TOKEN_FILE": str(run / ".token"),
    }
    assert "not reached (000)" in tell(run, "completed", **variables)
    assert len(events(run)) == 1


# ---------------------------------------------------------------- reading


def read(*wanted: tuple[int, Path]) -> dict[str, EventTail]:
    stdin = "".join(f"{offset}{UNIT}{folder}\n" for offset, folder in wanted)
    answer = subprocess.run(
        ["sh", "-c", program("read_events")], input=stdin.encode(), capture_output=True, check=True
    )
    assert answer.stderr == b""
    return parse_tails(answer.stdout.decode().split("\n"))


def test_what_was_added_is_read(run: Path) -> None:
    tell(run, "message", "one")
    data = (run / "events.ndjson").read_bytes()
    assert read((0, run)) == {run.name: EventTail(0, len(data), data)}
    assert read((len(data), run)) == {}
    assert read((10, run))[run.name].data == data[10:]
    assert read((len(data) + 5, run))[run.name] == EventTail(0, len(data), data), (
        "cut: from the start"
    )


def test_no_file_is_no_news(run: Path, tmp_path: Path) -> None:
    os.mkfifo(run / "events.ndjson")
    assert read((0, run), (0, tmp_path / "gone")) == {}


def test_one_look_reads_a_bounded_part_of_each(tmp_path: Path) -> None:
    folders = [tmp_path / f"run{n}" for n in range(12)]
    for folder in folders:
        folder.mkdir()
        (folder / "events.ndjson").write_bytes(bytes(range(256)) * 400)
    found = read(*[(0, folder) for folder in folders])
    assert 8 <= len(found) < 12
    assert all(tail.is_cut and len(tail.data) >= 32768 for tail in found.values())
    assert sum(len(tail.data) for tail in found.values()) <= 262144 + 32768
    whole = read((0, folders[0]))[folders[0].name]
    assert (len(whole.data), whole.is_cut) == (102_400, False)


def test_lines_that_are_none_of_ours_are_left_out() -> None:
    good = f"E{UNIT}r{UNIT}0{UNIT}3{UNIT}YWJj"
    bad = ["", "E", good.replace("YWJj", "?"), good.replace("0", "x"), f"M{UNIT}r{UNIT}{UNIT}"]
    assert parse_tails([*bad, good]) == {"r": EventTail(0, 3, b"abc")}
