"""What the tests of FirecREST start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk
    from tests.firecrest.portal import Portal
    from tests.lab.lab import Lab


@pytest.fixture(scope="package")
def portal(lab: Lab) -> Iterator[Portal]:
    """The portal's own processes with OAuth clients, for all these tests; see tests/firecrest/portal.py."""
    from tests.firecrest.portal import running

    with running(lab) as started:
        yield started


@pytest.fixture(scope="session", params=["Firecrest", "AsyncFirecrest"])
def client_kind(request: pytest.FixtureRequest) -> str:
    """Every test that takes `alice` or `bob` runs once with each of the two clients."""
    return str(request.param)


@pytest.fixture(scope="package")
def alice(portal: Portal, client_kind: str) -> Iterator[Any]:
    """The client of a person with an account on most systems."""
    yield from portal.judged("alice", client_kind)


@pytest.fixture(scope="package")
def bob(portal: Portal, client_kind: str) -> Iterator[Any]:
    """Somebody else's."""
    yield from portal.judged("bob", client_kind)


@pytest.fixture
def folder(portal: Portal) -> Iterator[Path]:
    """A fresh folder in the home of `alice`."""
    with portal.folder("alice") as path:
        yield path


@pytest.fixture(scope="session")
def s3_settings(lab: Lab) -> dict[str, Any]:
    """The staging settings for the lab's S3 server, which starts for the first test that asks."""
    from tests.lab.s3 import ACCESS_KEY, SECRET_KEY

    lab.s3.start()
    return {
        "kind": "s3", "endpoint": lab.s3.url, "bucket": "firecrest",
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "path": None,
    }  # fmt: skip


@pytest.fixture
def desk(lab: Lab, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The API in this process; see tests/firecrest/desk.py.

    Requests wait for their work however long it takes on a busy machine: work that goes on in a thread of
    its own would not see this test's transaction.
    """
    from pipeline_management.services import api_tasks
    from tests.firecrest.desk import build, clear

    monkeypatch.setattr(api_tasks, "DEADLINE", 60.0)
    made = build(lab)
    yield made
    clear(made)
