"""Answers when the database is away, request ids, and the client's address behind proxies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from pytest_django import Settings

from centro import errors, logs
from centro.middleware import ClientAddressMiddleware, RequestIdMiddleware

AWAY = OperationalError(2002, "Can't connect to server on '127.0.0.1' (115)")


def _raising(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def _session(request: HttpRequest) -> HttpResponse:
    request.session["x"] = 1  # saved by the middleware, after the view
    return HttpResponse("ok")


urlpatterns = [
    path("page", _raising(AWAY)),
    path("api/v1/x", _raising(AWAY)),
    path("bug", _raising(ProgrammingError(1064, "You have an error in your SQL syntax"))),
    path("api/v1/bug", _raising(RuntimeError("hunter2"))),
    path("session", _session),
]
handler500 = "centro.errors.server_error"


@pytest.fixture
def site(settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (AWAY, True),
        (OperationalError(2006, "Server has gone away"), True),
        (OperationalError(2013, "Lost connection"), True),
        (OperationalError(1040, "Too many connections"), True),
        (OperationalError(1205, "Lock wait timeout exceeded"), True),
        (OperationalError("unable to open database file"), True),
        (OperationalError("database is locked"), True),
        (InterfaceError(0, ""), True),
        (OperationalError(1054, "Unknown column"), False),
        (OperationalError("no such table: x"), False),
        (OperationalError(), False),
        (ProgrammingError(1146, "Table doesn't exist"), False),
        (RuntimeError("database is locked"), False),
    ],
)
def test_which_errors_mean_that_the_database_is_away(error: Exception, away: bool) -> None:
    assert errors.database_is_away(error) is away


def test_page_says_so_and_reloads_by_itself(site: Client) -> None:
    answer = site.get("/page")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "10"
    text = answer.content.decode()
    assert "Centro is not available" in text
    assert 'http-equiv="refresh"' in text
    assert "127.0.0.1" not in text
    assert answer["X-Request-ID"] in text


def test_api_says_so_in_json(site: Client) -> None:
    answer = site.get("/api/v1/x")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "10"
    assert answer.json()["errors"][0]["code"] == "unavailable"


def test_wrong_query_is_an_internal_error(site: Client) -> None:
    answer = site.get("/bug")
    assert answer.status_code == 500
    assert "Retry-After" not in answer
    assert "SQL" not in answer.content.decode()


def test_api_bug_is_json_with_request_id_and_no_internals(site: Client) -> None:
    answer = site.get("/api/v1/bug")
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert "hunter2" not in answer.content.decode()


def test_failure_outside_a_view_is_also_503(site: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, *_: Any, **__: Any) -> None:
        raise AWAY

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", fail)
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", lambda self: {})
    answer = site.get("/session")
    assert answer.status_code == 503


def request_id_of(given: str, proxies: int, settings: Settings) -> tuple[str, str]:
    settings.CENTRO_TRUSTED_PROXIES = proxies
    seen = ""

    def respond(request: HttpRequest) -> HttpResponse:
        nonlocal seen
        seen = logs.request_id.get()
        return HttpResponse(json.dumps({}))

    request = RequestFactory().get("/", headers={"X-Request-ID": given})
    answer = RequestIdMiddleware(respond)(request)
    assert logs.request_id.get() == ""
    return seen, answer["X-Request-ID"]


def test_request_id_is_made_by_centro_or_its_proxy_only(settings: Settings) -> None:
    seen, answered = request_id_of("from-a-client", 0, settings)
    assert seen == answered != "from-a-client"
    assert request_id_of("from-the-proxy", 1, settings) == ("from-the-proxy", "from-the-proxy")


@pytest.mark.parametrize("bad", ["", "short", "x" * 65, "a b c d e f", "inject\"}x=1"])
def test_odd_request_ids_are_replaced(bad: str, settings: Settings) -> None:
    seen, _ = request_id_of(bad, 1, settings)
    assert len(seen) == 16
    assert seen != bad


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "nonsense", "127.0.0.1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_client_address_is_what_the_outermost_trusted_proxy_saw(
    settings: Settings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.CENTRO_TRUSTED_PROXIES = proxies
    seen: list[str] = []

    def respond(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    ClientAddressMiddleware(respond)(RequestFactory().get("/", headers=headers))
    assert seen == [expected]
