"""Request id, the client's address behind proxies, an answer when the database is away, and text that hides nothing."""

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


_UNSEEN = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN_CHARACTER = re.compile(f"[{_UNSEEN}]")


class VisibleTextMiddleware:
    r"""Writes control characters and marks that turn the direction of writing as JSON does, ``\u202e``, in every page.

    Whatever text a page shows, from configurations, jobs, clusters and people, then stays in its place and is what it
    looks like, on pages whose templates forgot about it as well. In a form that holds JSON the text means the same.
    Streamed answers, files and API answers pass unchanged.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if is_page and isinstance(response, HttpResponse):
            text = response.content.decode(response.charset)
            if _UNSEEN_CHARACTER.search(text):
                response.content = _UNSEEN_CHARACTER.sub(_spelled, text).encode(response.charset)
        return response


def _spelled(mark: re.Match[str]) -> str:
    return f"\\u{ord(mark[0]):04x}"
