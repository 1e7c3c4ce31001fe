"""Rows of runs are made once; nobody sees what is another's or what was before."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.models import Run, RunLabel, RunStar
from pipeline_management.templatetags import run_rows
from pipeline_management.templatetags.run_rows import Kept
from tests.pages.site import Site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept(100)
    monkeypatch.setattr(run_rows, "_kept", kept)
    return kept


def row(site: Site, role: str, run: Run) -> str:
    page = site.client(role).get("/runs/").content.decode()
    (found,) = re.findall(rf'<tr [^>]*data-run="{run.pk}".*?</tr>', page, re.S)
    return str(found)


def test_a_second_look_takes_what_the_first_made(
    site: Site, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = site.run(state=RunState.SUCCEEDED, name="trio")
    first = row(site, "viewer", run)
    assert len(kept) == 1
    monkeypatch.setattr(run_rows, "_made", None)  # making another would fail
    assert row(site, "viewer", run) == first
    assert "trio" in first


def test_each_person_sees_his_own_stars_and_runs(site: Site) -> None:
    run = site.run(state=RunState.SUCCEEDED)
    others = row(site, "viewer", run)
    assert "(me)" not in others
    assert "(me)" in row(site, "submitter", run)
    RunStar.objects.create(run=run, user=site.people["viewer"])
    assert 'aria-pressed="true"' in row(site, "viewer", run)
    assert 'aria-pressed="false"' in row(site, "submitter", run)


def test_what_changes_is_shown_at_once(site: Site) -> None:
    run = site.run(state=RunState.FAILED, reason="EXIT_NONZERO", exit_code=3)
    assert "exit code 3" in row(site, "viewer", run)
    RunLabel.objects.create(run=run, name="odd")
    assert ">odd<" in row(site, "viewer", run)
    Run.objects.filter(pk=run.pk).update(cause="QUOTA", cause_text="disk quota exceeded")
    assert "disk quota exceeded" in row(site, "viewer", run)
    type(run.lab).objects.filter(pk=run.lab_id).update(name="Genome people")
    assert "Genome people" in row(site, "viewer", run)
    type(run.system).objects.filter(pk=run.system_id).update(name="other-cluster")
    assert "other-cluster" in row(site, "viewer", run)


def test_a_run_that_goes_on_is_made_anew_when_it_is_confirmed_or_grows_stale(
    site: Site, kept: Kept
) -> None:
    at = timezone.now() - timedelta(seconds=5)
    run = site.run(state=RunState.RUNNING, confirmed_at=at)
    first = row(site, "viewer", run)
    assert "is-stale" not in first
    assert row(site, "viewer", run) == first
    assert len(kept) == 1
    Run.objects.filter(pk=run.pk).update(confirmed_at=at + timedelta(seconds=2))
    assert f"{at + timedelta(seconds=2):%H:%M:%S}Z" in row(site, "viewer", run)
    type(run.account).objects.filter(pk=run.account_id).update(polled_at=at + timedelta(seconds=4))
    assert f"{at + timedelta(seconds=4):%H:%M:%S}Z" in row(site, "viewer", run)
    Run.objects.filter(pk=run.pk).update(progress=40)
    assert 'value="40"' in row(site, "viewer", run)


def test_a_run_grows_stale_though_nothing_in_it_changes(
    site: Site, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = site.run(state=RunState.RUNNING, confirmed_at=timezone.now())
    assert "is-stale" not in row(site, "viewer", run)
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("pipeline_management.views.runs.timezone.now", lambda: later)
    assert "is-stale" in row(site, "viewer", run)


def test_only_so_many_are_kept_and_those_looked_at_last() -> None:
    kept = Kept(2)
    for key in (b"a", b"b"):
        kept.put(key, run_rows.SafeString(key.decode()))
    assert kept.get(b"a") == "a"
    kept.put(b"c", run_rows.SafeString("c"))
    assert (kept.get(b"a"), kept.get(b"b"), kept.get(b"c"), len(kept)) == ("a", None, "c", 2)
