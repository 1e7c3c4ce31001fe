"""An issuer at which people log in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.accounts.issuer import Issuer


@pytest.fixture(scope="module")
def login_server() -> Iterator[Issuer]:
    from tests.accounts.issuer import Issuer

    server = Issuer()
    yield server
    server.close()


@pytest.fixture
def issuer(login_server: Issuer, settings: Any) -> Iterator[Issuer]:
    """Configured for logging in, with one key, and never asked before."""
    from accounts.oauth import outer
    from tests.accounts.log_ins import configured

    login_server.keys = {"first": login_server.first}
    login_server.exchange, login_server.posted = (400, b"{}"), []
    settings.CENTRO_OIDC = configured(login_server)
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "accounts.sso.backend.IssuerBackend",
    ]
    outer.forget()
    yield login_server
    outer.forget()


@pytest.fixture
def alice() -> User:
    from tests.accounts.log_ins import PASSWORD
    from tests.factories import make_user

    return make_user("alice", password=PASSWORD)
