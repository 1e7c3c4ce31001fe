"""``q``: the search of the list of runs, by the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pipeline_management.choices import Desired, RunState
from pipeline_management.models import Run
from pipeline_management.services import marks
from tests.api.site import Site
from tests.api.test_bad_requests import assert_error

LIST = "/api/v1/runs/"


@pytest.fixture
def names(site: Site) -> dict[str, str]:
    """Four runs: their names by id; "d" is of the other lab."""
    Run.objects.all().delete()
    made = {
        "a": site.make_run(name="sample a", state=RunState.FAILED, cause="TIMEOUT"),
        "b": site.make_run(name="sample b", state=RunState.RUNNING, submitter=site.manager),
        "c": site.make_run(name="other", job_id="4711", desired=Desired.HOLD),
        "d": site.make_run(name="sample d", lab=site.other_lab, submitter=site.stranger),
    }
    marks.label_run(made["a"], site.submitter, add=["wgs"])
    marks.star(site.manager, [made["a"].pk], on=True)
    return {str(run.pk): name for name, run in made.items()}


def find(site: Site, query: str, user: Any = None, **extra: str) -> Any:
    more = "".join(f"&{name}={value}" for name, value in extra.items())
    return site.client(user or site.submitter).get(f"{LIST}?q={quote(query)}{more}")


def found(site: Site, names: dict[str, str], query: str, **more: Any) -> str:
    answer = find(site, query, **more)
    assert answer.status_code == 200, answer.content
    return "".join(sorted(names[row["id"]] for row in answer.json()["results"]))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sample", "ab"),
        ("sample state:failed state:running", "ab"),
        ("state:failed", "a"),
        ("state:held", "c"),
        ("-state:failed", "bc"),
        ("label:wgs", "a"),
        ("cause:timeout", "a"),
        ("is:mine", "ac"),
        ("user:mona", "b"),
        ("is:starred", ""),
        ("job:4711", "c"),
        ("4711", "c"),
        ("pipeline:hello@1.0 lab:lab-a system:local", "abc"),
        ("lab:lab-b", ""),
        ("after:today before:today", "abc"),
        ('"sample a"', "a"),
        ("%", ""),
    ],
)
def test_it_finds_what_the_page_finds(
    site: Site, names: dict[str, str], query: str, expected: str
) -> None:
    assert found(site, names, query) == expected
    page = site.client(site.submitter).get("/runs/", {"q": query})
    assert "".join(sorted(names[str(row.record.pk)] for row in page.context["table"].rows)) == (
        expected
    )


def test_stars_and_mine_are_those_of_who_asks(site: Site, names: dict[str, str]) -> None:
    assert found(site, names, "is:starred", user=site.manager) == "a"
    assert found(site, names, "is:mine", user=site.manager) == "b"
    assert found(site, names, "user:me", user=site.stranger) == "d"


def test_it_narrows_together_with_the_filters_and_over_the_pages(
    site: Site, names: dict[str, str]
) -> None:
    assert found(site, names, "sample", state="running") == "b"
    first = find(site, "lab:lab-a", page_size="2").json()
    assert len(first["results"]) == 2 and "q=lab%3Alab-a" in first["next"]
    rest = site.client(site.submitter).get(first["next"]).json()
    assert len(rest["results"]) == 1 and rest["next"] is None


@pytest.mark.parametrize(
    ("query", "column", "said"),
    [
        ("user:me stat:failed", 9, "Did you mean state:"),
        ("state:done", 1, "state: cannot be done; expected queued"),
        ("rnaseq after:soon", 8, "expected a day"),
        ('a "open', 3, "has no partner"),
        ("lab:", 1, "has no value; expected the short name of a lab"),
        ("ab\x00", 3, "control character"),
        ("x" * 501, 501, "500 are read at most"),
        ("a " * 31, 61, "more than 30 terms"),
        ("", None, "“q” is empty; expected words, or key:value"),
        (" \t ", None, "“q” is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    site: Site, query: str, column: int | None, said: str
) -> None:
    first = assert_error(find(site, query), 400, "bad_parameter", said)
    assert (first["parameter"], first["line"], first["column"]) == ("q", None, column)
    assert first["message"].startswith("“q”")


def test_two_searches_are_one_too_many(site: Site) -> None:
    answer = site.client(site.submitter).get(f"{LIST}?q=a&q=b")
    assert_error(answer, 400, "bad_parameter", "“q” is given 2 times")


def test_many_runs_are_cancelled_by_a_search(site: Site, names: dict[str, str]) -> None:
    client = site.client(site.submitter)
    answer = client.generic("POST", f"{LIST}cancel/?q={quote('is:open user:me')}")
    assert [(names[row["id"]], row["granted"]) for row in answer.json()["results"]] == [("c", True)]
    wished = Run.objects.filter(desired=Desired.CANCEL).values_list("pk", flat=True)
    assert [names[str(pk)] for pk in wished] == ["c"]


@pytest.mark.parametrize("query", ["", "stat:open"])
def test_a_search_that_narrows_nothing_cancels_nothing(
    site: Site, names: dict[str, str], query: str
) -> None:
    answer = site.client(site.submitter).generic("POST", f"{LIST}cancel/?q={query}")
    assert_error(answer, 400, "bad_parameter", "“q”")
    assert not Run.objects.filter(desired=Desired.CANCEL).exists()


def test_a_search_takes_the_same_number_of_queries_however_long_the_list(site: Site) -> None:
    client = site.client(site.submitter)
    path = f"{LIST}?q={quote('sample label:wgs user:me')}"

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert client.get(path).status_code == 200
        return len(caught)

    marks.label_run(site.make_run(name="sample"), site.submitter, add=["wgs"])
    few = queries()
    for _ in range(10):
        marks.label_run(site.make_run(name="sample"), site.submitter, add=["wgs"])
    assert queries() == few
