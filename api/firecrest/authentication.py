"""Who is asking at /firecrest/v1/: access tokens of Centro or of the outer issuer, and nothing else."""

from __future__ import annotations

from django.contrib.auth.models import User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from accounts.oauth import tokens
from accounts.oauth.errors import (
    ExpiredToken,
    IssuerUnreachable,
    TokenError,
    UnreadableToken,
)
from accounts.oauth.tokens import TokenInfo

SCOPE = "firecrest"
CHALLENGE = 'Bearer realm="Centro"'


class CannotCheck(APIException):
    """Nothing can be said about the token at the moment."""

    status_code = 503


class TokenRefused(AuthenticationFailed):
    """401 as of the contract: what the gateway of a FirecREST site says, and what its services say."""

    auth_header = CHALLENGE

    def __init__(self, description: str, **gateway: str) -> None:
        super().__init__((gateway or {"message": "Unauthorized"}) | {"description": description})


class BearerAuthentication(BaseAuthentication):
    """``Bearer <JSON Web Token>`` with the scope ``firecrest``; ``request.auth`` becomes a ``TokenInfo``."""

    def authenticate(self, request: Request) -> tuple[User, TokenInfo]:
        """The person and what the token says. Raises ``AuthenticationFailed`` (401), also without a header,
        and ``CannotCheck`` (503)."""
        header = request.META.get("HTTP_AUTHORIZATION", "").strip()
        if not header:
            raise TokenRefused("No Auth Header given")
        scheme, _, text = header.partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise UnreadableToken("The header is not “Bearer …”.")
            user, info = tokens.verify(text.strip())
        except UnreadableToken as error:
            raise TokenRefused(
                "Bad header or JWT, general exception raised", message="Bad token; invalid JSON"
            ) from error
        except ExpiredToken as error:
            raise TokenRefused("JWT token has expired", exp="token expired") from error
        except TokenError as error:
            raise TokenRefused(str(error)) from error
        except IssuerUnreachable as error:
            raise CannotCheck({"description": str(error)}) from error
        if SCOPE not in info.scopes:
            raise TokenRefused(f"The token does not have the scope “{SCOPE}”.")
        return user, info

    def authenticate_header(self, request: Request) -> str:
        """The challenge that comes with 401."""
        return CHALLENGE


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = BearerAuthentication
    name = "accessToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, object]:
        return {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/o/token/",
                    "scopes": {SCOPE: "Files, jobs and tasks on the systems of the client's owner"},
                }
            },
        }
