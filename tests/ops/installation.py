"""A fresh clone of the repository, set up and started the way an operator does it, without root."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.process import end_all, start_time
from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
UNPRIVILEGED = "test1"


class StartError(RuntimeError):
    """The installation did not do what was asked of it; the text holds its output."""


class Installation:
    """A clone under a short path, owned by an unprivileged user where the tests run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.user: pwd.struct_passwd | None = None
        if os.geteuid() == 0:
            self.user = _account(UNPRIVILEGED)

    @classmethod
    @contextlib.contextmanager
    def cloned(cls) -> Iterator[Installation]:
        """Clone what is committed; at the end nothing of it is left, no process either."""
        # not below TMPDIR, which may be closed to the other user
        installation = cls(Path(tempfile.mkdtemp(prefix="centro-clone-", dir="/tmp")))
        try:
            installation._clone()
            yield installation
        finally:
            end_all(installation.processes())
            shutil.rmtree(installation.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **extra: str) -> dict[str, str]:
        """What a person who has just logged in has, without this project's settings."""
        home = self.user.pw_dir if self.user else str(Path.home())
        path = "/usr/local/bin:/usr/bin:/bin" if self.user else os.environ["PATH"]
        kept = {
            name: os.environ[name]
            for name in (
                "HTTPS_PROXY",
                "https_proxy",
                "PIP_INDEX_URL",
                "PIP_CERT",
                "SSL_CERT_FILE",
                "NODE_EXTRA_CA_CERTS",
                "npm_config_registry",
            )
            if name in os.environ
        }
        return {**kept, "HOME": home, "PATH": path, "LANG": "C.UTF-8", **extra}

    def launch(self, *command: str, output: Path, **extra: str) -> subprocess.Popen[bytes]:
        """Start a command in the clone; its output goes to a file."""
        with output.open("wb") as sink:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(**extra),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity(),
            )

    def call(self, *command: str, seconds: float = 300, **extra: str) -> tuple[int, str]:
        """Run a command in the clone to its end; returns exit code and output."""
        answer = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
            **self._identity(),
        )
        return answer.returncode, answer.stdout

    def processes(self) -> list[int]:
        """Living processes that run from the clone or work in it."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or start_time(int(entry.name)) is None:
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(self.folder) in command or Path(place).is_relative_to(self.folder):
                found.append(int(entry.name))
        return found

    def _clone(self) -> None:
        subprocess.run(
            ["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(self.folder)],
            check=True,
            capture_output=True,
        )
        self.folder.chmod(0o755)
        if self.user is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def _identity(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}


class Started:
    """A running `./start.sh`."""

    def __init__(self, installation: Installation, *options: str) -> None:
        self.installation = installation
        handle, name = tempfile.mkstemp(prefix="centro-start-")
        os.close(handle)
        self.output_file = Path(name)
        self.began = time.monotonic()
        self.process = installation.launch(
            "./start.sh", "--port", str(installation.port), *options, output=self.output_file
        )

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *details: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
        end_all([self.process.pid])
        self.output_file.unlink(missing_ok=True)

    @property
    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    def wait_ready(self, seconds: float) -> float:
        """Until the closing lines are printed; returns how many seconds the start took."""
        deadline = self.began + seconds
        while "Ctrl-C" not in self.output:
            if self.process.poll() is not None:
                raise StartError(f"ended with {self.process.returncode}:\n{self._evidence()}")
            if time.monotonic() > deadline:
                raise StartError(f"not ready after {seconds:.0f} s:\n{self._evidence()}")
            time.sleep(0.1)
        return time.monotonic() - self.began

    def curl_line(self) -> str:
        """The line to paste."""
        found = re.search(r"^\s*(curl .*)$", self.output, re.MULTILINE)
        if found is None:
            raise StartError(f"no curl line:\n{self.output}")
        return found.group(1)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 90) -> int:
        """Signal start.sh and wait; returns its exit code. INT goes to all, as a terminal does."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def _evidence(self) -> str:
        logs = sorted((self.installation.folder / "var" / "log").glob("*.log"))
        ends = [f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs]
        return self.output + "\n".join(ends)


def run_state(installation: Installation, run_id: str, login: str) -> dict[str, Any]:
    """A run as the API shows it, asked with curl and the printed login."""
    code, text = installation.call(
        "bash", "-c", f"curl -sS {login} {installation.url}/api/v1/runs/{run_id}/"
    )
    if code != 0:
        raise StartError(text)
    shown: dict[str, Any] = json.loads(text)
    return shown


def readiness(url: str) -> int:
    """The status of /readyz; 0 when nothing answers."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return int(answer.status)
    except urllib.request.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def _account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
        return pwd.getpwnam(name)
