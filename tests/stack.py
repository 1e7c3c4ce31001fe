"""The portal's real processes (web server, worker, beat) on the lab's MariaDB, Valkey and Slurm."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import prepared
from tests.lab.lab import Lab
from tests.lab.layout import free_ports
from tests.lab.sitefile import PASSWORDS
from tests.lab.valkey import DATABASES

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {"web": "start_server.sh", "worker": "start_worker.sh", "beat": "start_beat.sh"}
_COUNT = itertools.count()
FINAL = ("succeeded", "failed", "cancelled")


class StackError(RuntimeError):
    """The portal did not do what was asked of it; the text holds what it said."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, headers (names in lower case), body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


def free_port() -> int:
    """A loopback port that nothing listens on, and that no outgoing connection will take."""
    return free_ports()["sshd"]


class LiveStack:
    """One running portal with its own state folder, database and port.

    People and pipelines are those of the lab's site file; passwords are in
    tests.lab.sitefile.PASSWORDS; olga administers the site, admin is Django's superuser.
    """

    def __init__(self, lab: Lab, extra_env: Mapping[str, str] | None = None) -> None:
        self.lab = lab
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.var = Path(tempfile.mkdtemp(prefix="centro-stack-"))
        self.database = f"centro_live_{os.getpid()}_{self.port}"
        # below 16 are those of the tests' own processes (tests/conftest.py)
        self.redis_number = 16 + (os.getpid() + next(_COUNT)) % (DATABASES - 16)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        secret_file = self.var / "secrets.json"
        secret_file.touch(mode=0o600)
        secret_file.write_text(
            json.dumps(
                {
                    "secret_key": secrets.token_urlsafe(50),
                    "encryption_keys": [base64.urlsafe_b64encode(os.urandom(32)).decode()],
                }
            )
        )
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("CENTRO_", "DJANGO_", "PYTEST_"))
        }
        self.env: dict[str, str] = {
            **inherited,
            "CENTRO_SECRETS": str(secret_file),
            "CENTRO_VAR": str(self.var),
            "CENTRO_DATABASE_URL": f"{lab.mariadb.url.rpartition('/')[0]}/{self.database}",
            "CENTRO_REDIS_URL": lab.valkey.database_url(self.redis_number),
            "CENTRO_VENV": sys.prefix,
            "CENTRO_SITE": str(lab.layout.site_file),
            "CENTRO_ADMIN_PASSWORD": PASSWORDS["admin"],
            "CENTRO_HOST": "127.0.0.1",
            "CENTRO_PORT": str(self.port),
            **(extra_env or {}),
        }

    @classmethod
    @contextlib.contextmanager
    def started(cls, lab: Lab, extra_env: Mapping[str, str] | None = None) -> Iterator[LiveStack]:
        """A portal that is ready; stopped, its database dropped and its folder removed at the end."""
        stack = cls(lab, extra_env)
        try:
            stack.set_up()
            for name in SCRIPTS:
                stack.start(name)
            stack.wait_ready()
            yield stack
        finally:
            stack.close()

    def set_up(self) -> None:
        """Database, static files, administrator and the lab's site, as start.sh does it."""
        prepared.create(self.lab, self.database, self.env)
        prepared.copy_static(self.lab, self.var)
        self.lab.valkey.ask("FLUSHDB", self.redis_number)
        self.manage("prepare")
        prepared.keep_static(self.lab, self.var)
        # as start.sh does: read the configuration once, and let every process end with its parent
        said = subprocess.run(
            [sys.executable, "-m", "centro.config", "shell"],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        words = (line.partition("=") for line in said.stdout.splitlines())
        self.env |= {name: "".join(shlex.split(value)) for name, _, value in words}
        self.env["centro_supervised"] = "yes"

    def manage(self, *arguments: str, text: str | None = None) -> str:
        """Run a management command; returns stdout, StackError on a non-zero exit."""
        answer = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            input=text or "",
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if answer.returncode != 0:
            raise StackError(
                f"manage.py {' '.join(arguments)} exit {answer.returncode}:\n"
                f"{answer.stdout}{answer.stderr}"
            )
        return answer.stdout

    def sql(self, statement: str) -> list[list[str]]:
        """Rows of a query in the portal's own database, each field as text."""
        rows = self.lab.mariadb.sql(f"USE {self.database}; {statement};")
        return [line.split("\t") for line in rows.splitlines()]

    # processes

    def start(self, name: str, extra_env: Mapping[str, str] | None = None) -> None:
        """Start `web`, `worker` or `beat`; extra variables are for this start only."""
        # pdeathsig: when the tests are killed outright, the portal ends with them
        command = ["setpriv", "--pdeathsig", "TERM", "--", "bash", str(ROOT / SCRIPTS[name])]
        with self.log_file(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.env, **(extra_env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str, patience: float = 30.0) -> None:
        """TERM, and KILL for the whole process group after `patience` seconds."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        self._signal(process, signal.SIGTERM, group=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        self._signal(process, signal.SIGKILL)
        process.wait(10)

    def kill(self, name: str) -> None:
        """SIGKILL for the process and its children, as the kernel's out-of-memory killer does."""
        process = self.processes.pop(name)
        self._signal(process, signal.SIGKILL)
        process.wait(10)

    def kill_worker(self) -> None:
        """`kill -9` for the worker."""
        self.kill("worker")

    def restart_worker(self, extra_env: Mapping[str, str] | None = None) -> None:
        """A fresh worker, in place of the running or the killed one."""
        self.stop("worker")
        self.start("worker", extra_env)

    def close(self) -> None:
        """Stop everything and remove what the stack made."""
        for name in list(self.processes):
            self.stop(name)
        with contextlib.suppress(Exception):  # the database may be down, or never made
            self.lab.mariadb.sql(f"DROP DATABASE IF EXISTS {self.database}")
        shutil.rmtree(self.var, ignore_errors=True)

    def log_file(self, name: str) -> Path:
        """Where the output of a process goes."""
        return self.var / f"{name}.log"

    def wait_ready(self, seconds: float = 90.0) -> None:
        """Until /readyz says 200; StackError with the parts and the logs' ends otherwise."""
        deadline = time.monotonic() + seconds
        said = "no answer"
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self.processes.values()):
                break
            with contextlib.suppress(OSError):
                answer = self.request("GET", "/readyz")
                if answer.status == 200:
                    return
                said = answer.body.decode(errors="replace")
            time.sleep(0.2)
        logs = "\n".join(
            f"--- {name}\n{self.log_file(name).read_text(errors='replace')[-2000:]}"
            for name in SCRIPTS
            if self.log_file(name).exists()
        )
        raise StackError(f"the portal is not ready: {said}\n{logs}")

    # HTTP

    def request(
        self,
        method: str,
        path: str,
        user: str | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """One request; `data` is sent as JSON unless it is bytes. No status is an error."""
        sent = dict(headers or {})
        if user is not None:
            pair = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
            sent.setdefault("Authorization", f"Basic {pair}")
        body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(
            self.base_url + path, data=body, headers=sent, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, _lower(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers.items()), error.read())

    def submit(
        self,
        configuration: dict[str, Any],
        user: str = "alice",
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Post a run; returns its id, StackError unless it was created."""
        answer = self.request("POST", "/api/v1/new-run/", user, configuration, headers)
        if answer.status not in (200, 201):
            raise StackError(f"new-run: {answer.status} {answer.body.decode(errors='replace')}")
        return str(answer.json()["id"])

    def run(self, run_id: str, user: str = "alice") -> dict[str, Any]:
        """A run as the API shows it."""
        answer = self.request("GET", f"/api/v1/runs/{run_id}/", user)
        if answer.status != 200:
            raise StackError(f"runs/{run_id}: {answer.status} {answer.body.decode()}")
        shown: dict[str, Any] = answer.json()
        return shown

    def wait_state(
        self, run_id: str, *states: str, seconds: float = 60.0, user: str = "alice"
    ) -> dict[str, Any]:
        """Wait until the run is in one of `states` (default: any final one); returns it.

        StackError when the time is over, and at once when it ended in another final state.
        """
        wanted = states or FINAL
        deadline = time.monotonic() + seconds
        while True:
            shown = self.run(run_id, user)
            if shown["state"] in wanted:
                return shown
            if shown["state"] in FINAL or time.monotonic() > deadline:
                events = self.request("GET", f"/api/v1/runs/{run_id}/events/", user).body.decode()
                worker = self.log_file("worker").read_text(errors="replace")[-2000:]
                raise StackError(f"wanted {wanted}, found {shown}\n{events}\n{worker}")
            time.sleep(0.2)

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int, group: bool = True) -> None:
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, number)
            elif process.poll() is None:
                process.send_signal(number)


def _lower(pairs: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in pairs}
