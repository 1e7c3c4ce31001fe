"""The lab's care with process ids, on small real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.errors import LabError
from tests.lab.layout import LabSettings, Layout
from tests.lab.process import Server, descendants, end_all, start_time, stat_fields, wait_until

PYTHON = Path(sys.executable).resolve().name


class Sleeper(Server):
    """A daemon that does nothing."""

    name = "sleeper"
    executables = frozenset({PYTHON})
    script = "import time; time.sleep(600)"
    patience = 5.0

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.script]

    def healthy(self) -> bool:
        return self.pid is not None


class Stubborn(Sleeper):
    """A daemon that does not end on TERM."""

    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"

    def healthy(self) -> bool:
        return self.last_words() == "1"


class Broken(Sleeper):
    """A daemon that ends at once."""

    script = "raise SystemExit('no such thing')"

    def healthy(self) -> bool:
        return False


@pytest.fixture
def layout() -> Iterator[Layout]:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is too long for a socket
        yield Layout.create(Path(folder), LabSettings())


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_start_and_stop(layout: Layout) -> None:
    server = Sleeper(layout)
    server.start()
    pid = server.pid
    assert pid is not None
    server.start()
    assert server.pid == pid
    assert Sleeper(Layout.load(layout.root)).pid == pid  # another process finds it by its file
    server.stop()
    assert server.pid is None
    assert start_time(pid) is None
    server.stop()


def test_stop_insists(layout: Layout) -> None:
    server = Stubborn(layout)
    server.start()
    pid = server.pid
    assert pid is not None
    server.stop(patience=0.3)
    assert start_time(pid) is None


def test_a_daemon_that_ends_at_once_is_reported_with_its_words(layout: Layout) -> None:
    with pytest.raises(LabError, match="sleeper ended at once(.|\n)*no such thing"):
        Broken(layout).start()


def test_pause_and_resume(layout: Layout) -> None:
    server = Sleeper(layout)
    server.start()
    pid = server.pid
    assert pid is not None
    try:
        server.pause()
        wait_until(lambda: (stat_fields(pid) or ["?"])[0] == "T", 5, "not stopped")
        server.resume()
        wait_until(lambda: (stat_fields(pid) or ["?"])[0] == "S", 5, "not resumed")
    finally:
        server.stop()
    with pytest.raises(LabError, match="does not run"):
        server.pause()


def test_a_pid_of_another_program_is_spared(
    layout: Layout, bystander: subprocess.Popen[bytes]
) -> None:
    server = Sleeper(layout)
    server.executables = frozenset({"mariadbd"})  # type: ignore[misc]  # one object of its own
    server.pid_file.write_text(f"{bystander.pid} {start_time(bystander.pid)}\n")
    server.stop()
    assert bystander.poll() is None


def test_a_reused_pid_is_spared(layout: Layout, bystander: subprocess.Popen[bytes]) -> None:
    server = Sleeper(layout)
    server.pid_file.write_text(f"{bystander.pid} 1\n")
    assert server.pid is None
    server.stop()
    assert bystander.poll() is None


def test_descendants_end_with_their_parent() -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert child in descendants(parent.pid)
        end_all([parent.pid, child])
        assert parent.wait(5) == -signal.SIGTERM
    assert start_time(child) is None


def test_a_new_lab_gets_ports_of_its_own(layout: Layout) -> None:
    ports = list(layout.ports.values())
    assert len(set(ports)) == len(ports)
    assert all(port < 32768 for port in ports)  # outgoing connections take those above
    assert Layout.load(layout.root) == layout


def test_no_lab_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no lab in"):
        Layout.load(tmp_path)
