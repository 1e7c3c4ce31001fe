"""Worker, sshd and database go away in the middle of transfers: each comes to its end, whole, with no stray file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.stack import LiveStack, StackError

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults")]

SIZE = 96 * 1024 * 1024
_ASK = """
import json
from django.contrib.auth.models import User
from pipeline_management.models import SystemAccount
from pipeline_management.services.transfers import requests
user = User.objects.get(username="alice")
account = SystemAccount.objects.get(user=user, system__name="cluster")
up = requests.request_upload(user, account, {folder!r}, "up.bin", with_task=True)
down = requests.request_download(user, account, {folder!r} + "/down.bin", with_task=True)
print(json.dumps([up.id.hex, up.form, down.id.hex]))
"""


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def folder(content: bytes, faulty_lab: Lab) -> Iterator[Path]:
    """A directory of alice's on the system, with a file to fetch."""
    found = Path(tempfile.mkdtemp(prefix="centro-xfer-", dir="/tmp"))
    (found / "down.bin").write_bytes(content)
    (found / "down.bin").chmod(0o644)
    if os.geteuid() == 0:
        shutil.chown(found, faulty_lab.layout.settings.users[0])
    yield found
    shutil.rmtree(found, ignore_errors=True)


def send(form: dict[str, object], content: bytes) -> None:
    """As the printed curl line does."""
    fields = form["fields"]
    assert isinstance(fields, dict)
    words = [word for name, value in fields.items() for word in ("-F", f"{name}={value}")]
    with tempfile.NamedTemporaryFile(prefix="centro-send-") as file:
        file.write(content)
        file.flush()
        command = [
            "curl",
            "-sSf",
            "-X",
            "POST",
            str(form["url"]),
            *words,
            "-F",
            f"file=@{file.name}",
        ]
        subprocess.run(command, check=True, timeout=120)


def rows(stack: LiveStack) -> dict[str, tuple[str, str]]:
    """State and error of each transfer."""
    columns = "REPLACE(id, '-', ''), state, error"
    found = stack.sql(f"SELECT {columns} FROM pipeline_management_transfer")
    return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in found}


def wait(stack: LiveStack, wanted: Callable[[dict[str, tuple[str, str]]], bool]) -> None:
    """Until the transfers are so; whoever is away meanwhile is waited for."""
    deadline = time.monotonic() + 90
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = rows(stack)
            if wanted(last):
                return
        except Exception as error:  # the database may be down
            last = error
        time.sleep(0.05)
    worker = stack.log_file("worker").read_text(errors="replace")[-3000:]
    raise StackError(f"found {last}\n{worker}")


def _kill_the_worker(stack: LiveStack) -> None:
    stack.kill_worker()
    stack.start("worker")


def _restart_sshd(stack: LiveStack) -> None:
    stack.lab.sshd.restart()


def _restart_the_database(stack: LiveStack) -> None:
    stack.lab.mariadb.restart()


@pytest.mark.parametrize("fault", [_kill_the_worker, _restart_sshd, _restart_the_database])
def test_both_directions_survive(
    stack: LiveStack, folder: Path, content: bytes, fault: Callable[[LiveStack], None]
) -> None:
    said = stack.manage("shell", "--verbosity", "0", "-c", _ASK.format(folder=str(folder)))
    up, form, down = json.loads(said.splitlines()[-1])
    send(form, content)
    wait(stack, lambda found: "moving" in (found[up][0], found[down][0]))
    fault(stack)
    wait(stack, lambda found: found[up][0] == "done" and found[down][0] == "ready")
    assert (folder / "up.bin").read_bytes() == content
    assert sorted(os.listdir(folder)) == ["down.bin", "up.bin"]
    ((link, digest),) = stack.sql(
        "SELECT link, sha256 FROM pipeline_management_transfer "
        f"WHERE REPLACE(id, '-', '') = '{down}'"
    )
    assert digest == hashlib.sha256(content).hexdigest()
    got = subprocess.run(["curl", "-sSf", link], capture_output=True, check=True, timeout=120)
    assert hashlib.sha256(got.stdout).hexdigest() == digest
