"""What start.sh asks Python: ports, readiness, the closing lines."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from centro import launch
from centro.config import Config
from centro.config.state import directory_fault, private_write

SECRETS = {"secret_key": "x1y2z3" * 10, "encryption_keys": ["A" * 43 + "="]}


def config(tmp_path: Path, **keys: object) -> Config:
    made = Config(**SECRETS, **{"var": tmp_path / "var", **keys})  # type: ignore[arg-type]  # test data
    assert directory_fault(made) is None
    return made


def test_free_port_is_fine_and_a_used_one_is_said() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        fault = launch.port_fault("127.0.0.1", port)
        assert fault == f"port {port} on 127.0.0.1 is in use: stop what uses it or choose another with --port"
    assert launch.port_fault("127.0.0.1", port) is None


def test_addresses_that_are_not_ours() -> None:
    assert "--host" in (launch.port_fault("203.0.113.1", 8000) or "")
    assert "--host" in (launch.port_fault("no-such-host.invalid", 8000) or "")


@pytest.mark.parametrize(
    ("code", "expected"), [(errno.EACCES, "above 1023"), (errno.EINVAL, "cannot listen on 127.0.0.1")]
)
def test_refused_ports_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("centro.launch.socket.socket.bind", refuse)
    assert expected in (launch.port_fault("127.0.0.1", 1) or "")


@pytest.fixture
def answers() -> Iterator[tuple[int, dict[str, object]]]:
    """A web server on loopback whose /readyz says what the dictionary holds."""
    content: dict[str, object] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, content
    server.shutdown()
    thread.join()
    server.server_close()


def test_wait_ends_when_ready(tmp_path: Path, answers: tuple[int, dict[str, object]]) -> None:
    port, content = answers
    content["parts"] = {"database": {"ok": True, "detail": "SQLite"}}
    assert launch.wait(config(tmp_path, port=port), os.getpid(), 5) is None


def test_wait_says_what_is_missing(tmp_path: Path, answers: tuple[int, dict[str, object]]) -> None:
    port, content = answers
    content["parts"] = {
        "database": {"ok": True, "detail": "SQLite"},
        "worker": {"ok": False, "detail": "no heartbeat yet"},
    }
    assert launch.wait(config(tmp_path, port=port), os.getpid(), 0.3) == "worker: no heartbeat yet"


def test_wait_ends_when_the_supervisor_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert launch.wait(config(tmp_path, port=1), ended.pid, 60) == "the supervisor ended"


def test_new_password_is_shown_once(tmp_path: Path) -> None:
    made = config(tmp_path)
    private_write(made.var / "admin-password", "s'ecret\n")
    private_write(made.run_dir / "first-login", "s'ecret\n")
    first = launch.banner(made)
    assert first.startswith("Centro is ready at http://127.0.0.1:8000\n")
    assert """curl --user 'admin:s'"'"'ecret' --header""" in first
    second = launch.banner(made)
    assert "s'ecret" not in second
    assert f'--user "admin:$(cat {made.var}/admin-password)"' in second


def test_own_password_is_not_kept(tmp_path: Path) -> None:
    made = config(tmp_path)
    private_write(made.run_dir / "first-login", "chosen-password\n")
    assert "--user admin:chosen-password" in launch.banner(made)
    assert "--user admin --header" in launch.banner(made)


def test_curl_line_goes_through_a_shell(tmp_path: Path) -> None:
    made = config(tmp_path)
    private_write(made.run_dir / "first-login", "a b$c\n")
    line = next(line for line in launch.banner(made).splitlines() if "curl" in line)
    printed = subprocess.run(
        ["sh", "-c", line.replace("curl", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert printed[:2] == ["--user", "admin:a b$c"]
    assert json.loads(printed[printed.index("-d") + 1]) == {"pipeline": "hello", "name": "world"}
    assert printed[-1] == "http://127.0.0.1:8000/api/v1/new-run/"


def test_private_write_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    private_write(path, "one")
    path.chmod(0o644)
    private_write(path, "two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "two"


def test_state_directory_in_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = Config(**SECRETS, var=tmp_path / "file" / "var")  # type: ignore[arg-type]  # test data
    assert "choose another state directory with CENTRO_VAR" in (directory_fault(made) or "")
