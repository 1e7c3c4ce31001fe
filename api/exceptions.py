"""The only place where a refusal of the domain becomes an HTTP status.

Every error of the API has one shape, always JSON, whatever the client accepts::

    {"errors": [{"code", "message", "pointer", "row", "line", "column", "parameter"}], "detail": "…"}

Errors that nobody foresaw are left to the project's error pages, which answer in the same shape with
nothing but a request id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, JsonResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions as rest

from accounts.throttle import Throttled
from pipeline_management.errors import (
    Conflict,
    DomainError,
    InvalidRequest,
    Missing,
    NotAllowed,
    Problem,
    TooLarge,
    TooOften,
    Unavailable,
)

_DOMAIN_STATUS: tuple[tuple[type[DomainError], int, str], ...] = (
    (TooLarge, 413, "too_large"),
    (InvalidRequest, 400, "invalid"),
    (NotAllowed, 403, "not_allowed"),
    (Missing, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (TooOften, 429, "too_many"),
    (Unavailable, 503, "unavailable"),
)


class BadParameter(Exception):
    """A query parameter or header is wrong; ``parameter`` is its name as sent, ``column`` the place in its value,
    counted from 1, where that is known."""

    def __init__(
        self,
        parameter: str,
        message: str,
        code: str = "bad_parameter",
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message
        self.code = code
        self.column = column


class LengthRequired(Exception):
    """The body came in pieces without a length (HTTP 411)."""


def entry(problem: Problem, parameter: str | None = None) -> dict[str, Any]:
    """One error as the API shows it."""
    return problem.as_dict() | {"parameter": parameter}


def respond(
    status: int,
    errors: Sequence[dict[str, Any]],
    *,
    headers: dict[str, str] | None = None,
    request_id: str | None = None,
) -> JsonResponse:
    """An error answer; ``detail`` is the first error's sentence."""
    text = errors[0]["message"]
    if len(errors) > 1:
        text = f"{len(errors)} problems; the first: {text}"
    body = {"errors": list(errors), "detail": text}
    if request_id is not None:
        body["request_id"] = request_id
    return JsonResponse(
        body, status=status, headers=headers or {}, json_dumps_params={"ensure_ascii": False}
    )


def single(
    status: int,
    code: str,
    message: str,
    *,
    parameter: str | None = None,
    headers: dict[str, str] | None = None,
    request_id: str | None = None,
) -> JsonResponse:
    """An error answer with one error."""
    errors = [entry(Problem(code, message), parameter)]
    return respond(status, errors, headers=headers, request_id=request_id)


def answer(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """The REST framework's hook: the answer for an error, or None for one that is a fault of ours."""
    for translate in (_domain, _framework, _django):
        response = translate(error)
        if response is not None:
            return response
    return None


def _domain(error: Exception) -> JsonResponse | None:
    if isinstance(error, DomainError):
        for kind, status, code in _DOMAIN_STATUS:
            if isinstance(error, kind):
                problems = error.problems if isinstance(error, InvalidRequest) else []
                errors = [entry(problem) for problem in problems]
                headers = (
                    {"Retry-After": str(error.retry_after)}
                    if isinstance(error, Unavailable | TooOften)
                    else {}
                )
                return respond(
                    status, errors or [entry(Problem(code, error.message))], headers=headers
                )
    if isinstance(error, BadParameter):
        problem = Problem(error.code, error.message, column=error.column)
        return respond(400, [entry(problem, error.parameter)])
    if isinstance(error, LengthRequired):
        return single(411, "length_required", str(error), parameter="Content-Length")
    if isinstance(error, Throttled):
        return single(429, "throttled", str(error), headers={"Retry-After": str(error.retry_after)})
    return None


def _framework(error: Exception) -> JsonResponse | None:
    if isinstance(error, rest.ValidationError):
        return respond(400, list(_fields(error.detail, "")))
    if not isinstance(error, rest.APIException):
        return None
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    code = str(getattr(error.detail, "code", error.default_code))
    return single(error.status_code, code, str(error.detail), headers=headers)


def _fields(detail: Any, pointer: str) -> list[dict[str, Any]]:
    """Errors of a serializer, nested as its fields are, as flat problems with pointers."""
    if isinstance(detail, dict):
        return [
            item
            for name, inner in detail.items()
            for item in _fields(
                inner, pointer if name == "non_field_errors" else f"{pointer}/{name}"
            )
        ]
    if isinstance(detail, list):
        return [item for inner in detail for item in _fields(inner, pointer)]
    return [entry(Problem(str(getattr(detail, "code", "invalid")), str(detail), pointer))]


def _django(error: Exception) -> JsonResponse | None:
    if isinstance(error, Http404):
        return single(404, "not_found", "There is no such thing here, or you may not see it.")
    if isinstance(error, PermissionDenied):
        return single(403, "not_allowed", "You may not do this.")
    if isinstance(error, RequestDataTooBig):
        return single(413, "too_large", "The body is too large; at most 10 MB are accepted.")
    if isinstance(error, UnreadablePostError):
        return single(400, "incomplete", "The body ended before its announced length.")
    if isinstance(error, SuspiciousOperation):
        return single(400, "bad_request", "The request is not acceptable in this form.")
    if isinstance(error, DjangoValidationError):
        problems = [
            Problem("invalid", message, f"/{name}")
            for name, messages in error.message_dict.items()
            for message in messages
        ]
        return respond(400, [entry(problem) for problem in problems])
    return None
