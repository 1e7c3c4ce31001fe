"""Holding, releasing, having again, and wishes for many runs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from hpc.jobs import WaitingJob
from pipeline_management.choices import Desired, RunState
from pipeline_management.models import AuditEvent, Run
from pipeline_management.services import dispatch
from pipeline_management.services.control import waiting
from pipeline_management.services.engines.shell import ShellEngine
from tests.api.site import JSON, Site
from tests.factories import make_account, make_run, make_system

pytestmark = pytest.mark.django_db
RUNS = "/api/v1/runs/"
HELLO = {"pipeline": "hello", "name": "x"}


def post(site: Site, path: str, body: object = None, user: Any = None, **extra: str) -> Any:
    client = site.client(user or site.submitter)
    if body is None:
        return client.generic("POST", f"{RUNS}{path}", **extra)
    return client.post(f"{RUNS}{path}", body, content_type=JSON, **extra)


def test_hold_and_release(site: Site) -> None:
    for _ in range(2):
        answer = post(site, f"{site.run.pk}/hold/")
        assert answer.status_code == 202
        shown = answer.json()
        assert (shown["state"], shown["desired"], shown["held"]) == ("queued", "hold", True)
    assert shown["explanation"].startswith("On hold")
    assert post(site, f"{site.run.pk}/release/").json()["held"] is False
    assert AuditEvent.objects.filter(action="run.hold").count() == 1


def test_a_running_run_is_not_held(site: Site) -> None:
    run = site.make_run(state=RunState.RUNNING)
    answer = post(site, f"{run.pk}/hold/")
    assert answer.status_code == 409
    assert "running job cannot be held" in answer.json()["detail"]


def test_resubmit_with_a_key(site: Site) -> None:
    run = site.make_run(state=RunState.FAILED, configuration=HELLO)
    first = post(site, f"{run.pk}/resubmit/", headers={"Idempotency-Key": "k1"})
    again = post(site, f"{run.pk}/resubmit/", headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert first["Location"] == first.json()["links"]["self"]
    shown = site.client(site.viewer).get(f"{RUNS}{first.json()['id']}/").json()
    assert shown["origin"] == {"id": str(run.pk), "kind": "resubmit"}
    older = site.client(site.viewer).get(f"{RUNS}{run.pk}/").json()
    assert older["successors"] == [{"id": first.json()["id"], "kind": "resubmit"}]
    bad = post(site, f"{run.pk}/resubmit/", headers={"Idempotency-Key": " x"})
    assert (bad.status_code, bad.json()["errors"][0]["parameter"]) == (400, "Idempotency-Key")


def test_resume(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ago = timezone.now() - timedelta(hours=1)
    run = site.make_run(state=RunState.FAILED, started_at=ago, configuration=HELLO)
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=2))
    assert post(site, f"{run.pk}/resume/").status_code == 409
    monkeypatch.setattr(ShellEngine, "can_resume", True)
    answer = post(site, f"{run.pk}/resume/")
    assert answer.status_code == 201
    shown = site.client(site.viewer).get(f"{RUNS}{answer.json()['id']}/").json()
    assert (shown["origin"]["kind"], shown["work_directory"]) == ("resume", run.directory)
    second = post(site, f"{run.pk}/resume/")
    assert second.status_code == 409 and answer.json()["id"] in second.json()["detail"]


def test_many_by_id(site: Site) -> None:
    held = [site.make_run() for _ in range(2)]
    stranger = make_run()
    ids = [str(run.pk) for run in (*held, stranger)]
    answer = post(site, "cancel/", {"ids": ids})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["granted"], shown["refused"], shown["more"]) == (2, 1, False)
    assert [one["id"] for one in shown["results"]] == ids
    assert "no such run" in shown["results"][2]["reason"]
    stranger.refresh_from_db()
    assert (stranger.desired, stranger.state) == (Desired.RUN, RunState.QUEUED)
    assert Run.objects.filter(state=RunState.CANCELLED).count() == 2


@pytest.mark.parametrize("verb", ["hold", "release", "cancel"])
def test_many_by_filter(site: Site, verb: str) -> None:
    mine = [site.make_run(name="batch") for _ in range(3)]
    site.make_run(name="batch", state=RunState.SUCCEEDED)
    other = site.make_run(name="other")
    answer = post(site, f"{verb}/?text=batch")
    assert (answer.status_code, answer.json()["granted"]) == (200, 3)
    assert {one["id"] for one in answer.json()["results"]} == {str(run.pk) for run in mine}
    other.refresh_from_db()
    assert other.desired == Desired.RUN


def test_a_filter_takes_the_newest_and_says_that_there_are_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.v1.views.control.MOST", 2)
    for _ in range(3):
        site.make_run(name="batch")
    first = post(site, "cancel/?text=batch").json()
    second = post(site, "cancel/?text=batch").json()
    assert [(a["granted"], a["more"]) for a in (first, second)] == [(2, True), (1, False)]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("cancel/", None, "run ids, or a filter"),
        ("cancel/", {}, "ids must be a list"),
        ("cancel/", {"ids": []}, "1 to 500"),
        ("cancel/", {"ids": "all"}, "1 to 500"),
        ("cancel/", {"ids": [str(uuid.uuid4())] * 501}, "1 to 500"),
        ("cancel/", {"ids": ["x"]}, "ids[0] is"),
        ("cancel/", {"ids": [None]}, "ids[0] is null"),
        ("cancel/", {"id": "x"}, "Unknown key"),
        ("cancel/?text=x", {"ids": [str(uuid.uuid4())]}, "not both"),
        ("cancel/?colour=red", None, "Unknown query parameter"),
        ("cancel/?state=nowhere", None, "nowhere"),
    ],
)
def test_what_names_no_runs_is_refused(site: Site, path: str, body: object, word: str) -> None:
    answer = post(site, path, body)
    assert answer.status_code == 400
    assert word in answer.json()["detail"], answer.json()


def test_why_a_job_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, pk: rung.append((task, pk)))
    cache.clear()
    account = make_account(make_system(scheduler="slurm"))
    run = site.make_run(
        state=RunState.SUBMITTED, job_id="7", account=account, queue_reason="Resources"
    )
    path = f"{RUNS}{run.pk}/"

    def ask() -> dict[str, Any]:
        shown: dict[str, Any] = site.client(site.viewer).get(path).json()["waiting"]
        return shown

    assert ask() == {
        "reason": "Resources",
        "sentence": "It waits for free nodes.",
        "priority": None,
        "estimated_start": None,
        "at": None,
    }
    for _ in range(20):
        ask()
    assert rung == [(dispatch.WAITING, account.pk)]
    monkeypatch.setattr("pipeline_management.services.control.waiting.client_for", _Client)
    waiting.ask(account.pk)
    shown = ask()
    assert (shown["priority"], shown["estimated_start"]) == (4711, "2026-11-23T08:00:00Z")
    assert shown["sentence"] == "Jobs with a higher priority are ahead of it."
    assert len(rung) == 1
    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    assert ask() is None


class _Client:
    def __init__(self, account: object) -> None:
        self.scheduler = self

    def waiting(self, user: str) -> str:
        return user

    def run(self, command: object) -> list[WaitingJob]:
        start = datetime(2026, 11, 23, 8, tzinfo=UTC)
        return [WaitingJob("7", "Priority", 4711, start), WaitingJob("8", "")]
