"""What administrators do in the catalogue, and what becomes of it for everybody."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.models import (
    AuditEvent,
    CatalogueUpload,
    PipelineVersion,
    SystemQueue,
    UsageDay,
)
from pipeline_management.services.catalogue.markdown import rendered
from pipeline_management.services.resolution import resolve
from tests.factories import make_account, make_run, make_system, make_version
from tests.pages.site import Site


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def yaml_of(site: Site, **changes: Any) -> bytes:
    part = {
        "name": "fresh",
        "version": "1.0",
        "title": "<b>Fresh</b>",
        "systems": [site.account.system.name],
        "labs": ["*"],
        "schema": {"type": "object"},
        "script": "true",
        "documentation": "# How\n\n<script>alert(1)</script> [x](javascript:alert(1))",
        **changes,
    }
    return json.dumps(part).encode()  # JSON is YAML


def send(client: Client, data: bytes, name: str = "fresh.yaml") -> Any:
    return client.post("/catalogue/upload/", {"file": SimpleUploadedFile(name, data)})


# --- uploads --------------------------------------------------------------------------------------


def test_an_upload_is_shown_confirmed_and_there(site: Site) -> None:
    client = site.client("administrator")
    shown = send(client, yaml_of(site))
    assert shown.status_code == 302
    assert not PipelineVersion.objects.filter(pipeline__name="fresh").exists()
    text = page(client, shown.url)
    assert "fresh@1.0" in text and "Store it" in text and "&lt;b&gt;Fresh" in text
    stored = client.post(shown.url)
    assert stored.url == "/pipelines/fresh/?version=1.0"
    text = page(site.client("viewer"), stored.url)
    assert "<h3>How</h3>" in text
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert "javascript:alert" not in re.sub(r"\[x\]\(javascript:alert\(1\)\)", "", text)
    assert AuditEvent.objects.filter(action="catalogue.upload", target="fresh@1.0").exists()


def test_problems_are_listed_and_nothing_is_kept(site: Site) -> None:
    client = site.client("administrator")
    answer = send(client, yaml_of(site, systems=["<i>x"], colour=1))
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "<code>colour</code>: is not a known key" in text
    answer = send(client, yaml_of(site, systems=["<i>x"], labs=["nobody"]))
    text = answer.content.decode()
    assert "2 problems in fresh.yaml" in text and "&lt;i&gt;x" in text
    assert not CatalogueUpload.objects.exists()
    assert AuditEvent.objects.filter(action="catalogue.refused").count() == 2


def test_no_file_and_one_that_is_too_large(site: Site) -> None:
    client = site.client("administrator")
    assert client.post("/catalogue/upload/").status_code == 400
    answer = send(client, b"#" * 2_100_000)
    assert answer.status_code == 400 and "expected at most 2000000" in answer.content.decode()


def test_an_upload_may_be_discarded_and_is_its_owner_s(site: Site) -> None:
    client = site.client("administrator")
    address = send(client, yaml_of(site)).url
    CatalogueUpload.objects.update(owner=site.people["manager"])
    assert client.get(address).status_code == 404
    CatalogueUpload.objects.update(owner=site.people["administrator"])
    assert client.post(address, {"discard": "1"}).status_code == 302
    assert not CatalogueUpload.objects.exists()


def test_what_cannot_be_stored_any_more_says_why(site: Site) -> None:
    client = site.client("administrator")
    address = send(client, yaml_of(site)).url
    other = make_version("fresh", "1.0", system=site.account.system)
    make_run(version=other, account=site.account)
    answer = client.post(address)
    assert answer.status_code == 409 and "has runs and would change" in answer.content.decode()


@pytest.mark.parametrize(
    "address", ["/catalogue/upload/", "/pipelines/hello/versions/1.0/settings/", "/maintenance/"]
)
def test_others_are_told_that_it_is_not_theirs(site: Site, address: str) -> None:
    assert "Only administrators may do that." in page(site.client("manager"), address, 403)


# --- settings -------------------------------------------------------------------------------------


def change(site: Site, version: PipelineVersion, **values: Any) -> Any:
    address = f"/pipelines/{version.pipeline.name}/versions/{version.version}/settings/"
    form = {"systems": [site.account.system.pk], "all_labs": "on", **values}
    return site.client("administrator").post(
        address, {k: v for k, v in form.items() if v is not None}
    )


def test_who_may_run_it_is_changed(site: Site) -> None:
    assert change(site, site.version, all_labs=None, labs=[site.other_lab.pk]).status_code == 302
    page(site.client("viewer"), "/pipelines/hello/", 404)
    page(site.client("outsider"), "/pipelines/hello/")
    event = AuditEvent.objects.get(action="catalogue.settings")
    assert event.data["labs"] == [site.other_lab.slug]


def test_a_hidden_version_is_only_the_administrators_and_takes_no_runs(site: Site) -> None:
    assert change(site, site.version, is_hidden="on").status_code == 302
    page(site.client("submitter"), "/pipelines/hello/", 404)
    text = page(site.client("administrator"), "/pipelines/hello/")
    assert "This version is hidden" in text and "Launch" not in text
    for person in ("submitter", "administrator"):
        found = resolve(site.people[person], {"pipeline": "hello@1.0"})
        assert found.version is None


def test_the_latest_may_be_an_older_one(site: Site) -> None:
    make_version("hello", "2.0", system=site.account.system)
    assert resolve(site.people["submitter"], {"pipeline": "hello"}).version.version == "2.0"  # type: ignore[union-attr]
    assert change(site, site.version, is_pinned="on").status_code == 302
    assert resolve(site.people["submitter"], {"pipeline": "hello"}).version == site.version
    assert "hello</a></h2>" in (text := page(site.client("viewer"), "/pipelines/"))
    assert '<span class="tag">1.0</span>' in text
    api = site.client("viewer").get("/api/v1/pipelines/hello/").json()
    assert api["latest"] == "1.0"
    assert (
        site.client("viewer").get("/api/v1/pipelines/hello/versions/latest/").json()["version"]
        == "1.0"
    )


def test_settings_that_contradict_each_other(site: Site) -> None:
    answer = change(site, site.version, is_pinned="on", is_development="on")
    assert answer.status_code == 400 and "cannot be the latest" in answer.content.decode()
    answer = change(site, site.version, default_system=make_system().pk)
    assert (
        answer.status_code == 400
        and "one of the systems that are ticked" in answer.content.decode()
    )


# --- the catalogue --------------------------------------------------------------------------------


def test_the_list_is_searched_and_tells_how_pipelines_fare(site: Site) -> None:
    make_version("other", system=site.account.system)
    UsageDay.objects.create(
        key="k", day=timezone.now().date(), lab=site.lab, submitter=site.people["submitter"],
        pipeline=site.version.pipeline, system=site.account.system, runs=5, succeeded=3, failed=1,
    )  # fmt: skip
    text = page(site.client("manager"), "/pipelines/?q=hel")
    assert "hello</a>" in text and "other</a>" not in text
    assert "5 runs" in text and "75 % succeeded" in text
    assert "No pipeline matches that search." in page(
        site.client("manager"), "/pipelines/?q=nothing-like-it"
    )


def test_the_list_s_queries_do_not_grow(site: Site) -> None:
    client = site.client("viewer")

    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as found:
            page(client, address)
        return len(found)

    count("/pipelines/")
    few = count("/pipelines/"), count("/systems/")
    for _ in range(10):
        account = make_account()
        make_version(system=account.system)
        SystemQueue.objects.create(system=account.system, name="q", at=timezone.now())
    assert (count("/pipelines/"), count("/systems/")) == few


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,<script>)",
        "[a](vbscript:x)",
        "<a href='javascript:x'>",
        '![x](http://elsewhere.example/"onload="x)',
        "[a]: javascript:alert(1)\n\n[a]",
        "<javascript:alert(1)>",
        "```<script>\n</script>\n```",
        "| <b> |\n|---|\n| <script> |",
    ],
)
def test_documentation_does_no_harm(text: str) -> None:
    html = rendered(text)
    tags = set(re.findall(r"<\s*([a-zA-Z0-9]+)", html))
    assert tags <= {
        "p",
        "a",
        "code",
        "pre",
        "h3",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "em",
        "strong",
    }
    for attribute in re.findall(r"<[^>]*>", html):
        assert "onerror" not in attribute and "onload" not in attribute.replace(
            "&quot;onload", ""
        ).replace("%22onload", "")
        assert not re.search(r"href=\"(javascript|data|vbscript):", attribute)


def test_documentation_shows_no_pictures_and_no_turned_text() -> None:
    html = rendered("![a cat](https://elsewhere.example/cat.png) and \u202egnp.exe")
    assert "<img" not in html and 'href="https://elsewhere.example/cat.png"' in html
    assert "\u202e" not in html
    assert "<h3>" in rendered("# One") and "<h6>" in rendered("###### Six")
