"""The engine on the session's lab, and its steps called one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.portal import impatient_portal, with_live_worker
from tests.lab.lab import Lab
from tests.stack import LiveStack


@pytest.fixture(autouse=True)
def no_renewer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction belongs to its own thread; its steps are shorter than a lease."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)


@pytest.fixture(scope="package")
def impatient(lab: Lab) -> Iterator[LiveStack]:
    """One for all these tests, stopped after them: one that idles takes a twentieth of a processor."""
    yield from impatient_portal(lab)


@pytest.fixture
def stack(impatient: LiveStack) -> Iterator[LiveStack]:
    """The same, mended after each test."""
    yield from with_live_worker(impatient)
