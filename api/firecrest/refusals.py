"""The only place where an error becomes an answer of the FirecREST API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from django.http.request import UnreadablePostError
from rest_framework import exceptions as rest

from accounts.throttle import Throttled
from api.firecrest.errors import BUSY_SECONDS, MACHINE_AWAY, Refusal, verdict_on
from api.firecrest.gate import Crowded
from hpc.errors import HpcError
from pipeline_management.errors import (
    Closed,
    Conflict,
    DomainError,
    Missing,
    NotAllowed,
    TooLarge,
    Unavailable,
)

if TYPE_CHECKING:
    from api.firecrest.base import FirecrestView

_DOMAIN_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (TooLarge, 413),
    (NotAllowed, 403),
    (Missing, 404),
    (Conflict, 409),
    (Unavailable, 503),
)


def of(error: Exception, view: FirecrestView) -> Refusal | None:
    """The answer for an error, or None for one that is a fault of ours."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HpcError):
        return _of_system(error, view)
    if isinstance(error, Crowded):
        return view.refuse(503, str(error), {"Retry-After": str(BUSY_SECONDS)})
    if isinstance(error, DomainError):
        return _of_domain(error, view)
    if isinstance(error, Throttled):
        return view.refuse(429, str(error), {"Retry-After": str(error.retry_after)})
    if isinstance(error, rest.APIException):
        return _of_framework(error)
    return _of_django(error, view)


def _of_system(error: HpcError, view: FirecrestView) -> Refusal:
    verdict = verdict_on(error, view.service, view.headers_for)
    text = verdict.text or str(error)
    headers = {verdict.header: text} if verdict.header else {}
    if verdict.status == 503:
        headers["Retry-After"] = str(BUSY_SECONDS)
    return view.refuse(verdict.status, text, headers)


def _of_domain(error: DomainError, view: FirecrestView) -> Refusal:
    if isinstance(error, Closed):
        return view.refuse(400, error.message, {MACHINE_AWAY: error.message})
    status = next((code for kind, code in _DOMAIN_STATUS if isinstance(error, kind)), 400)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else {}
    return view.refuse(status, error.message, headers)


def _of_framework(error: rest.APIException) -> Refusal:
    """Log-in, method, content type. An authenticator may give the whole body as its detail."""
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error.detail, dict):
        body = {name: str(text) for name, text in error.detail.items()}
    elif isinstance(error, rest.NotAuthenticated | rest.AuthenticationFailed):
        body = {"message": "Unauthorized", "description": str(error.detail)}
    else:
        body = {"description": str(error.detail)}
    refused = isinstance(error, rest.NotAuthenticated | rest.AuthenticationFailed)
    return Refusal(401 if refused else error.status_code, body, headers)


def _of_django(error: Exception, view: FirecrestView) -> Refusal | None:
    if isinstance(error, Http404):
        return Refusal(404, {"description": "There is no such address here.", "message": "Invalid"})
    if isinstance(error, PermissionDenied):
        return view.refuse(403, "You may not do this.")
    if isinstance(error, RequestDataTooBig):
        return view.refuse(413, "The fields of the form are too large.")
    if isinstance(error, UnreadablePostError):
        return view.refuse(400, "The body ended before its announced length.")
    if isinstance(error, SuspiciousOperation):
        return view.refuse(400, "The request is not acceptable in this form.")
    return None
