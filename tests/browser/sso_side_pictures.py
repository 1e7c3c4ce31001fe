"""The pictures of logging in at an issuer: where each is, and what is done before it is taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.demo import Demo

ISSUER = "https://login.example.org/realms/hpc"
_people: dict[str, Any] = {}


def prepare(demo: Demo) -> None:
    """An issuer at which nobody needs to log in for these pictures, and somebody whom it knows."""
    from django.conf import settings

    from accounts.sso.identities import Identity, connect
    from centro.config.sections import Oidc

    settings.CENTRO_OIDC = Oidc.model_validate(
        {
            "issuer": ISSUER,
            "jwks_url": f"{ISSUER}/certs",
            "client_id": "centro",
            "client_secret": "shown nowhere",
            "authorization_url": f"{ISSUER}/auth",
            "token_url": f"{ISSUER}/token",
            "label": "Campus ID",
        }
    )
    connect(demo.alice, Identity(ISSUER, "f3a-1", "alice.smith"))
    _people["boss"] = demo.administrator


def addresses(demo: Demo) -> dict[str, str]:
    """The name of each picture and the page on it."""
    return {"password": "/accounts/password/", "sso-connect": "/", "login-refused": "/"}


def _asked(page: Page) -> None:
    """The administrator, back from the issuer, is asked whether he is the one."""
    from django.test import Client

    client = Client()
    client.force_login(_people["boss"])
    session = client.session
    identity = {"issuer": ISSUER, "subject": "77c", "name": "b.oss"}
    session["sso_pending"] = identity | {"at": time.time()}
    session.save()
    before = [cookie for cookie in page.context.cookies() if cookie["name"] == "sessionid"]
    page.context.add_cookies([{**before[0], "value": client.cookies["sessionid"].value}])  # type: ignore[list-item]  # a SetCookieParam
    page.goto("/accounts/sso/connect/")
    page.context.add_cookies(before)  # type: ignore[arg-type]  # the same fields


def _refused(page: Page) -> None:
    """Somebody comes back whose log-in nobody has begun here."""
    before = [cookie for cookie in page.context.cookies() if cookie["name"] == "sessionid"]
    page.context.clear_cookies()
    page.goto("/accounts/sso/callback/?state=s&code=c")
    page.context.add_cookies(before)  # type: ignore[arg-type]  # the same fields


ACTS = {"sso-connect": _asked, "login-refused": _refused}
"""What is done on a page before its picture is taken."""
