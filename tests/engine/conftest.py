"""A portal of its own for the tests that kill and stop things: short leases, short doubts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab
from tests.stack import LiveStack

IMPATIENT = {
    "CENTRO_LEASE_SECONDS": "3",
    "CENTRO_SETTLE_SECONDS": "4",
    "CENTRO_NFS_GRACE_SECONDS": "2",
    "CENTRO_PHANTOM_SECONDS": "20",
}


@pytest.fixture(autouse=True)
def no_renewer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction belongs to its own thread; its steps are shorter than a lease."""
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)


@pytest.fixture(scope="session")
def impatient(lab: Lab) -> Iterator[LiveStack]:
    """A portal that waits seconds where a real one waits minutes."""
    with LiveStack.started(lab, IMPATIENT) as stack:
        yield stack


@pytest.fixture
def stack(impatient: LiveStack) -> Iterator[LiveStack]:
    """The same, with its worker unharmed again after each test."""
    yield impatient
    if "worker" not in impatient.processes or impatient.processes["worker"].poll() is not None:
        impatient.processes.pop("worker", None)
        impatient.start("worker")
