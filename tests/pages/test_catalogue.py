"""Pages of pipelines and systems, the dashboard, and the frame around all of them."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.choices import Attention, HealthState, RunState
from pipeline_management.models import Run
from tests.factories import make_account, make_run, make_system, make_version
from tests.pages.site import Site


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_pipelines_are_listed_with_their_newest_version(site: Site) -> None:
    make_version("hello", "2.0", system=site.account.system)
    make_version("hello", "3.0-dev", system=site.account.system, is_development=True)
    hidden = make_version("imaging-only", all_labs=False)
    hidden.labs.add(site.other_lab)
    text = page(site.client("submitter"), "/pipelines/")
    assert '<span class="tag">2.0</span>' in text
    assert "3 versions" in text
    assert "imaging-only" not in text
    assert "imaging-only" in page(site.client("outsider"), "/pipelines/")


def test_no_pipelines_is_said(site: Site) -> None:
    site.version.pipeline.delete()
    assert "Your labs may run no pipelines yet" in page(site.client("viewer"), "/pipelines/")


def test_a_pipeline_shows_schema_example_and_script(site: Site) -> None:
    text = page(site.client("submitter"), "/pipelines/hello/")
    for words in ("whom to greet", "≥ 1; ≤ 9; default", "no", "{{ config.name }}", "&quot;world&quot;"):
        assert words in text
    assert 'href="/submit/?pipeline=hello%401.0"' in text
    assert 'href="/submit/?pipeline' not in page(site.client("viewer"), "/pipelines/hello/")


def test_a_version_is_chosen_by_name_and_an_unknown_one_is_404(site: Site) -> None:
    make_version("hello", "2.0", schema={})
    client = site.client("submitter")
    assert "This version accepts any JSON object." in page(client, "/pipelines/hello/")
    assert "whom to greet" in page(client, "/pipelines/hello/?version=1.0")
    assert client.get("/pipelines/hello/?version=9").status_code == 404
    assert client.get("/pipelines/nope/").status_code == 404


def test_a_pipeline_of_another_lab_is_404(site: Site) -> None:
    make_version("theirs", all_labs=False).labs.add(site.other_lab)
    assert site.client("manager").get("/pipelines/theirs/").status_code == 404
    assert site.client("outsider").get("/pipelines/theirs/").status_code == 200


def test_a_system_tells_how_it_is(site: Site) -> None:
    system = site.account.system
    system.health, system.health_reason = HealthState.DOWN, "connection refused"
    system.save()
    site.account.polled_at = timezone.now() - timedelta(minutes=5)
    site.account.poll_error, site.account.poll_failures = "no route to host", 3
    site.account.save()
    for address in ("/systems/", "/systems/cluster/"):
        text = page(site.client("viewer"), address)
        assert 'data-health="down"' in text
        assert "connection refused" in text
    text = page(site.client("viewer"), "/systems/cluster/")
    assert "no route to host" in text and "3 failures in a row" in text
    assert "hello@1.0" in text


def test_people_see_their_own_accounts_and_the_shared_ones(site: Site) -> None:
    system = site.account.system
    make_account(system, site.people["manager"], username="m-account")
    make_account(system, site.people["viewer"], username="v-account")
    text = page(site.client("manager"), "/systems/cluster/")
    assert "m-account" in text and "v-account" not in text
    text = page(site.client("administrator"), "/systems/cluster/")
    assert "m-account" in text and "v-account" in text


def test_a_system_without_an_account_is_404(site: Site) -> None:
    make_account(make_system("private"), site.people["outsider"])
    assert site.client("manager").get("/systems/private/").status_code == 404
    assert site.client("manager").get("/systems/nope/").status_code == 404
    assert "private" not in page(site.client("manager"), "/systems/")


def test_a_disabled_system_says_so(site: Site) -> None:
    site.account.system.enabled = False
    site.account.system.save()
    assert "Disabled" in page(site.client("viewer"), "/systems/")


def test_the_dashboard_begins_with_how_to_begin(site: Site) -> None:
    text = page(site.client("submitter"), "/")
    assert "Nothing here yet." in text
    assert 'href="/submit/"' in text


def test_the_dashboard_sorts_runs_by_what_they_need(site: Site) -> None:
    site.run(name="stuck", state=RunState.SUBMITTED, attention=Attention.CLUSTER_DOWN)
    site.run(name="going", state=RunState.RUNNING)
    site.run(name="done", state=RunState.SUCCEEDED, finished_at=timezone.now())
    old = site.run(name="older", state=RunState.SUCCEEDED, finished_at=timezone.now())
    Run.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
    make_run(lab=site.other_lab, name="foreign", state=RunState.RUNNING)
    text = page(site.client("viewer"), "/")
    attention, rest = text.split('id="open-heading"')
    under_way, ended = rest.split('id="ended-heading"')
    assert "stuck" in attention and "going" in under_way and "done" in ended and "older" in ended
    assert "stuck" not in under_way
    assert "foreign" not in text
    assert 'id="tile-succeeded" href="/runs/?state=succeeded&amp;created_after=' in text
    assert '<strong>1</strong><span class="small"><svg class="icon "' in text.split('id="tile-succeeded"')[1]


def test_the_dashboard_s_queries_do_not_grow(site: Site) -> None:
    client = site.client("viewer")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(client, "/")
        return len(queries)

    site.run(state=RunState.RUNNING)
    page(client, "/")  # what is announced is remembered from now on
    few = count()
    for number in range(20):
        system = make_system()
        site.run(account=make_account(system), version=make_version(system=system),
                 state=list(RunState)[1 + number % 9])
    assert count() == few <= 12


def test_every_page_names_where_one_is(site: Site) -> None:
    run = site.run()
    client = site.client("viewer")
    for address, name in (("/", "Dashboard"), ("/runs/", "Runs"), (f"/runs/{run.pk}/", "Runs"),
                          ("/submit/", "Submit"), ("/pipelines/hello/", "Pipelines"),
                          ("/systems/cluster/", "Systems")):
        bar = page(client, address).partition("</nav>")[0]  # pages may have tabs of their own below
        marked = bar.split('aria-current="page"')
        assert len(marked) == 2
        assert name in marked[1][:200]


def test_administration_is_offered_to_administrators_only(site: Site) -> None:
    assert 'href="/admin/"' in page(site.client("administrator"), "/")
    assert 'href="/admin/"' not in page(site.client("manager"), "/")


def test_pages_are_not_kept_by_caches(site: Site) -> None:
    assert "no-store" in site.client("viewer").get("/runs/")["Cache-Control"]


def test_a_page_that_is_not_there_is_friendly(site: Site, client: Client) -> None:
    answer = client.get("/nothing/here/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_the_example_in_the_page_is_the_example(site: Site) -> None:
    site.version.example = {"ü": [1, 2.5, None, "<&>"]}
    site.version.save()
    response = site.client("viewer").get("/pipelines/hello/")
    assert json.loads(response.context["example_text"]) == site.version.example


def test_the_foot_of_the_page_names_the_version(site: Site) -> None:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    assert f"<span>Centro {project['version']}</span>" in page(site.client("viewer"), "/")
