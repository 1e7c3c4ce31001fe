"""`manage.py check_system`: each step one line; the step that fails is the last and says what to do."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from django.core.management import CommandError, call_command

from pipeline_management.models import System, SystemAccount
from pipeline_management.services.site import connection_check, extra_checks
from tests.pipeline_management.site.conftest import HOST_KEY, private_key


def check(name: str, *arguments: str) -> tuple[list[str], str]:
    """The lines that were printed and the closing error, if any."""
    out = io.StringIO()
    try:
        call_command("check_system", name, *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), ""


@pytest.fixture
def here(apply: Any, tmp_path: Path) -> System:
    apply(
        {
            "systems": [
                {
                    "name": "here",
                    "transport": "local",
                    "scheduler": "local",
                    "workdir": str(tmp_path / "w"),
                    "scheduler_options": {"spool": str(tmp_path / "spool")},
                }
            ]
        }
    )
    return System.objects.get()


def test_this_machine_passes(here: System, tmp_path: Path) -> None:
    lines, error = check("here")
    assert error == ""
    outcomes = {line.split()[1]: line.split()[0] for line in lines[1:] if line[0] != " "}
    needed = ["shell", "workdir", "space", "lock", "link", "commands", "scheduler", "listing"]
    assert list(outcomes) == [*needed, "clock", "accounting", "events", "store"]
    assert all(outcomes[name] == "ok" for name in [*needed, "clock", "accounting", "store"])
    assert outcomes["events"] == "warning", "no portal listens in this test"
    assert "jobs report by a file instead" in "".join(lines)
    assert any("0 jobs" in line for line in lines)
    assert list((tmp_path / "w").iterdir()) == []


def test_a_work_directory_that_cannot_be_made(here: System, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    here.workdir = str(tmp_path / "file" / "w")
    here.save()
    lines, error = check("here")
    assert lines[-1].startswith("failed  workdir") and "Not a directory" in lines[-1]
    assert error.startswith("workdir failed; let ")


def test_a_scheduler_that_is_not_there(here: System) -> None:
    here.scheduler, here.scheduler_options = "slurm", {"bin_dir": "/nonexistent"}
    here.save()
    lines, error = check("here")
    assert lines[-1].startswith("failed  commands") and "/nonexistent/sbatch" in lines[-1]
    assert "bin_dir" in error


def test_unusable_settings(here: System) -> None:
    here.scheduler_options = {"nonsense": "1"}
    here.save()
    lines, error = check("here")
    assert lines[-1].startswith("failed  settings") and "nonsense" in lines[-1]
    assert "mend" in error


def test_unknown_names(here: System) -> None:
    assert check("moon")[1] == "there is no system 'moon'; there are: here"
    SystemAccount.objects.all().delete()
    assert "there are accounts of: nobody" in check("here")[1]


def remote(apply: Any, port: int, host_key: str = HOST_KEY, host: str = "127.0.0.1") -> None:
    (apply)(
        {
            "systems": [
                {
                    "name": "far",
                    "transport": "ssh",
                    "host": host,
                    "port": port,
                    "host_keys": [host_key],
                    "scheduler": "slurm",
                    "workdir": "/tmp/{username}",
                    "limits": {"command_timeout": 5},
                    "credential": {"kind": "key", "username": "u", "private_key": private_key()},
                }
            ]
        }
    )


def test_a_name_that_does_not_resolve(apply: Any) -> None:
    remote(apply, 22, host="no-such-host.invalid")
    lines, error = check("far")
    assert lines[-1].startswith("failed  resolve") and "DNS" in error


def test_nobody_listens(apply: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        remote(apply, free.getsockname()[1])
    lines, error = check("far")
    assert lines[-2].startswith("ok      resolve")
    assert lines[-1].startswith("failed  connect") and "refused" in lines[-1]
    assert "firewall" in error


class _Server(paramiko.ServerInterface):
    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


@pytest.fixture
def refusing_server() -> Iterator[tuple[int, str]]:
    """An SSH server that lets nobody in: (port, host key line)."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = paramiko.ECDSAKey(vals=(k := ec.generate_private_key(ec.SECP256R1()), k.public_key()))
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transports.append(transport)
            try:
                transport.start_server(server=_Server(), event=threading.Event())
            except paramiko.SSHException:
                continue

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], f"{key.get_name()} {key.get_base64()}"
    listener.close()
    for transport in transports:
        transport.close()


