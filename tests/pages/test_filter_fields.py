"""The fields of the run list's filter: what was asked for stands in them again, and so does what is wrong with it."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.pages.site import Site

pytestmark = pytest.mark.django_db


def page(site: Site, query: str) -> str:
    return site.client("submitter").get(f"/runs/?{query}").content.decode()


def test_what_was_asked_for_stands_in_the_fields(site: Site) -> None:
    text = page(site, "lab=genomics&text=%22%3E%3Cb%3E&created_after=2026-01-02&submitter=me")
    assert re.search(r'<option value="genomics" selected>[^<]+</option>', text)
    assert (
        'name="text" value="&quot;&gt;&lt;b&gt;" class="form-control" id="id_text" maxlength="200"'
        in text
    )
    assert '<input type="date" name="created_after" value="2026-01-02"' in text
    assert '<label for="id_submitter" class="form-label">Submitter</label>' in text
    assert text.count('<option value="" selected>Any</option>') == 2, "pipeline and system"
    assert "is-invalid" not in text


def test_what_is_wrong_is_said_beside_the_field(site: Site) -> None:
    text = page(site, "created_before=yesterday&lab=nowhere")
    for name in ("created_before", "lab"):
        assert f'aria-invalid="true" aria-describedby="id_{name}_error"' in text
        assert f'<div id="id_{name}_error" class="invalid-feedback"><p><strong>' in text
    assert 'value="yesterday" class="form-control is-invalid"' in text


def test_fields_that_nobody_set_are_made_once_and_each_persons_own(site: Site) -> None:
    client, other = site.client("submitter"), site.client("outsider")
    with CaptureQueriesContext(connection) as first:
        text = client.get("/runs/").content.decode()
    with CaptureQueriesContext(connection) as again:
        assert fields_in(client.get("/runs/?q=state:failed").content.decode()) == fields_in(text)
    assert len(again) < len(first)
    assert 'value="genomics"' in fields_in(text)
    assert 'value="genomics"' not in fields_in(other.get("/runs/").content.decode())
    mine = fields_in(client.get("/runs/?submitter=me").content.decode())
    assert 'name="submitter" value="me"' in mine
    assert 'name="submitter" value=""' in fields_in(client.get("/runs/").content.decode())


def fields_in(text: str) -> str:
    return text.split('id="state-chips"')[1].split("</form>")[0]
