"""What the tests of the API start from. Django is imported late: this file is read before it is set up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.site import Site


@pytest.fixture
def site(db: None) -> Iterator[Site]:
    """Fresh rows, no failed log-ins, no remembered passwords."""
    from django.core.cache import cache

    from accounts import verified
    from tests.api.site import build

    cache.clear()
    verified.forget_all()
    yield build()
    verified.forget_all()
