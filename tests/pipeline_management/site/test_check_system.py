"""`manage.py check_system`: each step one line; the step that fails is the last and says what to do."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from django.core.management import CommandError, call_command

from pipeline_management.models import System, SystemAccount
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
    assert [line.split()[1] for line in lines[1:]] == [
        "shell",
        "workdir",
        "lock",
        "link",
        "scheduler",
        "listing",
    ]
    assert all(line.startswith("ok") for line in lines[1:])
    assert "0 jobs" in lines[-1]
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
    assert lines[-1].startswith("failed  scheduler")
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
    assert lines[-2].startswith("ok      connect") and "SSH-2.0" in lines[-2]
    assert lines[-1].startswith("failed  host key") and "SHA256:" in lines[-1]
    assert "fingerprint" in error


def test_a_refused_key(apply: Any, refusing_server: tuple[int, str]) -> None:
    remote(apply, *refusing_server)
    lines, error = check("far")
    assert lines[-2].startswith("ok      host key")
    assert lines[-1].startswith("failed  authenticate")
    assert "authorized_keys of u" in error


@pytest.mark.lab
def test_the_labs_cluster_passes(apply: Any, lab: Any) -> None:
    import yaml

    apply(yaml.safe_load(lab.layout.site_file.read_text()))
    lines, error = check("cluster", "--user", "alice")
    assert error == ""
    assert [line.split()[1] for line in lines[1:]] == [
        "resolve",
        "connect",
        "host",
        "authenticate",
        "shell",
        "workdir",
        "lock",
        "link",
        "scheduler",
        "listing",
    ]
    assert all(line.startswith("ok") for line in lines[1:])
