"""The list of runs: what it shows, its filter, its order, its pages, its fragment."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management import run_sequences
from pipeline_management.choices import Attention, Reason, RunState
from pipeline_management.models import Run
from tests.factories import make_account, make_run, make_system, make_version
from tests.pages.site import Site


def shown(response: Any) -> list[str]:
    """The ids of the runs on the page, in their order."""
    return re.findall(r'data-run="([0-9a-f-]{36})"', response.content.decode())


def ids(*runs: Run) -> set[str]:
    return {str(run.pk) for run in runs}


def test_without_runs_it_leads_to_submitting(site: Site) -> None:
    page = site.client("submitter").get("/runs/").content.decode()
    assert "No runs yet" in page
    assert 'href="/submit/"' in page


def test_a_filter_without_a_match_can_be_cleared(site: Site) -> None:
    site.run()
    page = site.client("submitter").get("/runs/?text=nothing-like-that").content.decode()
    assert "No runs match" in page
    assert "Clear filters" in page


def test_each_sees_what_the_role_allows(site: Site) -> None:
    ours, theirs = site.run(), make_run(lab=site.other_lab)
    assert set(shown(site.client("viewer").get("/runs/"))) == ids(ours)
    assert set(shown(site.client("outsider").get("/runs/"))) == ids(theirs)
    assert set(shown(site.client("administrator").get("/runs/"))) == ids(ours, theirs)


def test_a_lab_may_show_people_only_their_own(site: Site) -> None:
    site.lab.visibility = "own"
    site.lab.save()
    mine, manager_s = site.run(), site.run(submitter=site.people["manager"])
    assert set(shown(site.client("submitter").get("/runs/"))) == ids(mine)
    assert set(shown(site.client("manager").get("/runs/"))) == ids(mine, manager_s)


@pytest.mark.parametrize(
    "query",
    [
        "state=failed",
        "state=failed&state=cancelled",
        "pipeline=other",
        "system=second",
        "submitter=manager",
        "text=special",
        "text=4711",
        "text=quota+exceeded",
        "created_before=2020-06-30",
        "created_after=2019-12-31&created_before=2020-01-02",
        "attention=on",
        "lab=genomics&state=failed",
        "state=failed&text=SPECIAL&submitter=manager",
    ],
)
def test_each_filter_finds_the_one_run(site: Site, query: str) -> None:
    for _ in range(3):
        site.run()
    second = make_system("second")
    account = make_account(second)
    wanted = site.run(
        state=RunState.FAILED,
        version=make_version("other", system=second),
        account=account,
        submitter=site.people["manager"],
        name="a special name",
        job_id="4711",
        reason=Reason.EXIT_NONZERO,
        reason_text="disk quota exceeded on /scratch",
        attention=Attention.QUOTA,
    )
    Run.objects.filter(pk=wanted.pk).update(created_at="2020-01-01T12:00:00Z")
    found = shown(site.client("manager").get(f"/runs/?{query}"))
    assert found == [str(wanted.pk)]


def test_a_run_id_is_found_as_text_and_me_is_the_viewer(site: Site) -> None:
    mine, _other = site.run(), site.run(submitter=site.people["manager"])
    client = site.client("submitter")
    assert shown(client.get(f"/runs/?text={mine.pk}")) == [str(mine.pk)]
    assert shown(client.get("/runs/?submitter=me")) == [str(mine.pk)]


def test_days_are_those_of_the_site_and_both_ends_count(site: Site, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    run = site.run()
    Run.objects.filter(pk=run.pk).update(created_at="2026-03-10T23:30:00Z")  # the 11th in Berlin
    client = site.client("viewer")
    assert shown(client.get("/runs/?created_after=2026-03-11&created_before=2026-03-11"))
    assert not shown(client.get("/runs/?created_before=2026-03-10"))
    assert not shown(client.get("/runs/?created_after=2026-03-12"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=nonsense", "state"),
        ("pipeline=nope", "pipeline"),
        ("pipeline=1' OR '1'='1", "pipeline"),
        ("system=nope", "system"),
        ("lab=imaging", "lab"),
        ("lab=%00", "lab"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-13-40", "created_before"),
        ("created_after=99999-01-01", "created_after"),
        ("text=" + "x" * 201, "text"),
        ("text=a%00b", "text"),
        ("submitter=" + "x" * 151, "submitter"),
    ],
)
def test_a_bad_value_shows_no_runs_and_names_the_field(site: Site, query: str, field: str) -> None:
    site.run()
    client = site.client("submitter")
    response = client.get(f"/runs/?{query}")
    assert response.status_code == 200
    assert shown(response) == []
    assert field in response.context["filter"].errors
    assert "The filter has a mistake" in response.content.decode()
    export = client.get(f"/runs/export/?{query}")
    assert export.status_code == 400
    assert export.content.decode().startswith(f"{field}:")


def test_days_at_the_ends_of_the_calendar_are_taken(site: Site) -> None:
    site.run()
    client = site.client("submitter")
    assert len(shown(client.get("/runs/?created_after=0001-01-01&created_before=9999-12-31"))) == 1
    assert shown(client.get("/runs/?created_after=9999-12-31")) == []


def test_the_lab_of_somebody_else_is_as_unknown_as_one_that_is_not_there(site: Site) -> None:
    client = site.client("submitter")
    foreign = client.get("/runs/?lab=imaging").context["filter"].errors["lab"]
    missing = client.get("/runs/?lab=never-was").context["filter"].errors["lab"]
    assert foreign == missing
    assert "imaging" not in client.get("/runs/").content.decode()


def test_it_is_sorted_by_each_column_both_ways(site: Site) -> None:
    first = site.run(name="aaa", state=RunState.CANCELLED)
    last = site.run(name="zzz", state=RunState.SUCCEEDED)
    now = timezone.now()
    Run.objects.filter(pk=first.pk).update(created_at=now - timedelta(days=1))
    client = site.client("submitter")
    assert shown(client.get("/runs/")) == [str(last.pk), str(first.pk)]
    for column in ("created", "name", "state"):
        assert shown(client.get(f"/runs/?sort={column}")) == [str(first.pk), str(last.pk)]
        assert shown(client.get(f"/runs/?sort=-{column}")) == [str(last.pk), str(first.pk)]
    for column in ("pipeline", "submitter", "lab", "system", "ended"):
        assert len(shown(client.get(f"/runs/?sort={column}"))) == 2


@pytest.mark.parametrize("query", ["sort=password", "sort=-submitter__password", "sort=", "page=0",
                                   "page=-3", "page=x", "page=99999999999999", "page=²", "per_page=1"])
def test_nonsense_about_order_and_pages_is_harmless(site: Site, query: str) -> None:
    site.run(), site.run()
    assert len(shown(site.client("submitter").get(f"/runs/?{query}"))) == 2


def test_it_is_paged_and_counts_only_so_far(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline_management.views.runs.PER_PAGE", 2)
    monkeypatch.setattr(run_sequences, "COUNT_LIMIT", 4)
    runs = [site.run() for _ in range(5)]
    client = site.client("submitter")
    first, second = client.get("/runs/"), client.get("/runs/?page=2")
    assert len(shown(first)) == 2
    assert not set(shown(first)) & set(shown(second))
    assert "Page 1 of 2" in first.content.decode()
    assert "of more than 4" in first.content.decode()
    assert set(shown(first)) | set(shown(second)) < ids(*runs)
    runs[0].delete()
    assert "of more than" not in client.get("/runs/").content.decode()


def test_the_number_of_queries_does_not_grow_with_the_runs(site: Site) -> None:
    client = site.client("viewer")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/runs/").status_code == 200
        return len(queries)

    site.run(state=RunState.RUNNING), site.run(state=RunState.SUCCEEDED)
    few = count()
    for number in range(30):
        system = make_system()
        site.run(
            account=make_account(system),
            version=make_version(system=system),
            state=list(RunState)[number % 10],
        )
    assert count() <= few  # the second time who may do what is remembered
    assert few <= 29


def test_no_row_reads_the_large_texts(site: Site) -> None:
    site.run(configuration={"pipeline": "hello", "secret-looking": "x" * 1000})
    client = site.client("viewer")
    with CaptureQueriesContext(connection) as queries:
        client.get("/runs/")
    columns = '"pipeline_management_run"."configuration_json"', "`pipeline_management_run`.`configuration_json`"
    assert not any(column in query["sql"] for query in queries for column in columns)


def test_it_refreshes_itself_only_while_something_is_open(site: Site) -> None:
    site.run(state=RunState.SUCCEEDED)
    client = site.client("viewer")
    assert "hx-trigger" not in client.get("/runs/").content.decode().split('id="runs-live"')[1]
    site.run(state=RunState.RUNNING)
    page = client.get("/runs/?sort=-name&page=1").content.decode()
    live = re.search(r'<div id="runs-live".*?>', page)
    assert live is not None
    assert 'hx-get="/runs/?sort=-name&amp;page=1"' in live[0]


def test_the_fragment_is_sent_only_when_it_has_changed(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    client = site.client("viewer")
    page = client.get("/runs/").content.decode()
    mark = re.search(r'X-Fragment": "([0-9a-f]{16})"', page)
    assert mark is not None
    headers = {"HX-Request": "true", "X-Fragment": mark[1]}
    assert client.get("/runs/", headers=headers).status_code == 204
    Run.objects.filter(pk=run.pk).update(state=RunState.FINISHING)
    changed = client.get("/runs/", headers=headers)
    assert changed.status_code == 200
    assert "Finishing" in changed.content.decode()
    assert "<html" not in changed.content.decode()


def test_a_failed_run_tells_why_on_its_row(site: Site) -> None:
    site.run(
        state=RunState.FAILED, reason=Reason.EXIT_NONZERO, exit_code=3, reason_text="no reference"
    )
    page = site.client("viewer").get("/runs/").content.decode()
    assert "ended with exit code 3. no reference" in page


def test_a_state_that_nothing_has_confirmed_looks_stale(site: Site) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    site.account.polled_at = long_ago
    site.account.save()
    site.run(state=RunState.RUNNING, confirmed_at=long_ago)
    assert 'class="is-stale"' in site.client("viewer").get("/runs/").content.decode()
    site.account.polled_at = timezone.now()
    site.account.save()
    assert 'class="is-stale"' not in site.client("viewer").get("/runs/").content.decode()


def test_links_of_the_list_say_what_they_are_for_and_keep_the_rest(site: Site) -> None:
    for _ in range(26):
        site.run(state=RunState.FAILED, cause="QUOTA")
    client = site.client("submitter")
    text = client.get("/runs/?q=state:failed&page=2&size=25").content.decode()
    kept = "q=state%3Afailed&amp;size=25"
    for link in (
        f"{kept}&amp;submitter=me",
        f"{kept}&amp;group=cause",
        "q=state%3Afailed&amp;page=1&amp;size=25",
        f"{kept}&amp;sort=name",
        "q=state%3Afailed&amp;size=100",
    ):
        assert f'?{link}"' in text
    for chosen in ("csv", "xlsx", "json"):
        assert f'?q=state%3Afailed&amp;format={chosen}"' in text
    grouped = client.get("/runs/?q=state:failed&group=cause").content.decode()
    assert 'href="/runs/?q=state%3Afailed+cause%3AQUOTA"' in grouped
    assert "page=2" in client.get("/runs/?size=25").content.decode()
