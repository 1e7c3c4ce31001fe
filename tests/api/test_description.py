"""The OpenAPI description: valid, without warnings, kept as a file, true to the addresses; the API's pages."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.urls import get_resolver

from tests.api.site import JSON, Site

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi" / "v1.yaml"


@pytest.fixture(scope="module")
def text() -> str:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return out.getvalue()


def test_the_file_is_up_to_date(text: str) -> None:
    hint = ".venv/bin/python manage.py spectacular --validate --fail-on-warn --file docs/openapi/v1.yaml"
    assert FILE.read_text() == text, f"run: {hint}"


def test_every_address_is_described(text: str) -> None:
    described = {path.removeprefix("/api/v1/") for path in yaml.safe_load(text)["paths"]}
    resolver = next(p for p in get_resolver().url_patterns if str(p.pattern) == "api/v1/")
    addresses = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        for pattern in resolver.url_patterns
        if pattern.name not in ("api-schema", "api-docs", "api-reference", "api-nothing")
    }
    assert described == addresses


def test_every_operation_says_what_it_is(text: str) -> None:
    for path, methods in yaml.safe_load(text)["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (method, path)
            assert operation["operationId"]
            if operation["operationId"] == "report_run_events":
                assert operation["security"] == [{"runToken": []}]
                continue
            assert {"basicAuth": []} in operation["security"]
            assert {"tokenAuth": []} in operation["security"]


def test_answers_are_as_described(site: Site, text: str) -> None:
    """The keys of real answers are those of the description, none more, none less."""
    schemas = yaml.safe_load(text)["components"]["schemas"]

    def agree(value: Any, name: str) -> None:
        assert set(value) == set(schemas[name]["properties"]), name

    client = site.client(site.submitter)
    run = f"/api/v1/runs/{site.run.pk}/"
    site.run.attempts.create(number=1, script_sha256="0" * 64)
    agree(client.get("/api/v1/runs/").json()["results"][0], "ListedRun")
    agree(client.get(run).json(), "RunDetail")
    agree(client.get(run).json()["attempts"][0], "Attempt")
    agree(client.get(run).json()["links"], "Links")
    agree(client.get(run).json()["last_confirmation"], "Confirmation")
    agree(client.get(f"{run}events/").json(), "EventPage")
    agree(client.get(f"{run}events/").json()["results"][0], "Event")
    agree(client.get(f"{run}log/?format=json").json(), "Log")
    agree(client.put(f"{run}labels/new/").json(), "Labels")
    agree(client.post(f"{run}notes/", {"text": "x"}, content_type=JSON).json(), "Note")
    agree(client.get(f"{run}notes/").json(), "NoteList")
    agree(client.get("/api/v1/pipelines/hello/").json(), "Pipeline")
    agree(client.get("/api/v1/pipelines/hello/versions/latest/").json(), "Version")
    agree(client.get("/api/v1/systems/local/").json(), "System")
    agree(client.get("/api/v1/whoami/").json(), "WhoAmI")
    body = {"pipeline": "hello", "name": "x"}
    agree(client.post("/api/v1/new-run/?dry_run=1", body, content_type=JSON).json(), "PlannedRun")
    judged = client.post("/api/v1/validate/?preflight=1", body, content_type=JSON).json()
    agree(judged, "Validation")
    agree(judged["estimate"], "Estimate")
    agree(judged["preflight"], "Preflight")
    agree(judged["preflight"]["steps"][0], "Step")
    agree(client.post("/api/v1/new-run/", body, content_type=JSON).json(), "Created")
    agree(client.post("/api/v1/tokens/", {"name": "t"}, content_type=JSON).json(), "CreatedToken")
    agree(client.get("/api/v1/tokens/").json()["results"][0], "Token")
    error = client.get("/api/v1/runs/?x=1").json()
    agree(error, "Error")
    of_workbooks = {"sheet": "", "cell": ""}
    agree(error["errors"][0] | of_workbooks, "Problem")


def test_the_schema_is_served(site: Site) -> None:
    answer = site.client(site.viewer).get("/api/v1/schema/")
    assert yaml.safe_load(answer.content)["openapi"].startswith("3.")


def test_the_guide_shows_a_request_that_works_here(site: Site) -> None:
    answer = site.client(site.submitter).get("/api/v1/docs/")
    page = answer.content.decode()
    assert "curl --netrc " in page
    assert "http://testserver/api/v1/new-run/" in page
    assert "machine testserver login sam" in page
    assert "hello@1.0" in page


@pytest.mark.parametrize("path", ["/api/v1/docs/", "/api/v1/docs/reference/"])
def test_pages_carry_no_inline_code_and_nothing_from_elsewhere(site: Site, path: str) -> None:
    answer = site.client(site.viewer).get(path)
    page = answer.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style", page)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//(?!testserver)[^\"]*", page)
    assert "unsafe" not in answer["Content-Security-Policy"]


def test_the_reference_gets_its_script(site: Site) -> None:
    client = site.client(site.viewer)
    page = client.get("/api/v1/docs/reference/").content.decode()
    source = re.search(r'src="(/api/v1/docs/reference/[^"]+)"', page)
    assert source, page[-600:]
    answer = client.get(source[1].replace("&amp;", "&"))
    assert "javascript" in answer["Content-Type"]
    assert b"SwaggerUIBundle(" in answer.content


def test_pipelines_and_versions(site: Site) -> None:
    client = site.client(site.submitter)
    body = client.get("/api/v1/pipelines/hello/").json()
    assert (body["latest"], body["development"]) == ("1.0", None)
    for version in ("1.0", "latest"):
        one = client.get(f"/api/v1/pipelines/hello/versions/{version}/").json()
        assert (one["version"], one["systems"], one["example"]["name"]) == (
            "1.0",
            ["local"],
            "world",
        )
    schema = client.get("/api/v1/pipelines/hello/versions/latest/schema/").json()
    assert schema == site.version.schema
    names = [row["name"] for row in client.get("/api/v1/pipelines/").json()["results"]]
    assert names == ["hello", "secret"]
    others = site.client(site.stranger).get("/api/v1/pipelines/").json()["results"]
    assert [row["name"] for row in others] == ["hello"]


def test_systems_show_no_secrets(site: Site) -> None:
    body = site.client(site.administrator).get("/api/v1/systems/local/").json()
    assert not {"host", "port", "host_keys", "credential", "workdir"} & set(body)


def test_whoami(site: Site) -> None:
    body = site.client(site.manager).get("/api/v1/whoami/").json()
    assert body["username"] == "mona" and body["is_administrator"] is False
    assert body["labs"] == [{"slug": "lab-a", "name": "lab-a", "role": "manager"}]
    assert (body["authenticated_by"], body["token"]) == ("session", None)


def test_a_missing_last_slash_leads_on_for_reading(site: Site) -> None:
    answer = site.client(site.viewer).get("/api/v1/runs?state=failed")
    assert (answer.status_code, answer["Location"]) == (301, "/api/v1/runs/?state=failed")
