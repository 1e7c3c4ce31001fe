"""Who is asking: HTTP basic and access tokens, read from the Authorization header.

A browser's session is the REST framework's own ``SessionAuthentication``, with its CSRF check.
"""

from __future__ import annotations

import base64
import binascii
from typing import NoReturn

from django.contrib.auth.models import AnonymousUser, User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import verified
from accounts.models import ApiToken
from accounts.services import find_token
from pipeline_management.models import Run
from pipeline_management.services.reports.tokens import find_run

REALM = 'Basic realm="Centro", charset="UTF-8"'
MAX_HEADER = 8192


def _refuse(message: str) -> NoReturn:
    raise AuthenticationFailed(message)


def _header(request: Request) -> tuple[str | None, str]:
    """The scheme in lower case and the rest of the Authorization header; (None, "") without one."""
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is None:
        return None, ""
    if len(header) > MAX_HEADER:
        _refuse("The Authorization header is too long.")
    scheme, _, value = header.strip().partition(" ")
    return scheme.lower(), value.strip()


class PasswordAuthentication(BaseAuthentication):
    """``Basic name:password``. A header that is there and wrong is refused, also where a session would do."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """The person, or None for another or no header.

        Raises ``AuthenticationFailed`` (401) and ``accounts.throttle.Throttled`` (429).
        """
        scheme, value = _header(request)
        if scheme != "basic":
            return None
        return self._basic(value, request.META.get("REMOTE_ADDR", "")), None

    def authenticate_header(self, request: Request) -> str:
        """The challenge that comes with 401."""
        return REALM

    @staticmethod
    def _basic(value: str, address: str) -> User:
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            _refuse(
                "The Authorization header is not valid Basic: what follows “Basic ” is not base64."
            )
        try:
            text = data.decode()
        except UnicodeDecodeError:
            # Older clients send Latin-1 (RFC 7617 leaves the encoding open).
            text = data.decode("latin-1")
        name, colon, password = text.partition(":")
        if not colon:
            _refuse(
                "The Authorization header is not valid Basic: there is no colon after the user name."
            )
        user = verified.check(name, password, address)
        if user is None:
            _refuse("The user name or the password is wrong.")
        return user


class TokenAuthentication(BaseAuthentication):
    """``Bearer cto_…`` or ``Token cto_…``; ``request.auth`` becomes the token. Comes last of the headers:
    any scheme that is left is refused."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The person and the token, or None without a header. Raises ``AuthenticationFailed`` (401)."""
        scheme, value = _header(request)
        if scheme is None or scheme == "basic":
            return None
        if scheme not in ("bearer", "token"):
            _refuse("The Authorization header must be “Basic …”, “Bearer cto_…” or “Token cto_…”.")
        token = find_token(value)
        if token is None:
            _refuse("The token is unknown, revoked or expired.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """The challenge that comes with 401."""
        return REALM


class ReportingJob(AnonymousUser):
    """The job that a run's token speaks for: it is known, but it is nobody who may see or do anything else."""

    is_authenticated = True  # type: ignore[assignment]  # Django declares it False for good
    is_anonymous = False  # type: ignore[assignment]  # as above


class RunTokenAuthentication(BaseAuthentication):
    """``Bearer ctr_…``, the token of a run's job; ``request.auth`` becomes the run. Nothing else is accepted."""

    def authenticate(self, request: Request) -> tuple[ReportingJob, Run]:
        """The job and its run, whatever the run's state. Raises ``AuthenticationFailed`` (401)."""
        scheme, value = _header(request)
        if scheme != "bearer":
            _refuse(
                "Events are reported with the run's token: send the header “Authorization: Bearer ctr_…”."
            )
        run = find_run(value)
        if run is None:
            _refuse("The token is not that of a run.")
        return ReportingJob(), run

    def authenticate_header(self, request: Request) -> str:
        """The challenge that comes with 401."""
        return 'Bearer realm="Centro"'


class RunTokenScheme(OpenApiAuthenticationExtension):
    target_class = RunTokenAuthentication
    name = "runToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ctr_…"}


class PasswordScheme(OpenApiAuthenticationExtension):
    target_class = PasswordAuthentication
    name = "basicAuth"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "basic"}


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "cto_…"}
