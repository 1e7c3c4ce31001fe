"""Fixtures of the intake tests. Models are imported late: this file is read before Django is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pipeline_management.intake.small_site import Site


@pytest.fixture
def site(db: None) -> Site:
    """Two labs, four people, one pipeline in three versions, two systems."""
    from tests.pipeline_management.intake.small_site import make_site

    return make_site()
