"""Database connections of ended threads are closed, those of living ones are left alone."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from django.db import ConnectionHandler
from django.db.backends.base.base import BaseDatabaseWrapper

from centro import connections

pytestmark = pytest.mark.django_db  # lifts the ban on connections; these use a database of their own


def opened(kept: list[BaseDatabaseWrapper], file: Path) -> None:
    """Open a connection of this thread, and keep it alive beyond the thread as a leak would."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": file}
    wrapper = ConnectionHandler({"default": database})["default"]
    wrapper.ensure_connection()
    kept.append(wrapper)


def test_connection_of_an_ended_thread_is_closed_by_the_next_one(tmp_path: Path) -> None:
    kept: list[BaseDatabaseWrapper] = []
    thread = threading.Thread(target=opened, args=(kept, tmp_path / "db"))
    thread.start()
    thread.join()
    deadline = time.monotonic() + 10
    while (connections.TASKS / str(thread.native_id)).exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # the kernel's thread ends a moment after Python's
    assert kept[0].connection is not None
    opened(kept, tmp_path / "db")
    assert kept[0].connection is None
    assert kept[1].connection is not None
    kept[1].close()


def test_connection_of_a_living_thread_is_kept(tmp_path: Path) -> None:
    kept: list[BaseDatabaseWrapper] = []
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        opened(kept, tmp_path / "db")
        done.set()
        go.wait(10)
        kept[0].close()

    thread = threading.Thread(target=work)
    thread.start()
    done.wait(10)
    connections.close_orphans()
    assert kept[0].connection is not None
    go.set()
    thread.join()


def test_without_proc_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TASKS", Path("/nonexistent"))
    assert connections.close_orphans() == 0
