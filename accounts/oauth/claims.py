"""What a signed token says, once its signature and its claims were found right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt
from django.conf import settings

from accounts.oauth import outer
from accounts.oauth.errors import ExpiredToken, TokenError, UnreadableToken

MAX_LENGTH = 8192


def header_of(text: str, most: int = MAX_LENGTH) -> dict[str, Any]:
    """The header, of which nothing is checked yet. Raises ``UnreadableToken``, also beyond ``most`` characters."""
    if len(text) > most:
        raise UnreadableToken("The token is too long.")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(text)
    # ValueError: not ASCII; RecursionError: brackets within brackets
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise UnreadableToken("The token cannot be read.") from error
    return header


def outer_claims(
    text: str, header: dict[str, Any], *, audience: str | None, required: Sequence[str]
) -> dict[str, Any]:
    """The claims of a token of the configured issuer for ``audience``, with all that are ``required``.

    Raises ``TokenError`` and ``IssuerUnreachable``.
    """
    wanted = settings.CENTRO_OIDC
    algorithm = header.get("alg")
    if algorithm not in wanted.algorithms:
        raise TokenError("The token is signed by an algorithm that is not accepted.")
    return decode(
        text,
        key=outer.key(header.get("kid"), algorithm),
        algorithms=[algorithm],
        audience=audience,
        issuer=wanted.issuer,
        leeway=10,  # seconds by which the issuer's clock may differ
        options={"require": list(required)},
    )


_REASONS: tuple[tuple[type[jwt.InvalidTokenError], type[TokenError], str], ...] = (
    (jwt.ExpiredSignatureError, ExpiredToken, "The token has expired."),
    (jwt.ImmatureSignatureError, TokenError, "The token is not valid yet."),
    (jwt.InvalidSignatureError, TokenError, "The signature of the token is wrong."),
    (jwt.InvalidAudienceError, TokenError, "The token is not meant for this portal (audience)."),
    (jwt.InvalidIssuerError, TokenError, "The token comes from another issuer."),
    (jwt.MissingRequiredClaimError, TokenError, "The token lacks a claim that is needed."),
    (jwt.InvalidAlgorithmError, TokenError, "The token is signed by an algorithm that is not accepted."),
    (jwt.DecodeError, UnreadableToken, "The token cannot be read."),
)  # fmt: skip


def decode(text: str, **options: Any) -> dict[str, Any]:
    """``jwt.decode``, whose errors become ``TokenError`` with a sentence."""
    try:
        claims: dict[str, Any] = jwt.decode(text, **options)
    except jwt.InvalidTokenError as error:
        for kind, becomes, sentence in _REASONS:
            if isinstance(error, kind):
                raise becomes(sentence) from error
        raise TokenError("The token is not acceptable.") from error
    except RecursionError as error:
        raise UnreadableToken("The token cannot be read.") from error
    return claims
