"""Websockets of the real portal by real clients: two web processes, Redis, worker and Slurm."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.stack import ROOT, LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]
GUIDE = ROOT / "docs" / "howto" / "websocket.md"


@pytest.fixture(scope="module")
def token(live_stack: LiveStack) -> Iterator[str]:
    """Alice's."""
    made = live_stack.request("POST", "/api/v1/tokens/", "alice", {"name": "websocket"}).json()
    yield made["token"]
    live_stack.request("DELETE", f"/api/v1/tokens/{made['id']}/", "alice")


def socket(stack: LiveStack, path: str, token: str | None, **headers: str) -> connect:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return connect(f"ws://127.0.0.1:{stack.port}{path}", additional_headers=headers)


def next_of(client: ClientConnection, kind: str) -> Any:
    """The next message of this type."""
    while True:
        message = json.loads(client.recv(timeout=30))
        if message["type"] == kind:
            return message


def rows(stack: LiveStack, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.request(
        "GET", f"/api/v1/runs/{run_id}/events/", "alice"
    ).json()["results"]
    return found


def test_a_run_is_followed_from_both_processes_until_its_end(
    live_stack: LiveStack, token: str
) -> None:
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 1})
    # the kernel gives connections to either web process; with so many both have some
    told = []
    with ExitStack() as opened:
        clients = [
            opened.enter_context(socket(live_stack, f"/ws/runs/{run_id}/?after=0", token))
            for _ in range(8)
        ]
        for client in clients:
            assert next_of(client, "snapshot")["run"]["id"] == run_id
            events: list[dict[str, Any]] = []
            while not events or events[-1]["to_state"] != "succeeded":
                events.append(next_of(client, "event")["event"])
            told.append(events)
    assert told == [rows(live_stack, run_id)[: len(told[0])]] * 8
    assert [event["seq"] for event in told[0]] == list(range(1, len(told[0]) + 1))


def test_pings_and_messages_of_clients(live_stack: LiveStack, token: str) -> None:
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 1})
    with socket(live_stack, f"/ws/runs/{run_id}/", token) as client:
        assert client.ping().wait(10)
        assert client.protocol.extensions == []  # nothing is compressed, so nothing can be a bomb
        client.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("anonymous", 401),
        ("forged", 401),
        ("other lab", 404),
        ("wrong origin", 403),
        ("nowhere", 404),
    ],
)
def test_refused(kind: str, status: int, live_stack: LiveStack, token: str) -> None:
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 1})
    path, used, headers = f"/ws/runs/{run_id}/", token, {}
    if kind == "other lab":
        made = live_stack.request(
            "POST", "/api/v1/tokens/", "dave", {"name": f"ws {time.time_ns()}"}
        )
        used = made.json()["token"]
    elif kind == "nowhere":
        path = "/ws/else/"
    elif kind == "wrong origin":
        headers = {"Origin": "http://evil.example"}
    with pytest.raises(InvalidStatus) as refused:
        forged = {"anonymous": None, "forged": "cto_" + "x" * 40}
        with socket(live_stack, path, forged.get(kind, used), **headers):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["status"] == status


def test_http_and_websockets_share_the_port(live_stack: LiveStack, token: str) -> None:
    """Many idle websockets take nothing from the pages."""
    with ExitStack() as opened:
        for _ in range(30):
            opened.enter_context(socket(live_stack, "/ws/runs/", token))
        answers = {live_stack.request("GET", "/api/v1/whoami/", "alice").status for _ in range(20)}
        assert answers == {200}
        assert live_stack.request("GET", "/ws/runs/", "alice").status == 404


def test_the_documented_program_survives_a_restart_of_the_server(
    live_stack: LiveStack, token: str, tmp_path: Path
) -> None:
    """Every event once and in order, though the web server is killed in the middle."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(code.strip().splitlines()) <= 20
    program = tmp_path / "follow.py"
    program.write_text(code)
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 4})
    address = f"ws://127.0.0.1:{live_stack.port}/ws/runs/{run_id}/"
    with subprocess.Popen(
        [sys.executable, program, address, token], stdout=subprocess.PIPE, text=True
    ) as follower:
        live_stack.wait_state(run_id, "running")
        live_stack.kill("web")
        live_stack.start("web")
        said, _ = follower.communicate(timeout=60)
    assert follower.returncode == 0
    lines = [line.split() for line in said.splitlines()]
    assert [int(line[0]) for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1][1:] == ["state", "succeeded"]
    live_stack.wait_ready()


def test_a_client_that_does_not_read_costs_the_others_nothing(
    live_stack: LiveStack, token: str
) -> None:
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 1})
    key = base64.b64encode(b"0" * 16).decode()
    import socket as plain

    lazy = plain.create_connection(("127.0.0.1", live_stack.port))
    lazy.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, 1024)
    lazy.sendall(
        f"GET /ws/runs/{run_id}/?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{live_stack.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    with socket(live_stack, f"/ws/runs/{run_id}/?after=0", token) as client:
        while next_of(client, "event")["event"]["to_state"] != "succeeded":
            pass
    lazy.close()
