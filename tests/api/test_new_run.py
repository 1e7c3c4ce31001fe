"""Submitting by the API."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.test import Client

from accounts.services import create_token
from pipeline_management.models import Run
from tests.api.site import JSON, PASSWORD, Site
from tests.factories import make_user

URL = "/api/v1/new-run/"
GOOD = {"pipeline": "hello", "name": "world"}


def basic(name: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def post(client: Client, body: Any = GOOD, url: str = URL, **extra: Any) -> Any:
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(url, data, content_type=extra.pop("content_type", JSON), **extra)


@pytest.fixture
def sam(site: Site) -> Client:
    return site.client(site.submitter)


def test_a_run_is_made_as_curl_posts_it(site: Site) -> None:
    site.submitter.set_password(PASSWORD)
    site.submitter.save()
    client = site.client(None)
    answer = post(client, headers={"Authorization": basic("sam")})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    run = Run.objects.get(pk=body["id"])
    assert (run.submitter, run.lab, run.source, run.state) == (
        site.submitter,
        site.lab,
        "api",
        "queued",
    )
    assert run.configuration == GOOD
    assert body["state"] == "queued"
    assert answer["Location"] == body["links"]["self"] == f"http://testserver/api/v1/runs/{run.pk}/"
    assert body["links"]["page"] == f"http://testserver/runs/{run.pk}/"
    for name in ("self", "events", "log"):
        got = client.get(body["links"][name], headers={"Authorization": basic("sam")})
        assert got.status_code == 200, name


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer"])
def test_a_token_does_as_well(site: Site, scheme: str) -> None:
    _, text = create_token(site.submitter, "t")
    answer = post(site.client(None), headers={"Authorization": f"{scheme} {text}"})
    assert answer.status_code == 201


def test_a_password_may_hold_any_character(site: Site) -> None:
    password = "pä:ss wörd € '\"$"
    make_user("paul", password=password)
    answer = site.client(None).get(
        "/api/v1/whoami/", headers={"Authorization": basic("paul", password)}
    )
    assert answer.json()["username"] == "paul"
    latin = base64.b64encode("karl:pä:ss wörd".encode("latin-1")).decode()
    make_user("karl", password="pä:ss wörd")
    answer = site.client(None).get("/api/v1/whoami/", headers={"Authorization": f"Basic {latin}"})
    assert answer.json()["username"] == "karl"


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
def test_content_types_that_are_taken(sam: Client, kind: str) -> None:
    assert post(sam, content_type=kind).status_code == 201


def test_a_byte_order_mark_is_tolerated(sam: Client) -> None:
    assert post(sam, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()).status_code == 201


def test_the_same_key_gives_the_same_run(sam: Client, site: Site) -> None:
    key = {"Idempotency-Key": "k 1!"}
    first, second = post(sam, headers=key), post(sam, headers=key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first["Location"] == second["Location"]
    other = post(sam, GOOD | {"name": "else"}, headers=key)
    assert other.status_code == 409
    assert other.json()["errors"][0]["code"] == "conflict"
    assert post(site.client(site.manager), headers=key).status_code == 201, "keys are per person"


@pytest.mark.parametrize("value", ["1", "true"])
def test_a_dry_run_shows_everything_and_makes_nothing(sam: Client, site: Site, value: str) -> None:
    before = Run.objects.count()
    answer = post(sam, url=f"{URL}?dry_run={value}")
    assert answer.status_code == 200
    body = answer.json()
    assert body["valid"] is True
    assert (body["pipeline"], body["system"], body["lab"]) == ("hello@1.0", "local", "lab-a")
    assert body["script"] == "#!/bin/sh\necho hello world\n"
    assert set(body) == {
        "valid",
        "pipeline",
        "system",
        "lab",
        "name",
        "resources",
        "script",
        "warnings",
        "plan",
        "plan_problem",
    }
    assert (body["plan"], body["plan_problem"]) == (None, None)  # a plain script has none
    assert Run.objects.count() == before


def test_dry_run_switched_off_makes_a_run(sam: Client) -> None:
    assert post(sam, url=f"{URL}?dry_run=0").status_code == 201


def test_a_dry_run_finds_the_same_faults(sam: Client) -> None:
    bad = {"pipeline": "hello", "name": 7}
    real, dry = post(sam, bad), post(sam, bad, url=f"{URL}?dry_run=1")
    assert real.status_code == dry.status_code == 400
    assert real.json() == dry.json()


def test_every_problem_is_named_with_its_place(sam: Client) -> None:
    text = '{\n  "pipeline": "hello",\n  "name": 7,\n  "system": "nowhere"\n}'
    answer = post(sam, text)
    assert answer.status_code == 400
    errors = {error["pointer"]: error for error in answer.json()["errors"]}
    assert set(errors) == {"/name", "/system"}
    assert (errors["/name"]["line"], errors["/name"]["column"]) == (3, 11)
    assert answer.json()["detail"].startswith("2 problems; the first: ")


def test_viewers_may_not_submit(site: Site) -> None:
    answer = post(site.client(site.viewer))
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "not_allowed"


def test_a_browser_session_needs_the_csrf_token(site: Site) -> None:
    client = site.client(site.submitter, enforce_csrf_checks=True)
    answer = post(client)
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert post(client, headers={"Origin": "https://evil.example"}).status_code == 403
    client.get("/accounts/tokens/")
    token = client.cookies["csrftoken"].value
    assert post(client, headers={"X-CSRFToken": token}).status_code == 201


def test_a_submission_takes_few_queries(sam: Client, django_assert_max_num_queries: Any) -> None:
    post(sam)
    with django_assert_max_num_queries(20):
        assert post(sam).status_code == 201
