"""What the web server answers when a part of Centro is away or a request fails."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from api.exceptions import single
from centro import logs

RETRY_SECONDS = 10
# Client errors are 2000 and up (cannot connect, gone away, lost); the others are the server's:
# 1040 too many connections, 1044/1045 access denied, 1049 unknown database, 1053 shutting down,
# 1129 host blocked, 1203 user's connection limit, 1205 lock wait timeout, 1290 read-only,
# 1927 connection killed. https://mariadb.com/kb/en/mariadb-error-codes/
_AWAY_CODES = frozenset({1040, 1044, 1045, 1049, 1053, 1129, 1203, 1205, 1290, 1927})
_AWAY_SQLITE = (
    "unable to open",
    "database is locked",
    "disk i/o error",
    "readonly database",
    "disk is full",
)


def database_is_away(error: BaseException) -> bool:
    """Whether the error says that the database cannot be reached now (and not that a query is wrong)."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    code = error.args[0] if error.args else ""
    if isinstance(code, int):
        return 2000 <= code < 3000 or code in _AWAY_CODES
    return any(text in str(code).lower() for text in _AWAY_SQLITE)


def wants_json(request: HttpRequest) -> bool:
    """Whether the request came to an API path."""
    return request.path.startswith(("/api/", "/firecrest/", "/o/"))


def unavailable(request: HttpRequest) -> HttpResponse:
    """503: nothing is lost, try again; JSON below /api/."""
    sentence = (
        "The database cannot be reached at the moment. Runs are not affected; try again shortly."
    )
    return _answer(
        request, 503, "Centro is not available", sentence, {"Retry-After": str(RETRY_SECONDS)}
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """The 500 handler: called inside Django's `except`, so the error itself can be looked at."""
    error = sys.exception()
    if error is not None and database_is_away(error):
        return unavailable(request)
    sentence = "Something went wrong in Centro. The administrator finds it in the log under this request id."
    return _answer(request, 500, "Internal error", sentence, {})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The 400 handler, for requests that are refused before they reach a view."""
    if wants_json(request):
        return single(400, "bad_request", "The request is not acceptable in this form.")
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The 404 handler."""
    if wants_json(request):
        return single(404, "not_found", "There is no such address; /api/v1/ lists them.")
    return defaults.page_not_found(request, exception)


def _answer(
    request: HttpRequest, status: int, title: str, sentence: str, headers: dict[str, str]
) -> HttpResponse:
    current = logs.request_id.get()
    if wants_json(request):
        code = "unavailable" if status == 503 else "internal"
        return single(status, code, sentence, headers=headers, request_id=current)
    # Rendered without a request: context processors would ask the database for the user.
    context = {"title": title, "sentence": sentence, "request_id": current, "retry": status == 503}
    return HttpResponse(
        render_to_string("centro/error.html", context), status=status, headers=headers
    )
