"""The draft of the submission page, the links that fill it in, and what its form is made of."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from pipeline_management.models import Draft, Run
from pipeline_management.services import drafts
from pipeline_management.services.prefill import prefilled
from tests.factories import make_version
from tests.pages.site import Site
from tests.pages.test_submit import GOOD, send, text_in

ADDRESS = "/submit/draft/"
PLAIN = "text/plain; charset=utf-8"


def put(client: Client, text: str | bytes, query: str = "") -> Any:
    return client.put(f"{ADDRESS}?{query}", text, content_type=PLAIN)


@pytest.fixture
def client(site: Site) -> Client:
    return site.client("submitter")


def test_a_draft_comes_back_when_the_page_is_opened_plainly(client: Client) -> None:
    token = uuid.uuid4()
    answer = put(client, '{"name": "Grüße",\n', f"pipeline=hello@1.0&token={token}&revision=0")
    assert answer.status_code == 200
    assert answer.json()["revision"] == 1
    page = client.get("/submit/")
    assert text_in(page) == '{"name": "Grüße",\n'
    body = page.content.decode()
    assert '<option value="hello@1.0" selected>' in body
    assert "Your draft is here again" in body
    assert f'name="token" value="{token}"' in body
    assert 'data-revision="1"' in body
    kept = client.get(ADDRESS).json()["draft"]
    assert (kept["text"], kept["token"], kept["sent"]) == ('{"name": "Grüße",\n', str(token), False)


def test_nobody_sees_the_draft_of_another(site: Site, client: Client) -> None:
    put(client, "secret")
    manager = site.client("manager")
    assert manager.get(ADDRESS).json() == {"draft": None}
    assert text_in(manager.get("/submit/")) == ""
    put(manager, "mine")
    assert client.get(ADDRESS).json()["draft"]["text"] == "secret"
    manager.delete(ADDRESS)
    assert Draft.objects.get().text == "secret"


def test_a_link_goes_before_the_draft_and_says_so(client: Client) -> None:
    put(client, '{"name": "kept"}')
    page = client.get("/submit/?pipeline=hello")
    assert json.loads(text_in(page))["name"] == "world"
    assert "You have another draft" in page.content.decode()
    assert Draft.objects.get().text == '{"name": "kept"}'


def test_of_two_windows_the_older_one_is_told(client: Client) -> None:
    first = put(client, "one", "revision=0").json()["revision"]
    second = put(client, "two", f"revision={first}").json()["revision"]
    assert second == first + 1
    late = put(client, "three", f"revision={first}")
    assert late.status_code == 409
    assert "another window" in late.json()["errors"][0]["message"]
    assert Draft.objects.get().text == "two"
    assert put(client, "four").status_code == 200  # who knows no revision writes over it


def test_it_is_discarded_with_and_without_scripts(client: Client) -> None:
    for discard in (client.delete, client.post):
        put(client, "{")
        assert discard(ADDRESS).status_code in (204, 302)
        assert not Draft.objects.exists()
        assert discard(ADDRESS).status_code in (204, 302)
    assert text_in(client.get("/submit/")) == ""


@pytest.mark.parametrize(
    ("body", "query", "status", "named"),
    [
        (b"\xff", "", 400, "UTF-8"),
        ("x", "revision=-1", 400, "revision"),
        ("x", "revision=99999999999", 400, "revision"),
        ("x", "revision=%D9%A3", 400, "revision"),
        ("x", f"pipeline={'p' * 300}", 400, "pipeline has 300 characters"),
        ("x", f"origin={'p' * 300}", 400, "origin"),
        (b"x" * 10_000_001, "", 413, "10 MB"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_reason(
    client: Client, body: Any, query: str, status: int, named: str
) -> None:
    answer = put(client, body, query)
    assert answer.status_code == status
    assert named in answer.json()["errors"][0]["message"]
    assert not Draft.objects.exists()


def test_hostile_text_comes_back_as_text(client: Client) -> None:
    hostile = '</textarea><script>alert(1)</script>\u202e\x00{"a": "\\u0000"}'
    put(client, hostile)
    page = client.get("/submit/")
    assert text_in(page) == hostile.replace("\u202e", "\\u202e").replace("\x00", "\\u0000"), "seen, and the same JSON"
    assert client.get(ADDRESS).json()["draft"]["text"] == hostile
    assert "<script>alert" not in page.content.decode()


def test_who_may_not_submit_has_no_draft(site: Site) -> None:
    viewer = site.client("viewer")
    assert put(viewer, "x").status_code == 403
    assert "data-address" not in viewer.get("/submit/").content.decode()


def test_a_run_ends_its_draft_but_the_way_back_finds_it(client: Client) -> None:
    token = str(uuid.uuid4())
    put(client, GOOD)
    assert send(client, token=token).status_code == 302
    assert text_in(client.get("/submit/")) == ""
    kept = client.get(ADDRESS).json()["draft"]
    assert (kept["text"], kept["token"], kept["sent"]) == (GOOD, token, True)
    late = put(
        client, "late", "revision=1"
    )  # the page's last save, on its way while the form was sent
    assert late.status_code == 409
    assert text_in(client.get("/submit/")) == ""


def test_what_was_refused_is_kept(client: Client) -> None:
    assert send(client, '{"pipeline": "hello"}').status_code == 400
    assert Run.objects.count() == 0
    assert text_in(client.get("/submit/")) == '{"pipeline": "hello"}'


def test_drafts_are_forgotten_after_thirty_days_sent_ones_after_one(site: Site) -> None:
    now = timezone.now()
    ages = {"manager": (29, None), "viewer": (31, None), "submitter": (2, 2), "outsider": (0, 0)}
    for name, (saved, sent) in ages.items():
        drafts.save(site.people[name], drafts.Content("x"))
        at = None if sent is None else now - timedelta(days=sent, minutes=1)
        Draft.objects.filter(user=site.people[name]).update(
            saved_at=now - timedelta(days=saved), sent_at=at
        )
    drafts.delete_expired()
    left = Draft.objects.values_list("user__username", flat=True)
    assert sorted(left) == ["manager", "outsider"]


# --- links ------------------------------------------------------------------------------------------------------

LINKED = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": ["number", "null"]},
        "flag": {"type": "boolean"},
        "mixed": {"type": ["string", "boolean"]},
        "style": {"enum": ["a", 2, True]},
        "part": {"$ref": "#/$defs/part"},
        "dotted.key": {"type": "integer"},
    },
    "$defs": {"part": {"type": "object", "properties": {"depth": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("pair", "wanted"),
    [
        (("text", "007"), {"text": "007"}),
        (("count", "7"), {"count": 7}),
        (("count", "7.5"), {"count": "7.5"}),
        (("count", "many"), {"count": "many"}),
        (("count", "9" * 5000), {"count": "9" * 5000}),
        (("share", "0.5"), {"share": 0.5}),
        (("share", "NaN"), {"share": "NaN"}),
        (("share", "1e999"), {"share": "1e999"}),
        (("flag", "true"), {"flag": True}),
        (("flag", "maybe"), {"flag": "maybe"}),
        (("mixed", "true"), {"mixed": "true"}),
        (("style", "2"), {"style": 2}),
        (("style", "true"), {"style": True}),
        (("style", "z"), {"style": "z"}),
        (("part.depth", "3"), {"part": {"depth": 3}}),
        (("part.other", "3"), {"part.other": "3"}),
        (("dotted.key", "3"), {"dotted.key": 3}),
        (("unknown", "1"), {"unknown": "1"}),
        (("holdConfig", "true"), {"holdConfig": True}),
        (("system", "gemini"), {"system": "gemini"}),
        (("__proto__", "x"), {"__proto__": "x"}),
        (("", "x"), {"": "x"}),
    ],
)
def test_a_link_s_values_become_what_the_schema_asks_for(pair: Any, wanted: Any) -> None:
    assert prefilled("p@1", LINKED, [pair]) == {"pipeline": "p@1"} | wanted


def test_a_link_with_values_starts_without_the_example(site: Site, client: Client) -> None:
    page = client.get("/submit/?pipeline=hello@1.0&times=3&name=%3Cb%3E")
    assert json.loads(text_in(page)) == {"pipeline": "hello@1.0", "times": 3, "name": "<b>"}
    body = page.content.decode()
    assert '<option value="hello@1.0" selected>' in body
    assert 'data-tab="form"' in body


@pytest.mark.parametrize("name", ["nothing", "notours", "hello@9"])
def test_a_link_to_what_one_may_not_run_says_only_that(
    site: Site, client: Client, name: str
) -> None:
    make_version("notours", all_labs=False).labs.add(site.other_lab)
    page = client.get(f"/submit/?pipeline={name}&a=1")
    assert page.status_code == 200
    assert "there is none of that name that you may run" in page.content.decode()
    assert json.loads(text_in(page)) == {"pipeline": name, "a": "1"}


# --- what the form is made of -----------------------------------------------------------------------------------


def test_the_form_gets_schema_example_and_choices(site: Site, client: Client) -> None:
    answer = client.get("/pipelines/hello/schema/?version=1.0")
    assert answer.status_code == 200
    found = answer.json()
    assert found["pipeline"] == "hello@1.0"
    assert found["schema"] == site.version.schema
    assert found["example"] == site.version.example
    assert [lab["value"] for lab in found["labs"]] == ["genomics"]
    assert [system["value"] for system in found["systems"]] == ["cluster"]


def test_versions_are_found_by_their_aliases(site: Site, client: Client) -> None:
    make_version("hello", "2.0-dev", system=site.account.system, is_development=True)
    wanted = {
        "": "hello@1.0",
        "?version=latest": "hello@1.0",
        "?version=development": "hello@2.0-dev",
    }
    for query, name in wanted.items():
        assert client.get(f"/pipelines/hello/schema/{query}").json()["pipeline"] == name
    assert client.get("/pipelines/hello/schema/?version=9").status_code == 404


def test_the_schema_of_another_lab_s_pipeline_is_not_there(site: Site, client: Client) -> None:
    version = make_version("theirs", all_labs=False)
    version.labs.add(site.other_lab)
    assert client.get("/pipelines/theirs/schema/").status_code == 404
    assert site.client("outsider").get("/pipelines/theirs/schema/").status_code == 200


def test_only_labs_that_may_run_the_version_are_offered(site: Site) -> None:
    version = make_version("shared", all_labs=False, system=site.account.system)
    version.labs.add(site.lab)
    answer = site.client("administrator").get("/pipelines/shared/schema/").json()
    assert [lab["value"] for lab in answer["labs"]] == ["genomics"]
    assert site.client("viewer").get("/pipelines/shared/schema/").json()["labs"] == []
