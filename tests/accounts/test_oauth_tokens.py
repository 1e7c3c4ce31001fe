"""Centro's own access tokens: what makes them valid and what ends them."""

from __future__ import annotations

import base64
import time
from typing import Any

import jwt
import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import override_settings

from accounts.models import OAuthClient
from accounts.oauth import clients, tokens
from accounts.oauth.errors import ExpiredToken, TokenError, UnreadableToken
from accounts.oauth.keys import signing_key
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def app(alice: User) -> tuple[OAuthClient, str]:
    """A client of Alice's and its secret."""
    return clients.create_client(alice, "workflow")


def test_a_token_is_used_with_one_query(
    app: tuple[OAuthClient, str], alice: User, django_assert_num_queries: Any
) -> None:
    text = tokens.issue(app[0], username="alice", scopes=["firecrest"], seconds=60)
    with django_assert_num_queries(1):
        user, info = tokens.verify(text)
    assert user == alice and info.client == app[0].client_id and info.scopes == {"firecrest"}


def changed(row: OAuthClient | User, **values: Any) -> None:
    """Save a row with these values, as every form and command does."""
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def test_what_ends_a_token(app: tuple[OAuthClient, str], alice: User) -> None:
    client, _ = app
    text = tokens.issue(client, username="alice", scopes=["firecrest"], seconds=60)
    assert tokens.verify(text)[0] == alice

    stored = client.client_secret
    changed(client, client_secret=make_password("new"))
    with pytest.raises(TokenError, match="new secret"):
        tokens.verify(text)
    changed(client, client_secret=stored, user=make_user("bob"))
    with pytest.raises(TokenError):
        tokens.verify(text)
    changed(client, user=alice, scopes=[])
    assert tokens.verify(text)[1].scopes == frozenset()
    changed(alice, is_active=False)
    with pytest.raises(TokenError, match="may not log in"):
        tokens.verify(text)
    changed(alice, is_active=True)
    with (
        override_settings(SECRET_KEY="another key that is long enough to be one " * 2),
        pytest.raises(TokenError, match="not signed by a key of this portal"),
    ):
        tokens.verify(text)
    clients.delete_client(user=alice, pk=client.pk)
    with pytest.raises(TokenError, match="deleted"):
        tokens.verify(text)


def test_a_client_made_anew_with_the_same_id_does_not_revive_tokens(alice: User) -> None:
    values = {"client_id": "app", "user": alice} | clients.fixed_values(["firecrest"])
    first = OAuthClient.objects.create(client_secret=make_password("same"), **values)
    text = tokens.issue(first, username="alice", scopes=["firecrest"], seconds=60)
    first.delete()
    OAuthClient.objects.create(client_secret=make_password("same"), **values)
    with pytest.raises(TokenError):
        tokens.verify(text)


def forged(app: tuple[OAuthClient, str], key: Any, algorithm: str, **changes: Any) -> str:
    good = tokens.issue(app[0], username="alice", scopes=["firecrest"], seconds=60)
    claims = jwt.decode(good, options={"verify_signature": False}) | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": signing_key().id})


def test_expired(app: tuple[OAuthClient, str]) -> None:
    with pytest.raises(ExpiredToken):
        tokens.verify(tokens.issue(app[0], username="alice", scopes=["firecrest"], seconds=-1))


def test_a_signature_is_checked_once_and_the_end_every_time(
    app: tuple[OAuthClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, decode = [], tokens.jwt.decode
    monkeypatch.setattr(
        tokens.jwt, "decode", lambda text, **more: checked.append(text) or decode(text, **more)
    )
    text = tokens.issue(app[0], username="alice", scopes=["firecrest"], seconds=60)
    for _ in range(3):
        assert tokens.verify(text)
    assert checked == [text]
    now = time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now + 61)
    with pytest.raises(ExpiredToken):
        tokens.verify(text)
    wrong = text[:-8] + "AAAAAAAA"
    for _ in range(2):
        with pytest.raises(TokenError):
            tokens.verify(wrong)
    assert checked == [text, wrong, wrong], "what is wrong is not kept"


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "azp", "scope", "client_key"])
def test_every_claim_is_needed(app: tuple[OAuthClient, str], name: str) -> None:
    key = signing_key().private
    assert tokens.verify(forged(app, key, "ES256"))
    with pytest.raises(TokenError):
        tokens.verify(forged(app, key, "ES256", **{name: None}))


@pytest.mark.parametrize("name", ["iss", "aud", "azp", "client_key"])
def test_a_token_for_something_else(app: tuple[OAuthClient, str], name: str) -> None:
    with pytest.raises(TokenError):
        tokens.verify(forged(app, signing_key().private, "ES256", **{name: "other"}))


def test_signatures_that_are_none(app: tuple[OAuthClient, str]) -> None:
    good = tokens.issue(app[0], username="alice", scopes=["firecrest"], seconds=60)
    head, body, signature = good.split(".")
    public = base64.urlsafe_b64decode(signing_key().jwk["x"] + "=")
    bad = [
        forged(app, None, "none"),
        forged(app, public * 2, "HS256"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body[:-4]}AAAA.{signature}",
    ]
    for text in bad:
        with pytest.raises(TokenError):
            tokens.verify(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "a.b.c", "cto_abc", "é.é.é", "\ud800", "." * 50, "x" * 9000,
        base64.urlsafe_b64encode(b"[" * 6000).decode().rstrip("=") + ".e30.x",
        base64.urlsafe_b64encode(b'{"alg":"ES256","kid":3}').decode().rstrip("=") + ".e30.x",
        base64.urlsafe_b64encode(b'"ES256"').decode().rstrip("=") + ".e30.x",
    ],
)  # fmt: skip
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(UnreadableToken):
        tokens.verify(text)


def test_the_key_follows_from_the_secret() -> None:
    one = signing_key()
    assert signing_key() is one
    with override_settings(SECRET_KEY="x" * 60):
        other = signing_key()
        assert other.id != one.id
    with override_settings(SECRET_KEY="x" * 60):
        assert signing_key().private.private_numbers() == other.private.private_numbers()
