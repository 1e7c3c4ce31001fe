"""A token that may only read sees what its person sees, and changes nothing wherever it is used."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from django.test import Client

from accounts.models import ApiToken
from accounts.services import create_token
from pipeline_management.models import AuditEvent, Run, RunEvent
from tests.api.site import Site
from tests.api.test_bad_requests import assert_error
from tests.api.test_description import FILE

pytestmark = pytest.mark.django_db

DESCRIBED = yaml.safe_load(FILE.read_text())["paths"]
ANSWERING = {"/api/v1/validate/", "/api/v1/workbook/marked/"}
CHANGES = sorted(
    (method.upper(), path)
    for path, methods in DESCRIBED.items()
    for method, what in methods.items()
    if method in ("post", "put", "patch", "delete")
    and path not in ANSWERING
    and {"runToken": []} not in what.get("security", [])
)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def filled(path: str, run: Run) -> str:
    """The address with something in each place; a refusal comes before anything is looked up."""
    known = path.replace("{run_id}", str(run.pk)).replace("{transfer_id}", str(run.pk))
    return re.sub(r"\{\w+\}", "1", known)


def test_all_that_changes_something_is_described() -> None:
    assert len(CHANGES) > 20
    assert ("POST", "/api/v1/new-run/") in CHANGES


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_it_changes_nothing(site: Site, method: str, path: str) -> None:
    run = site.run
    token, text = create_token(site.manager, "display", read_only=True)
    before = rows()
    answer = Client().generic(
        method, filled(path, run), "{}", content_type="application/json", headers=bearer(text)
    )
    assert_error(answer, 403, "permission_denied", "token")
    assert rows() == before
    assert ApiToken.objects.filter(pk=token.pk).exists()


def rows() -> list[Any]:
    models = (Run, RunEvent, ApiToken, AuditEvent)
    return [
        [model.objects.count() for model in models],
        list(Run.objects.values_list("state", "desired")),
    ]


def test_it_reads_and_it_checks(site: Site) -> None:
    run = site.run
    _, text = create_token(site.manager, "display", read_only=True)
    client = Client(headers=bearer(text))
    assert client.get(f"/api/v1/runs/{run.pk}/").json()["id"] == str(run.pk)
    body = json.dumps({"pipeline": "nowhere"})
    answer = client.post("/api/v1/validate/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert (
        client.post("/api/v1/workbook/marked/").status_code == 415
    )  # let in, and asked for a workbook


def test_it_is_made_and_listed(site: Site) -> None:
    client = site.client(site.manager)
    wanted = {"name": "display", "read_only": True}
    made = client.post("/api/v1/tokens/", wanted, content_type="application/json")
    assert (made.status_code, made.json()["read_only"]) == (201, True)
    other = client.post("/api/v1/tokens/", {"name": "script"}, content_type="application/json")
    assert other.json()["read_only"] is False
    listed = client.get("/api/v1/tokens/").json()["results"]
    assert {one["name"]: one["read_only"] for one in listed} == {"display": True, "script": False}
    wrong = client.post(
        "/api/v1/tokens/", {"name": "x", "read_only": "perhaps"}, content_type="application/json"
    )
    assert_error(wrong, 400, "invalid", "boolean")


@pytest.mark.parametrize(("ticked", "expected"), [({"read_only": "on"}, True), ({}, False)])
def test_the_page_makes_one(site: Site, ticked: dict[str, str], expected: bool) -> None:
    client = site.client(site.submitter)
    answer = client.post("/accounts/tokens/", {"name": "wall", "last_day": "", **ticked})
    assert answer.status_code == 200
    assert ApiToken.objects.get(name="wall").read_only is expected
    assert ("only reads" in answer.content.decode()) is expected
