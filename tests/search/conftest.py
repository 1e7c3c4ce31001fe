"""The site of the tests of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pages.site import Site


@pytest.fixture
def site(db: None) -> Site:
    """One lab with a person per role, an outsider, an administrator, and something to run."""
    from tests.pages.site import make_site

    return make_site()
