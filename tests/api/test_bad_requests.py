"""Broken requests get the right 4xx, an answer that names the fault, and create nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken
from accounts.services import create_token
from pipeline_management.models import AuditEvent, Run, RunEvent
from tests.api.broken_requests import CASES, NEW_RUN, Case
from tests.api.site import PASSWORD, Site
from tests.factories import make_version


def send(client: Client, case: Case, site: Site) -> Any:
    path = case.path.replace("{run}", f"/api/v1/runs/{site.run.pk}/")
    return client.generic(
        case.method, path, case.body, content_type=case.kind, headers=case.headers, **case.environ
    )


def counts() -> list[int]:
    return [model.objects.count() for model in (Run, RunEvent, ApiToken, AuditEvent)]


def assert_error(answer: Any, status: int, code: str, names: str = "") -> dict[str, Any]:
    """The answer has the one shape of errors and says what is expected; returns its first error."""
    assert answer.status_code == status, answer.content[:2000]
    assert answer["Content-Type"] == "application/json"
    body = json.loads(answer.content)
    assert set(body) == {"errors", "detail"}
    for error in body["errors"]:
        assert set(error) == {"code", "message", "pointer", "row", "line", "column", "parameter"}
        assert error["message"] and len(error["message"]) < 1000
    assert body["detail"]
    assert "Traceback" not in answer.content.decode()
    first: dict[str, Any] = body["errors"][0]
    assert first["code"] == code, body
    assert names in f"{first['message']} {first['pointer']} {first['parameter']}", first
    return first


def test_there_are_enough_and_no_two_are_called_the_same() -> None:
    assert len(CASES) >= 40
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_broken_request(site: Site, case: Case) -> None:
    foreign = make_version("foreign", system=site.account.system, all_labs=False)
    foreign.labs.add(site.other_lab)
    before = counts()
    client = site.client(site.submitter if case.logged_in else None)
    answer = send(client, case, site)
    first = assert_error(answer, case.status, case.code, case.names)
    if case.line is not None:
        assert first["line"] == case.line, first
        assert first["column"] and first["column"] >= 1
    if case.status == 401:
        assert answer["WWW-Authenticate"].startswith('Basic realm="Centro"')
    if case.status == 405:
        assert answer["Allow"]
    assert counts() == before


def test_an_expired_token_is_refused(site: Site) -> None:
    _, text = create_token(site.submitter, "t", timezone.now() + timedelta(hours=1))
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = site.client(None).post(
        NEW_RUN, "{}", content_type="application/json", headers={"Authorization": f"Bearer {text}"}
    )
    assert_error(answer, 401, "authentication_failed", "expired")


def test_a_token_cannot_make_tokens(site: Site) -> None:
    _, text = create_token(site.submitter, "t")
    answer = site.client(None).post(
        "/api/v1/tokens/",
        {"name": "child"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {text}"},
    )
    assert_error(answer, 403, "permission_denied", "password")
    assert ApiToken.objects.count() == 1


def test_too_many_wrong_passwords_are_429(site: Site) -> None:
    site.submitter.set_password(PASSWORD)
    site.submitter.save()
    client = site.client(None)
    wrong = Case(
        "",
        0,
        "",
        headers={"Authorization": "Basic c2FtOndyb25n"},
        method="GET",
        path="/api/v1/runs/",
    )
    for _ in range(5):
        assert_error(send(client, wrong, site), 401, "authentication_failed")
    answer = send(client, wrong, site)
    assert_error(answer, 429, "throttled", "seconds")
    assert 0 < int(answer["Retry-After"]) <= 300
    elsewhere = client.get(
        "/api/v1/runs/",
        headers={"Authorization": "Basic c2FtOmNvcnJlY3QgaG9yc2UgNw=="},
        REMOTE_ADDR="192.0.2.9",
    )
    assert elsewhere.status_code == 200


def test_unknown_and_known_users_read_the_same(site: Site) -> None:
    site.submitter.set_password(PASSWORD)
    site.submitter.save()
    client = site.client(None)
    known = client.get("/api/v1/runs/", headers={"Authorization": "Basic c2FtOng="})
    unknown = client.get("/api/v1/runs/", headers={"Authorization": "Basic bm9ib2R5Ong="})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


def test_an_unforeseen_fault_shows_nothing_but_a_request_id(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("pipeline_management.services.intake.prepare", fail)
    answer = site.client(site.submitter).post(NEW_RUN, {"a": 1}, content_type="application/json")
    assert answer.status_code == 500
    body = answer.json()
    assert set(body) == {"errors", "detail", "request_id"}
    assert body["errors"][0]["code"] == "internal"
    assert body["request_id"] == answer["X-Request-ID"]
    assert b"secret detail" not in answer.content


def test_a_database_that_is_away_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def fail(**_: Any) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr("pipeline_management.services.intake.prepare", fail)
    answer = site.client(site.submitter).post(NEW_RUN, {"a": 1}, content_type="application/json")
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["errors"][0]["code"] == "unavailable"
    assert b"gone away" not in answer.content


def test_a_host_that_is_not_ours_is_400_as_json(site: Site) -> None:
    answer = site.client(site.submitter).get("/api/v1/runs/", headers={"Host": "evil.example"})
    assert_error(answer, 400, "bad_request")
