"""Runs with inputs on plain processes of this machine, and a web server that has files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # at import time Django is not set up
    from django.conf import LazySettings

    from pipeline_management.models import SystemAccount


@pytest.fixture(autouse=True)
def no_renewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction belongs to its own thread; its steps are shorter than a lease."""
    monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)


@pytest.fixture
def account(db: None, tmp_path: Path, settings: LazySettings) -> SystemAccount:
    from tests.factories import make_account, make_system

    settings.CENTRO_SETTLE_SECONDS = 1
    settings.CENTRO_NFS_GRACE_SECONDS = 1
    spool = {"spool": str(tmp_path / "spool"), "slots": "2"}
    system = make_system(scheduler_options=spool, workdir=str(tmp_path / "runs"))
    return make_account(system)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a web server, and the folder whose files it has."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
