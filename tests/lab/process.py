"""One server process: started, health-checked, paused and stopped by its pid.

A recorded pid is believed only while /proc says that it is still the same program, started at the
same moment: a reused pid is never signalled.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from tests.lab.errors import LabError
from tests.lab.layout import SEARCH_PATH, Layout


def program(name: str) -> str:
    """The absolute path of a command, also in the sbin folders; LabError when not installed."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise LabError(f"{name} is not installed: run `python -m tests.lab packages` as root")
    return found


def wait_until(check: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask `check` until it says yes; LabError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise LabError(f"{what} within {seconds:.0f} s")
        time.sleep(0.05)


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state (field 3) on; None without such a process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the name before ")" may hold blanks


def start_time(pid: int) -> str | None:
    """Clock ticks since boot at which the process started; None for a gone or dead one."""
    fields = stat_fields(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return fields[19]


def descendants(pid: int) -> list[int]:
    """All living children of a process, children of children included."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat_fields(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    queue = [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def end_all(pids: Iterable[int], seconds: float = 3.0) -> None:
    """TERM, and KILL what is left after `seconds`; a pid that meanwhile changed hands is spared."""
    known = {pid: started for pid in pids if (started := start_time(pid)) is not None}
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
        for pid, started in known.items():
            if start_time(pid) == started:
                send(pid, number)
        deadline = time.monotonic() + patience
        while any(start_time(pid) == started for pid, started in known.items()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return


def send(pid: int, number: int) -> None:
    """Signal a process; one that has just gone is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


class Server(ABC):
    """A daemon of the lab; start() and stop() may be called in any state."""

    name: ClassVar[str]
    executables: ClassVar[frozenset[str]]  # what /proc/PID/exe may end in
    patience: ClassVar[float] = 30.0

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that keeps the daemon in the foreground."""

    @abstractmethod
    def healthy(self) -> bool:
        """Whether the daemon answers."""

    def prepare(self) -> None:  # noqa: B027 - a hook that a server may leave out
        """Write the configuration; called before every start."""

    def finish(self) -> None:  # noqa: B027 - a hook that a server may leave out
        """Set up what needs the running daemon; called after every start."""

    def user(self) -> str | None:
        """The account to start as; None for the caller's own."""
        return None

    @property
    def pid_file(self) -> Path:
        return self.layout.root / "run" / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return self.layout.root / "log" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The daemon's pid while it lives, else None."""
        try:
            number, started = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        if start_time(int(number)) != started:
            return None
        try:
            path = os.readlink(f"/proc/{number}/exe")
        except OSError:
            return None
        executable = Path(path.removesuffix(" (deleted)")).name
        return int(number) if executable in self.executables else None

    def start(self) -> None:
        """Start the daemon and wait until it answers; LabError with its last words otherwise."""
        if self.pid is None:
            self.prepare()
            self._spawn()
        try:
            wait_until(self._answers, self.patience, f"{self.name} did not answer")
        except LabError as error:
            raise LabError(f"{error}; the end of its log:\n{self.last_words()}") from None
        self.finish()

    def stop(self, patience: float = 15.0) -> None:
        """TERM, KILL after `patience` seconds; returns when it is gone, its children too."""
        if (pid := self.pid) is not None:
            children = descendants(pid)
            send(pid, signal.SIGCONT)
            end_all([pid], patience)
            end_all(children)
        self._forget()

    def kill(self) -> None:
        """SIGKILL at once, as a crash does."""
        if (pid := self.pid) is not None:
            send(pid, signal.SIGKILL)
            wait_until(lambda: self.pid is None, 10, f"{self.name} did not die")
        self._forget()

    def restart(self) -> None:
        """Stop, then start again with the same ports and state."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections are accepted by the kernel but nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def last_words(self, lines: int = 12) -> str:
        """The end of the daemon's log."""
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _signal(self, number: int) -> None:
        if (pid := self.pid) is None:
            raise LabError(f"{self.name} does not run")
        send(pid, number)

    def _answers(self) -> bool:
        if self._child is not None and self._child.poll() is not None:
            raise LabError(f"{self.name} ended at once")
        return self.healthy()

    def _spawn(self) -> None:
        user = self.user() if self.layout.as_root else None
        record = pwd.getpwnam(user) if user else None
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.layout.environment(),
                cwd="/",
                start_new_session=True,
                user=record.pw_uid if record else None,
                group=record.pw_gid if record else None,
                extra_groups=[] if record else None,
                umask=0o022,
            )
        started = start_time(self._child.pid)
        self.pid_file.write_text(f"{self._child.pid} {started}\n")

    def _forget(self) -> None:
        self.pid_file.unlink(missing_ok=True)
        if self._child is not None:
            self._child.poll()  # reaps it
            self._child = None
