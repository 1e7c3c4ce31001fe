"""Logging in at an issuer, step by step, as a browser does it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from centro.config.sections import Oidc
from tests.accounts.issuer import ISSUER, Issuer

CLIENT_ID = "centro"
CALLBACK = "/accounts/sso/callback/"
PASSWORD = "correct horse 7"


def configured(server: Issuer, **changes: Any) -> Oidc:
    return Oidc.model_validate(
        {
            "issuer": ISSUER,
            "jwks_url": server.url,
            "client_id": CLIENT_ID,
            "client_secret": "hush",
            "authorization_url": "https://login.example.org/auth",
            "token_url": f"{server.base}/token",
            "label": "Campus ID",
        }
        | changes
    )


def begin(client: Client, next_page: str = "") -> dict[str, str]:
    """The query with which the browser was sent to the issuer."""
    answer = client.get("/accounts/sso/", {"next": next_page})
    assert answer.status_code == 302
    return {
        name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()
    }


def id_token(issuer: Issuer, query: dict[str, str], **changes: Any) -> str:
    claims = {"aud": CLIENT_ID, "sub": "f3a-1", "azp": CLIENT_ID, "nonce": query["nonce"]}
    return issuer.token(**(claims | changes))


def give(issuer: Issuer, token: str | None) -> None:
    issuer.exchange = (200, json.dumps({"access_token": "a", "id_token": token}).encode())


def come_back(client: Client, query: dict[str, str], **more: str) -> Any:
    return client.get(CALLBACK, {"state": query["state"], "code": "c-1"} | more)


def log_in(client: Client, issuer: Issuer, next_page: str = "", **changes: Any) -> Any:
    query = begin(client, next_page)
    give(issuer, id_token(issuer, query, **changes))
    return come_back(client, query)


def who(client: Client) -> int | None:
    found = client.session.get("_auth_user_id")
    return int(found) if found else None


def refusal(answer: Any, status: int, words: str) -> None:
    assert answer.status_code == status
    text = answer.content.decode()
    assert words in text and "Traceback" not in text
    assert 'name="password"' in text, "the other way in stays"
