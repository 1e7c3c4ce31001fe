"""The hostile world, made once for a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.hostile.world import World
    from tests.pages.site import Site


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """See tests/hostile/world.py. What tests change stays until the module's end."""
    from django.db import transaction

    from tests.hostile.world import make_world
    from tests.pages.site import make_site

    with django_db_blocker.unblock(), transaction.atomic():
        yield make_world(make_site())
        transaction.set_rollback(True)


@pytest.fixture
def site(db: None) -> Site:
    """As for the tests of the pages."""
    from tests.pages.site import make_site

    return make_site()
