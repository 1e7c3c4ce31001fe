"""A run's output by the API: pieces, search, line numbers, download; for whom, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from pipeline_management.choices import RunState
from pipeline_management.models import Run
from pipeline_management.services import log_sharing
from tests.api.site import Site

TEXT = (
    b"".join(b"line %d of caf\xc3\xa9\n" % number for number in range(1, 301)) + b"ERROR: last \xff"
)


@pytest.fixture
def run(site: Site, tmp_path: Path) -> Run:
    """A run that is over, its output in a file."""
    log_sharing.forget()
    cache.clear()
    (tmp_path / "stdout").write_bytes(TEXT)
    return site.make_run(state=RunState.FAILED, job_id="5", directory=str(tmp_path), name="GIAB 1")


def get(site: Site, run: Run, rest: str, user: Any = None, **headers: str) -> Any:
    client = site.client(user or site.submitter)
    return client.get(f"/api/v1/runs/{run.pk}/log/{rest}", headers=headers)


def test_pieces_by_lines(site: Site, run: Run) -> None:
    answer = get(site, run, "?offset=5&limit=100&lines=whole")
    assert answer.content.startswith(b"line 2 of ") and answer.content.endswith(b"\n")
    assert answer["X-Centro-Starts-Line"] == "true"
    assert int(answer["X-Centro-Offset"]) == TEXT.index(b"line 2")
    back = get(site, run, f"?before={answer['X-Centro-Offset']}&lines=whole&format=json").json()
    assert (back["text"], back["offset"], back["starts_line"]) == ("line 1 of café\n", 0, True)
    tail = get(site, run, "?lines=whole&limit=30")
    assert tail.content == TEXT[-14:] or tail.content.endswith(b"ERROR: last \xff")
    assert tail["X-Centro-Complete"] == "true"
    assert tail["X-Centro-Note"] == ""


def test_search(site: Site, run: Run) -> None:
    body = get(site, run, "search/?pattern=of+caf%C3%A9&limit=2").json()
    assert [hit["text"] for hit in body["hits"]] == ["line 1 of café", "line 2 of café"]
    assert not body["complete"]
    more = get(
        site, run, f"search/?pattern=LINE+3%5B0-9%5D%24&regex=1&start={body['next_offset']}"
    ).json()
    assert (more["hits"], more["complete"], more["size"]) == ([], True, len(TEXT))
    assert (
        get(site, run, "search/?pattern=LINE+300&ignore_case=1").json()["hits"][0]["text"]
        == "line 300 of café"
    )
    errors = get(site, run, "search/?errors=1").json()["hits"]
    assert errors == [{"offset": TEXT.index(b"ERROR"), "text": "ERROR: last \ufffd"}]


def test_lines(site: Site, run: Run) -> None:
    body = get(site, run, "lines/?line=120").json()
    assert (body["offset"], body["complete"]) == (TEXT.index(b"line 120 "), True)
    assert get(site, run, f"lines/?offset={body['offset'] + 3}").json()["line"] == 120
    assert get(site, run, "lines/?line=9999").json()["offset"] is None


def test_download(site: Site, run: Run) -> None:
    answer = get(site, run, "download/")
    assert b"".join(answer.streaming_content) == TEXT
    assert answer["Content-Length"] == str(len(TEXT))
    assert answer["Content-Disposition"] == 'attachment; filename="GIAB_1-stdout.log"'
    assert (
        answer["X-Content-Type-Options"] == "nosniff"
        and "sandbox" in answer["Content-Security-Policy"]
    )
    part = get(site, run, "download/", range="bytes=100-199")
    assert (part.status_code, b"".join(part.streaming_content)) == (206, TEXT[100:200])
    assert part["Content-Range"] == f"bytes 100-199/{len(TEXT)}"
    beyond = get(site, run, "download/", range=f"bytes={len(TEXT)}-")
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(TEXT)}")
    head = site.client(site.submitter).head(f"/api/v1/runs/{run.pk}/log/download/")
    assert (head.status_code, head["Content-Length"]) == (200, str(len(TEXT)))
    assert get(site, run, "download/?stream=stderr").status_code == 404


PARTS = [
    "",
    "search/?errors=1",
    "search/?pattern=x",
    "lines/?line=5",
    "lines/?offset=5",
    "download/",
]


@pytest.mark.parametrize("part", PARTS)
def test_who_may_read(site: Site, run: Run, part: str) -> None:
    """Output that one has just seen is not shown to another who may not see the run."""
    for user in (site.submitter, site.viewer, site.manager, site.administrator):
        answer = get(site, run, part, user)
        assert answer.status_code == 200
        if answer.streaming:
            b"".join(answer.streaming_content)
    assert get(site, run, part, site.stranger).status_code == 404


@pytest.mark.parametrize(
    ("part", "parameter"),
    [
        ("?stream=secrets", "stream"), ("?stream=task:x", "stream"), ("?stream=..%2Fstdout", "stream"),
        ("?lines=some", "lines"), ("?offset=1&before=2", "before"), ("?before=-1", "before"), ("?before=x", "before"),
        ("?limit=0", "limit"), ("?limit=1048577", "limit"), ("?tail=1", "tail"),
        ("search/", "pattern"), ("search/?pattern=", "pattern"), ("search/?pattern=a%0Ab", "pattern"),
        ("search/?pattern=x&errors=1", "pattern"), (f"search/?pattern={'x' * 201}", "pattern"),
        ("search/?pattern=x&start=-1", "start"), ("search/?pattern=x&limit=1001", "limit"),
        ("search/?pattern=x&regex=maybe", "regex"), ("lines/", "line"), ("lines/?line=0", "line"),
        ("lines/?line=1&offset=1", "line"), ("lines/?offset=-1", "offset"), ("download/?stream=no", "stream"),
    ],
)  # fmt: skip
def test_what_is_refused(site: Site, run: Run, part: str, parameter: str) -> None:
    answer = get(site, run, part)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_a_pattern_that_grep_refuses(site: Site, run: Run) -> None:
    answer = get(site, run, "search/?pattern=(&regex=1")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "bad_pattern")
    assert "Unmatched" in answer.json()["detail"]
