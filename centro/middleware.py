"""Request id, the client's address behind proxies, and an answer when the database is away."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from centro import errors, logs

logger = logging.getLogger(__name__)

Respond = Callable[[HttpRequest], HttpResponseBase]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Gives every request an id, in the log lines and in the answer's X-Request-ID.

    An id from a trusted proxy is kept; from anybody else a new one is made.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "") if settings.CENTRO_TRUSTED_PROXIES else ""
        current = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        token = logs.request_id.set(current)
        try:
            response = self.get_response(request)
        finally:
            logs.request_id.reset(token)
        response["X-Request-ID"] = current
        return response


class ClientAddressMiddleware:
    """Sets REMOTE_ADDR to the client's address as the outermost trusted proxy saw it.

    With N trusted proxies this is the Nth entry from the right of X-Forwarded-For; entries further
    left are the client's own claims and ignored. Log-in throttling counts by this address.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        count = settings.CENTRO_TRUSTED_PROXIES
        if count:
            chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
            candidate = chain[-count] if len(chain) >= count else ""
            if _is_address(candidate):
                request.META["REMOTE_ADDR"] = candidate
        return self.get_response(request)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class DatabaseUnavailableMiddleware:
    """Answers 503 with Retry-After when a view fails because the database cannot be reached.

    Failures outside a view (saving the session) reach `errors.server_error`, which does the same.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer for an unreachable database, or None to let the error take its way."""
        if not errors.database_is_away(error):
            return None
        logger.warning("%s %s: the database is away: %s", request.method, request.path, error)
        return errors.unavailable(request)
