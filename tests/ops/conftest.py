"""One fresh clone for all tests of the start scripts; test_start.py comes first and finds it bare."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ops.installation import Installation


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """A clone of what is committed, not set up yet."""
    with Installation.cloned() as clone:
        yield clone