def test_another_host_key(apply: Any, refusing_server: tuple[int, str]) -> None:
    remote(apply, refusing_server[0])
    lines, error = check("far")
    assert lines[-3].startswith("ok      connect")
    assert lines[-2].startswith("ok      banner") and "SSH-2.0" in lines[-2]
    assert lines[-1].startswith("failed  host key") and "SHA256:" in lines[-1]
    assert "fingerprint" in error


def test_a_refused_key(apply: Any, refusing_server: tuple[int, str]) -> None:
    remote(apply, *refusing_server)
    lines, error = check("far")
    assert lines[-2].startswith("ok      host key")
    assert lines[-1].startswith("failed  authenticate")
    assert "authorized_keys of u" in error


@pytest.fixture
def listener() -> Iterator[Any]:
    """Answers every connection with these bytes, or with nothing: ``listener(b"…")`` is its port."""
    open_ones: list[socket.socket] = []

    def listen(greeting: bytes | None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        open_ones.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_ones.append(connection)
                if greeting is not None:
                    connection.sendall(greeting)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for one in open_ones:
        one.close()


def test_something_else_listens_there(apply: Any, listener: Any) -> None:
    remote(apply, listener(b"220 mail.example.org ESMTP\r\n"))
    lines, error = check("far")
    assert lines[-2].startswith("ok      connect")
    assert lines[-1].startswith("failed  banner") and "220 mail" in lines[-1]
    assert "no SSH server" in error


def test_what_listens_there_says_nothing(apply: Any, listener: Any) -> None:
    remote(apply, listener(None))
    System.objects.update(limits={"command_timeout": 0.3})
    lines, error = check("far")
    assert lines[-1].startswith("failed  banner")
    assert "says nothing" in error


def test_little_space_ends_the_check(here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_check, "_LEAST_KIB", 10**15)
    lines, error = check("here")
    assert lines[-1].startswith("failed  space") and "are free" in lines[-1]
    assert "make room" in error


def test_a_clock_that_is_wrong_is_a_warning(here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(extra_checks.time, "time", lambda: real() + 100)
    lines, error = check("here")
    assert error == ""
    (line,) = [line for line in lines if " clock " in line]
    assert line.startswith("warning") and "s behind" in line


def test_jobs_that_report_by_file_need_no_way_to_the_portal(here: System) -> None:
    here.events = "file"
    here.save()
    lines, _ = check("here")
    assert any(line.startswith("ok      events") for line in lines)


def test_a_portal_that_is_reached(here: System, settings: Any, listener: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    settings.CENTRO_PUBLIC_URL = f"http://127.0.0.1:{listener(answer)}"
    lines, _ = check("here")
    assert any(line.startswith("ok      events") for line in lines)


@pytest.mark.lab
def test_the_labs_cluster_passes(apply: Any, lab: Any) -> None:
    import yaml

    apply(yaml.safe_load(lab.layout.site_file.read_text()))
    lines, error = check("cluster", "--user", "alice")
    assert error == ""
    outcomes = {line.split()[1]: line.split()[0] for line in lines[1:] if line[0] != " "}
    reached = ["resolve", "connect", "banner", "host", "authenticate"]
    used = ["shell", "workdir", "space", "lock", "link", "commands", "scheduler", "listing"]
    assert list(outcomes) == [*reached, *used, "clock", "accounting", "events", "store"]
    assert all(outcomes[name] == "ok" for name in [*reached, *used, "clock"])
