"""A run with output on this machine, read by the real commands, and a count of what was asked of the system."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

if TYPE_CHECKING:
    from pipeline_management.models import Run


class Asked:
    """The programs that were started on a system, and the bytes that came back."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.bytes = 0
        self.before: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def note(self, command: Any) -> None:
        with self._lock:
            self.names.append(command.argv[0])

    def size(self, answer: Any) -> None:
        with self._lock:
            self.bytes += len(getattr(answer, "data", b""))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Everything that log services ask of a system is counted; ``before`` is called first."""
    from hpc.client import SystemClient

    noted, run = Asked(), SystemClient.run

    def counting(self: SystemClient, command: Any) -> Any:
        noted.note(command)
        noted.before()
        answer = run(self, command)
        noted.size(answer)
        return answer

    monkeypatch.setattr(SystemClient, "run", counting)
    return noted


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """No answer of another test."""
    from pipeline_management.services import log_sharing

    log_sharing.forget()
    cache.clear()
    yield
    log_sharing.forget()


@pytest.fixture
def run(db: None, tmp_path: Path) -> Run:
    """A running job whose files are in ``tmp_path``."""
    from pipeline_management.choices import RunState
    from tests.factories import make_run

    return make_run(state=RunState.RUNNING, job_id="17", directory=str(tmp_path))
