"""A portal on the second lab: these tests stop servers that the other tests need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.portal import impatient_portal, with_live_worker
from tests.lab.lab import Lab
from tests.stack import LiveStack


@pytest.fixture(scope="package")
def faulty(faulty_lab: Lab) -> Iterator[LiveStack]:
    """A portal on that lab; not for the whole session: one that idles takes a twentieth of a processor."""
    yield from impatient_portal(faulty_lab)


@pytest.fixture
def stack(faulty: LiveStack, faulty_lab: Lab) -> Iterator[LiveStack]:
    """The same, mended after each test."""
    yield from with_live_worker(faulty)
    faulty_lab.mend()
