"""Making and checking access tokens: JSON Web Tokens (RFC 7519) in the profile of RFC 9068."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import User

from accounts.models import OAuthClient
from accounts.oauth.claims import decode, header_of, outer_claims
from accounts.oauth.errors import ExpiredToken, TokenError
from accounts.oauth.keys import ALGORITHM, SigningKey, signing_key
from accounts.remembered import Remembered

_REQUIRED = ["iss", "aud", "exp", "iat", "azp", "scope", "client_key"]
_clients: Remembered[OAuthClient] = Remembered()


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a valid token says besides its person: ``expires_at`` is an aware time in UTC.

    ``client`` is the id of the program that got it, in its issuer's words.
    """

    issuer: str
    client: str
    scopes: frozenset[str]
    expires_at: datetime


def issue(client: OAuthClient, *, username: str, scopes: Iterable[str], seconds: int) -> str:
    """A signed token of the client for its owner, valid from now for that many seconds.

    ``username`` is what programs show to people (``preferred_username``); who the person is follows from
    the client.
    """
    now, key = int(time.time()), signing_key()
    claims = {
        "iss": settings.CENTRO_TOKEN_ISSUER,
        "aud": settings.CENTRO_TOKEN_AUDIENCE,
        "sub": client.client_id,
        "azp": client.client_id,
        "client_id": client.client_id,
        "client_key": _client_key(client),
        "preferred_username": username,
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(
        claims, key.private, algorithm=ALGORITHM, headers={"kid": key.id, "typ": "at+jwt"}
    )


def verify(text: str) -> tuple[User, TokenInfo]:
    """The active person and what else the token says. One query, or none for a token that was seen lately.

    Tokens with the id of Centro's own key are checked with that, all others with the outer issuer's.
    Raises ``TokenError`` and ``IssuerUnreachable``.
    """
    header = header_of(text)
    if header.get("kid") == signing_key().id:
        return _own(text)
    if not settings.CENTRO_OIDC.accepts_tokens:
        raise TokenError("The token is not signed by a key of this portal.")
    return _outer(text, header)


def _own(text: str) -> tuple[User, TokenInfo]:
    claims = _own_claims(
        text, signing_key(), settings.CENTRO_TOKEN_AUDIENCE, settings.CENTRO_TOKEN_ISSUER
    )
    if claims["exp"] <= time.time():
        raise ExpiredToken("The token has expired.")
    client = _clients.get(claims["azp"], lambda: _client(claims["azp"]))
    if client is None or claims["client_key"] != _client_key(client):
        raise TokenError("The client of the token was deleted or has a new secret.")
    if not client.user.is_active:
        raise TokenError("The owner of the token's client may not log in.")
    return client.user, TokenInfo(
        issuer=claims["iss"],
        client=client.client_id,
        scopes=_scopes(claims) & frozenset(client.scopes),
        expires_at=_moment(claims["exp"]),
    )


def _client(client_id: str) -> OAuthClient | None:
    return OAuthClient.objects.select_related("user").filter(client_id=client_id).first()


@lru_cache(maxsize=1024)
def _own_claims(text: str, key: SigningKey, audience: str, issuer: str) -> dict[str, Any]:
    """The claims of a token of Centro's own, to be read only. Those that were found right are kept: a
    program sends the same token many times, and checking its signature is the dearest part."""
    return decode(
        text,
        key=key.public,
        algorithms=[ALGORITHM],
        audience=audience,
        issuer=issuer,
        # Several machines may issue and check, and their clocks need not agree to the second.
        options={"require": _REQUIRED, "verify_iat": False},
    )


def _outer(text: str, header: dict[str, Any]) -> tuple[User, TokenInfo]:
    wanted = settings.CENTRO_OIDC
    claims = outer_claims(text, header, audience=wanted.audience, required=["iss", "aud", "exp"])
    name = claims.get(wanted.username_claim)
    if not isinstance(name, str) or not name:
        raise TokenError(f"The token has no claim “{wanted.username_claim}” with a user name.")
    user = User.objects.filter(username=name[:151]).first()
    # MariaDB compares names without case; a name is the same one everywhere.
    if user is None or user.username != name:
        raise TokenError("The person that the token names is not known here.")
    if not user.is_active:
        raise TokenError("The person that the token names may not log in.")
    return user, TokenInfo(
        issuer=claims["iss"],
        client=str(claims.get("azp") or claims.get("client_id") or ""),
        scopes=_scopes(claims),
        expires_at=_moment(claims["exp"]),
    )


def _client_key(client: OAuthClient) -> str:
    """Changes with the client's secret and owner, so that older tokens end; tells nothing of the secret."""
    text = f"centro client key {client.user_id} {client.client_secret}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _moment(seconds: float) -> datetime:
    """A time of day from a claim, which need not be one of this age."""
    return datetime.fromtimestamp(max(0, min(int(seconds), 2**32)), UTC)


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    found = claims.get("scope")
    if isinstance(found, str):
        return frozenset(found.split())
    return frozenset(entry for entry in found or () if isinstance(entry, str))
