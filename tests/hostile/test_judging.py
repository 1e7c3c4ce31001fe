"""What judges the pages sees each of the values where it is taken for mark-up; and what keeps them harmless works."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.utils.html import escape

from centro.middleware import VisibleTextMiddleware
from tests.hostile.judging import faults_of
from tests.hostile.values import VALUES

TEXTS = [name for name, value in VALUES.items() if "<" in value and "xq7" in value.lower()]
QUOTED = ["svg", "attribute"]
ADDRESSES = ["javascript", "javascript, capitals", "data address", "other host", "back slashes"]
UNSEEN = ["right to left", "isolates", "lines", "terminal"]


@pytest.mark.parametrize("name", TEXTS)
def test_mark_up_is_seen(name: str) -> None:
    assert faults_of(f"<!doctype html><div>{VALUES[name]}</div>")
    assert faults_of(f"<!doctype html><div>{escape(VALUES[name])}</div>") == []


@pytest.mark.parametrize("name", QUOTED)
def test_attributes_are_seen(name: str) -> None:
    assert faults_of(f'<p title="{VALUES[name]}">')
    assert faults_of(f'<p title="{escape(VALUES[name])}">') == []


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses_are_seen(name: str) -> None:
    assert faults_of(f'<a href="{escape(VALUES[name])}">')


@pytest.mark.parametrize("name", UNSEEN)
def test_marks_that_nobody_sees_are_seen_and_written_out(name: str) -> None:
    page = f"<p>{escape(VALUES[name])}</p>"
    assert faults_of(page)
    assert faults_of(passed(HttpResponse(page)).content.decode()) == []


def passed(response: Any) -> Any:
    return VisibleTextMiddleware(lambda _request: response)(RequestFactory().get("/"))


def test_pages_are_written_out_and_other_answers_are_not() -> None:
    text = "a\u202eb\x1b[2J\tc\r\n\x85\u200d"
    assert passed(HttpResponse(text)).content.decode() == "a\\u202eb\\u001b[2J\tc\r\n\\u0085\u200d"
    for kind in ("text/plain; charset=utf-8", "application/json", "text/csv"):
        assert passed(HttpResponse(text, content_type=kind)).content.decode() == text
    streamed = StreamingHttpResponse([text.encode()])
    assert b"".join(passed(streamed).streaming_content) == text.encode()
    assert passed(HttpResponse(b"\xff", content_type="image/png")).content == b"\xff"
