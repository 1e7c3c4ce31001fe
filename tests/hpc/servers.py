"""OpenSSH servers for one test: their own port, keys and settings, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpc.client import SystemSpec
from hpc.jobs import SystemLimits
from hpc.transports.base import Endpoint
from hpc.transports.credentials import Credential, KeyCredential
from tests.lab.process import descendants

SSHD = "/usr/sbin/sshd"


def account() -> str:
    """Who logs in: an unprivileged user of the lab where root runs the tests, else ourselves."""
    if os.geteuid() == 0 and os.environ.get("CENTRO_LAB_USERS"):
        return os.environ["CENTRO_LAB_USERS"].split()[0]
    return pwd.getpwuid(os.geteuid()).pw_name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_key(path: Path) -> Path:
    """An ed25519 key pair; the path of the private one."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)],
        check=True, stdin=subprocess.DEVNULL,
    )
    return path


@dataclass
class SshServer:
    """A running server and how to log in to it."""

    port: int
    host_key: str
    key: Path
    username: str
    pid: int = 0
    folder: Path = Path("/nonexistent")

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("ssh", "127.0.0.1", self.port, (self.host_key,))

    @property
    def credential(self) -> KeyCredential:
        return KeyCredential(self.username, self.key.read_text())

    def spec(self, scheduler: str = "slurm", **more: object) -> SystemSpec:
        credential: Credential = self.credential
        return SystemSpec(
            name="test", transport="ssh", scheduler=scheduler, username=self.username,
            credential=credential, host="127.0.0.1", port=self.port, host_keys=(self.host_key,),
            limits=SystemLimits(), **more,  # type: ignore[arg-type]  # fields of the data class
        )

    def sessions(self) -> list[int]:
        """The processes that serve connections."""
        return descendants(self.pid)

    def signal_sessions(self, number: signal.Signals) -> None:
        for pid in self.sessions():
            with suppress(ProcessLookupError):  # of a session that was just ending
                os.kill(pid, number)


@contextmanager
def sshd(**settings: str) -> Iterator[SshServer]:
    """A private server; ``settings`` are lines of sshd_config (underscores are not translated)."""
    if not Path(SSHD).exists():
        pytest.fail(
            f"{SSHD} is missing: run ./test.sh, which installs what the tests need", pytrace=False
        )
    folder = Path(tempfile.mkdtemp(prefix="centro-sshd-"))
    folder.chmod(0o755)  # the user who logs in reads the keys
    server = SshServer(
        port=free_port(), host_key="", key=new_key(folder / "id"), username=account(), folder=folder
    )
    host_key = new_key(folder / "host")
    server.host_key = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
    shutil.copyfile(folder / "id.pub", folder / "authorized")
    (folder / "authorized").chmod(0o644)
    lines = {
        "Port": str(server.port), "ListenAddress": "127.0.0.1", "HostKey": str(host_key),
        "AuthorizedKeysFile": str(folder / "authorized"), "StrictModes": "no", "UsePAM": "no",
        "PermitRootLogin": "yes", "PasswordAuthentication": "no", "PidFile": "none",
        "Subsystem": "sftp internal-sftp", **settings,
    }
    config = folder / "config"
    config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    server.pid = process.pid
    try:
        _wait_for(server)
        yield server
    finally:
        for pid in [*server.sessions(), process.pid]:
            for number in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    break
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(server: SshServer) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", server.port), 1) as peer:
                if peer.recv(4) == b"SSH-":
                    return
        except OSError:
            if time.monotonic() > until:
                pytest.fail(f"sshd did not start: {(server.folder / 'log').read_text()}")
        time.sleep(0.05)
