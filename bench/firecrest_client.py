"""What bench/firecrest.py sets side by side: FirecREST over a kept HTTP connection, and plain `ssh`."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.firecrest.portal import CLUSTER, MOUNT, Portal
from tests.lab.lab import Lab

BOUNDARY = "centro-bench-7f3a9c"
PATIENCE = 60  # seconds
SESSIONS = 8  # on one connection: stock sshd allows ten


class Refused(RuntimeError):
    """The portal did not answer as expected."""


class FirecrestConnection:
    """One kept connection of one client; every method is one request, `Refused` unless it went well."""

    def __init__(self, portal: Portal, token: str) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", portal.stack.port, timeout=120)
        self._http.connect()
        self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.put_off = 0
        """How often it was told to try again: a cluster that answers slowly is not asked more and more."""
        self._headers = {"Authorization": f"Bearer {token}", "X-Machine-Name": CLUSTER}

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        kind: str = "",
        expected: int = 200,
    ) -> bytes:
        """The body of the answer. Told to try again, it does, and the time counts."""
        address = f"{MOUNT}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        until = time.monotonic() + PATIENCE
        while True:
            self._http.request(method, address, body=body, headers=headers)
            answer = self._http.getresponse()
            said = answer.read()
            if answer.status != 503 or b"try again" not in said or time.monotonic() > until:
                break
            self.put_off += 1
            time.sleep(0.2)
        if answer.status != expected:
            raise Refused(f"{method} {path}: {answer.status} {said[:300]!r}")
        return said

    def get(self, operation: str, path: str, **more: str) -> bytes:
        """GET /utilities/<operation>."""
        name = "sourcePath" if operation == "download" else "targetPath"
        return self.call("GET", f"/utilities/{operation}", {name: path, **more})

    def upload(self, folder: str, name: str, content: bytes) -> None:
        """POST /utilities/upload."""
        fields = {"targetPath": folder}
        self.call("POST", "/utilities/upload", None, form(fields, name, content), MULTIPART, 201)

    def task(self, task_id: str) -> Any:
        """The data of a task as soon as it has ended well."""
        while True:
            task = json.loads(self.call("GET", "/tasks", {"tasks": task_id}))["tasks"][task_id]
            if task["status"] == "200":
                return task["data"]
            if task["status"] >= "400":
                raise Refused(f"task {task_id}: {task}")
            time.sleep(0.01)

    def submit(self, script: bytes) -> int:
        """POST /compute/jobs/upload, and the task until it has the job id; that id."""
        said = self.call(
            "POST", "/compute/jobs/upload", None, form({}, "job.sh", script), MULTIPART, 201
        )
        return int(self.task(json.loads(said)["task_id"])["jobid"])

    def asked(self, path: str, **query: str) -> Any:
        """A question to the scheduler and its answer by the task."""
        return self.task(json.loads(self.call("GET", path, query))["task_id"])

    def cancel(self, job: int) -> None:
        """DELETE /compute/jobs/<job>."""
        self.task(json.loads(self.call("DELETE", f"/compute/jobs/{job}"))["task_id"])

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def form(fields: Mapping[str, str], name: str, content: bytes) -> bytes:
    """A multipart body with the part `file`."""
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    )
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


class Multiplexed:
    """`ssh` and `scp` of OpenSSH over masters that are logged in already (ControlMaster, ControlPath)."""

    def __init__(self, lab: Lab, user: str, clients: int) -> None:
        self._lab, self._user = lab, user
        self._folder = tempfile.TemporaryDirectory(prefix="centro-mux-")
        self._masters = [
            Path(self._folder.name) / str(number) for number in range(-(-clients // SESSIONS))
        ]

    def __enter__(self) -> Self:
        for socket_path in self._masters:
            command = [*self._options(socket_path, "ControlMaster=yes"), "-f", "-N", self._target]
            subprocess.run(["ssh", *command], check=True, timeout=30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for socket_path in self._masters:
            command = [*self._options(socket_path), "-O", "exit", self._target]
            subprocess.run(["ssh", *command], check=False, capture_output=True, timeout=30)
        self._folder.cleanup()

    @property
    def _target(self) -> str:
        return f"{self._user}@127.0.0.1"

    def _options(self, socket_path: Path, *more: str, port: str = "-p") -> list[str]:
        known = [word for word in self._lab.sshd.client(self._user) if word.startswith("UserKnown")]
        words = ["BatchMode=yes", *known, f"ControlPath={socket_path}", *more]
        given = [part for word in words for part in ("-o", word)]
        key = ["-i", str(self._lab.layout.ssh_key)]
        return ["-F", "none", port, str(self._lab.layout.ports["sshd"]), *key, *given]

    def run(self, command: str, number: int = 0, stdin: bytes = b"") -> bytes:
        """stdout of a command by client ``number``; RuntimeError unless it ends with 0."""
        master = self._masters[number % len(self._masters)]
        return _run(["ssh", *self._options(master), self._target, command], stdin)

    def put(self, local: Path, remote: str) -> None:
        """`scp` to the system."""
        options = self._options(self._masters[0], port="-P")
        _run(["scp", "-q", *options, str(local), f"{self._target}:{remote}"])

    def fetch(self, remote: str, local: Path) -> None:
        """`scp` from the system."""
        options = self._options(self._masters[0], port="-P")
        _run(["scp", "-q", *options, f"{self._target}:{remote}", str(local)])


def _run(argv: list[str], stdin: bytes = b"") -> bytes:
    answer = subprocess.run(argv, input=stdin, capture_output=True, timeout=120, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"{argv[-1][:80]}: exit {answer.returncode}: {answer.stderr!r}")
    return answer.stdout


def times_of(work: Callable[[int], object], count: int, number: int = 0) -> list[float]:
    """Milliseconds of each of ``count`` calls."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - begun) * 1000)
    return times
