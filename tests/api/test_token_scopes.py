"""A token sees what its person sees, and does no more than its scope, wherever it is used."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from django.test import Client

from accounts.models import ApiToken, TokenScope
from accounts.services import create_token
from pipeline_management.models import AuditEvent, Run, RunEvent
from tests.api.site import Site
from tests.api.test_bad_requests import assert_error
from tests.api.test_description import FILE

pytestmark = pytest.mark.django_db

DESCRIBED = yaml.safe_load(FILE.read_text())["paths"]
ANSWERING = {"/api/v1/validate/", "/api/v1/workbook/marked/"}
"""What is posted there is only judged."""
ALL_ONLY = re.compile(r"/api/v1/(transfers/.*|tokens/.*|runs/\{run_id\}/settle/)")
"""Files, the person's own affairs, and what administrators decide."""
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
    beyond = {path for _, path in CHANGES if ALL_ONLY.fullmatch(path)}
    assert len(CHANGES) > 20
    assert 5 < len(beyond) < 12
    assert ("POST", "/api/v1/new-run/") in CHANGES


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_one_that_reads_changes_nothing(site: Site, method: str, path: str) -> None:
    refused(site, TokenScope.READ, method, path)


@pytest.mark.parametrize(("method", "path"), [c for c in CHANGES if ALL_ONLY.fullmatch(c[1])])
def test_one_that_submits_does_nothing_else(site: Site, method: str, path: str) -> None:
    refused(site, TokenScope.SUBMIT, method, path)


@pytest.mark.parametrize("scope", [TokenScope.SUBMIT, TokenScope.ALL])
@pytest.mark.parametrize(("method", "path"), [c for c in CHANGES if not ALL_ONLY.fullmatch(c[1])])
def test_it_is_let_in_to_what_its_scope_is_for(
    site: Site, method: str, path: str, scope: TokenScope
) -> None:
    """What the view then says of an empty request is its own affair."""
    _, text = create_token(site.manager, "lims", scope=scope)
    assert "token's scope" not in ask(site, text, method, path).content.decode()


@pytest.mark.parametrize(("method", "path"), [c for c in CHANGES if ALL_ONLY.fullmatch(c[1])])
def test_one_for_everything_is_let_in_everywhere(site: Site, method: str, path: str) -> None:
    _, text = create_token(site.manager, "script")
    assert "token's scope" not in ask(site, text, method, path).content.decode()


def ask(site: Site, text: str, method: str, path: str) -> Any:
    return Client().generic(
        method, filled(path, site.run), "{}", content_type="application/json", headers=bearer(text)
    )


def refused(site: Site, scope: TokenScope, method: str, path: str) -> None:
    token, text = create_token(site.manager, "display", scope=scope)
    before = rows()
    answer = ask(site, text, method, path)
    assert_error(answer, 403, "permission_denied", f"This token's scope is “{scope}”")
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
    _, text = create_token(site.manager, "display", scope=TokenScope.READ)
    client = Client(headers=bearer(text))
    assert client.get(f"/api/v1/runs/{run.pk}/").json()["id"] == str(run.pk)
    assert client.get("/api/v1/whoami/").json()["scope"] == "read"
    body = json.dumps({"pipeline": "nowhere"})
    answer = client.post("/api/v1/validate/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert (
        client.post("/api/v1/workbook/marked/").status_code == 415
    )  # let in, and asked for a workbook


def test_it_submits_and_cancels(site: Site) -> None:
    _, text = create_token(site.submitter, "lims", scope=TokenScope.SUBMIT)
    client = Client(headers=bearer(text))
    body = json.dumps({"pipeline": "hello", "lab": site.lab.slug, "name": "Ada"})
    made = client.post("/api/v1/new-run/", body, content_type="application/json")
    assert made.status_code == 201, made.content
    address = f"/api/v1/runs/{made.json()['id']}/cancel/"
    assert client.post(address).status_code == 202


def test_it_is_made_and_listed(site: Site) -> None:
    client = site.client(site.manager)
    for name, wanted, expected in (
        ("display", {"scope": "read"}, "read"),
        ("lims", {"scope": "submit"}, "submit"),
        ("script", {}, "all"),
    ):
        made = client.post(
            "/api/v1/tokens/", {"name": name, **wanted}, content_type="application/json"
        )
        assert (made.status_code, made.json()["scope"]) == (201, expected)
    listed = client.get("/api/v1/tokens/").json()["results"]
    scopes = {one["name"]: one["scope"] for one in listed}
    assert scopes == {"display": "read", "lims": "submit", "script": "all"}
    assert client.get("/api/v1/whoami/").json()["scope"] == "all"
    wrong = client.post(
        "/api/v1/tokens/", {"name": "x", "scope": "perhaps"}, content_type="application/json"
    )
    assert_error(wrong, 400, "invalid_choice", "perhaps")


@pytest.mark.parametrize("scope", TokenScope)
def test_the_page_makes_one(site: Site, scope: TokenScope) -> None:
    client = site.client(site.submitter)
    answer = client.post("/accounts/tokens/", {"name": "wall", "last_day": "", "scope": scope})
    assert answer.status_code == 200
    assert ApiToken.objects.get(name="wall").scope == scope
    assert f'<td data-label="It may">{scope.label}</td>' in answer.content.decode()


@pytest.mark.parametrize("scope", ["", "admin", "READ"])
def test_the_page_makes_none_of_another_scope(site: Site, scope: str) -> None:
    client = site.client(site.submitter)
    answer = client.post("/accounts/tokens/", {"name": "wall", "last_day": "", "scope": scope})
    assert answer.status_code == 400
    assert "scope" in answer.context["form"].errors
    assert not ApiToken.objects.exists()
