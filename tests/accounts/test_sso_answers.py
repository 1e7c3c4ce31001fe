"""Logging in at an OpenID Connect issuer: which of its answers are believed."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import OuterIdentity
from accounts.oauth import outer
from tests.accounts.issuer import Issuer
from tests.accounts.log_ins import (
    CLIENT_ID,
    begin,
    come_back,
    configured,
    give,
    id_token,
    log_in,
    refusal,
    who,
)

pytestmark = pytest.mark.django_db


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nonce": "other"}, "belongs to another log-in"),
        ({"nonce": None}, "lacks a claim"),
        ({"nonce": 7}, "belongs to another log-in"),
        ({"nonce": "\ud800"}, "belongs to another log-in"),
        ({"aud": "another-program"}, "audience"),
        ({"aud": ["another-program"]}, "audience"),
        ({"aud": [CLIENT_ID, "other"], "azp": None}, "another program (azp)"),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "another program (azp)"),
        ({"azp": "other"}, "another program (azp)"),
        ({"iss": "https://login.example.org/realms/other"}, "another issuer"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "lacks a claim"),
        ({"iat": None}, "lacks a claim"),
        ({"sub": None}, "lacks a claim"),
        ({"key_id": "first", "algorithm": "HS256", "signer": "hush" * 16}, "algorithm"),
        ({"header": {"kid": "unknown"}}, "not signed by a key of its issuer"),
    ],
)
def test_id_tokens_that_are_not_believed(
    issuer: Issuer, alice: User, changes: dict[str, Any], words: str
) -> None:
    client = Client()
    answer = log_in(client, issuer, **changes)
    refusal(answer, 400, "cannot be trusted")
    assert words in answer.content.decode()
    assert who(client) is None and not OuterIdentity.objects.exists()


@pytest.mark.parametrize("subject", ["", "s" * 256, 7, ["f3a-1"], "\ud800", "f3a\x00", "å"])
def test_subjects_that_are_none(issuer: Issuer, alice: User, subject: Any) -> None:
    answer = log_in(Client(), issuer, sub=subject)
    assert answer.status_code == 400 and not OuterIdentity.objects.exists()


def test_another_key_or_no_signature(issuer: Issuer, alice: User) -> None:
    client = Client()
    query = begin(client)
    claims = jwt.decode(id_token(issuer, query), options={"verify_signature": False})
    give(issuer, jwt.encode(claims, None, "none", headers={"kid": "first"}))
    refusal(come_back(client, query), 400, "cannot be trusted")
    query = begin(client)
    good = id_token(issuer, query)
    issuer.rotate("first")  # what is published now is not what has signed
    outer.forget()
    give(issuer, good)
    refusal(come_back(client, query), 400, "signature")


@pytest.mark.parametrize(
    ("exchange", "status", "words"),
    [
        ((400, b'{"error": "invalid_grant"}'), 400, "did not accept this log-in"),
        ((401, b'{"error": "invalid_client"}'), 400, "did not accept this log-in"),
        ((302, b"https://evil.example.org/"), 503, "does not answer"),
        ((500, b"oops"), 503, "does not answer"),
        ((503, b"{}"), 503, "does not answer"),
        ((200, b"<html>"), 503, "does not answer"),
        ((200, b"[]"), 400, "no ID token"),
        ((200, b'{"access_token": "a"}'), 400, "no ID token"),
        ((200, b'{"id_token": 7}'), 400, "no ID token"),
        ((200, b'{"id_token": "' + b"x" * 70_000 + b'"}'), 400, "too long"),
    ],
)
def test_what_the_issuer_may_answer(
    issuer: Issuer, alice: User, exchange: tuple[int, bytes], status: int, words: str
) -> None:
    client = Client()
    query = begin(client)
    issuer.exchange = exchange
    refusal(come_back(client, query), status, words)
    assert who(client) is None


def test_an_issuer_that_is_away(issuer: Issuer, alice: User, settings: Any) -> None:
    client = Client()
    query = begin(client)
    settings.CENTRO_OIDC = configured(issuer, token_url="http://127.0.0.1:1/token")
    refusal(come_back(client, query), 503, "does not answer")
    settings.CENTRO_OIDC = configured(issuer, jwks_url="http://127.0.0.1:1/certs")
    query = begin(client)
    give(issuer, id_token(issuer, query))
    refusal(come_back(client, query), 503, "does not answer")
