"""Reading runs, events and logs; cancelling."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.choices import Desired, RunState
from pipeline_management.models import AuditEvent, Run, RunEvent
from pipeline_management.services import logs, marks
from tests.api.site import JSON, Site
from tests.factories import make_run, make_version

LIST = "/api/v1/runs/"


def get(site: Site, path: str, user: Any = None, **extra: Any) -> Any:
    return site.client(user or site.submitter).get(path, **extra)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_a_run_shows_all_that_is_promised(site: Site) -> None:
    since = datetime(2026, 11, 22, 9, tzinfo=UTC)
    run = site.make_run(
        state=RunState.RUNNING, name="NA12878", job_id="17", queue_state="RUNNING", nodes="n1",
        attention="STALE", attention_since=since, submitted_at=since, started_at=since,
        resources={"cpus": 2}, configuration={"pipeline": "hello", "name": "ä"},
    )  # fmt: skip
    answer = get(site, f"{LIST}{run.pk}/")
    assert answer["Cache-Control"] == "private, no-cache"
    body = answer.json()
    expected = {
        "id": str(run.pk), "name": "NA12878", "pipeline": "hello", "version": "1.0", "system": "local",
        "kind": "pipeline",
        "lab": "lab-a", "submitter": "sam", "source": "api", "state": "running", "desired": "run",
        "reason": None, "reason_text": "", "exit_code": None, "signal": None, "job_id": "17",
        "queue_state": "RUNNING", "queue_reason": "", "nodes": "n1", "submitted_at": "2026-11-22T09:00:00Z",
        "started_at": "2026-11-22T09:00:00Z", "ended_at": None, "finished_at": None,
        "configuration": {"pipeline": "hello", "name": "ä"}, "resources": {"cpus": 2},
        "script": run.script, "attempts": [],
    }  # fmt: skip
    assert {key: body[key] for key in expected} == expected
    assert body["attention"] == {
        "code": "STALE",
        "text": "The state has not been confirmed for a while",
        "since": "2026-11-22T09:00:00Z",
    }
    assert body["last_confirmation"]["source"] == "portal" and body["last_confirmation"]["at"]
    assert body["explanation"]
    verbs = {"cancel", "hold", "release", "resubmit", "resume"}
    assert set(body["links"]) == {
        "self", "page", "events", "tasks", "log", "labels", "notes", "star", *verbs,
    }  # fmt: skip
    assert set(body) == set(expected) | {
        "attention", "last_confirmation", "explanation", "links", "created_at", "held", "origin",
        "successors", "waiting", "work_directory", "progress", "progress_text", "tasks_total", "tasks_done",
        "tasks_failed", "labels", "starred",
    }  # fmt: skip


def test_a_failed_run_says_why(site: Site) -> None:
    run = site.make_run(state=RunState.FAILED, reason="EXIT_NONZERO", exit_code=3)
    body = get(site, f"{LIST}{run.pk}/").json()
    assert (body["reason"], body["exit_code"], body["attention"]) == ("EXIT_NONZERO", 3, None)
    assert "3" in body["explanation"]


def test_attempts_are_listed(site: Site) -> None:
    run = site.make_run(state=RunState.SUBMITTED)
    run.attempts.create(number=1, job_id="5", script_sha256="0" * 64, lost_at=timezone.now())
    run.attempts.create(number=2, script_sha256="0" * 64)
    attempts = get(site, f"{LIST}{run.pk}/").json()["attempts"]
    assert [(a["number"], a["job_id"], a["lost_at"] is None) for a in attempts] == [
        (1, "5", False),
        (2, None, True),
    ]


def test_lists_are_newest_first_and_paged_without_loss(site: Site) -> None:
    Run.objects.all().delete()
    runs = [site.make_run() for _ in range(12)]
    same = timezone.now()
    Run.objects.update(created_at=same)  # the hardest case: all at the same moment
    Run.objects.filter(pk=runs[3].pk).update(created_at=same + timedelta(seconds=1))
    client = site.client(site.submitter)
    url: str | None = f"{LIST}?page_size=5"
    seen: list[str] = []
    pages = 0
    while url:
        answer = client.get(url)
        seen += ids(answer)
        url = answer.json()["next"]
        pages += 1
        if pages == 1:
            site.make_run()  # newer ones do not shift the pages
    assert pages == 3
    assert seen[0] == str(runs[3].pk)
    assert sorted(seen) == sorted(str(run.pk) for run in runs)


def test_the_next_page_keeps_the_filter(site: Site) -> None:
    for state in (RunState.FAILED, RunState.RUNNING) * 3:
        site.make_run(state=state)
    following = get(site, f"{LIST}?page_size=2&state=failed").json()["next"]
    rows = get(site, following).json()
    assert [row["state"] for row in rows["results"]] == ["failed"]
    assert rows["next"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", {"b"}),
        ("state=failed&state=running", {"b", "c"}),
        ("state=failed,running", {"b", "c"}),
        ("pipeline=align", {"c"}),
        ("pipeline=nothing", set()),
        ("version=2.0", {"c"}),
        ("system=local", {"a", "b", "c"}),
        ("lab=lab-a", {"a", "b", "c"}),
        ("lab=lab-b", set()),
        ("submitter=mona", {"b"}),
        ("source=page", {"a"}),
        ("created_after=2026-03-01", {"b", "c"}),
        ("created_after=2026-03-01T00:00:00Z", {"b", "c"}),
        ("created_after=2026-03-01T01:00:00%2B01:00", {"b", "c"}),
        ("created_after=2026-03-01T01:00:00+01:00", {"b", "c"}),
        ("created_before=2026-03-01", {"a"}),
        ("created_after=2026-02-01&created_before=2026-05-01", {"b"}),
        ("text=SAMPLE", {"a"}),
        ("text=memory", {"b"}),
        ("text=4711", {"c"}),
        ("text=%25", set()),
        ("state=failed&submitter=sam", set()),
    ],
)
def test_filters(site: Site, query: str, expected: set[str]) -> None:
    Run.objects.all().delete()
    align = make_version("align", "2.0", system=site.account.system)
    made = {
        "a": site.make_run(name="a sample", source="page"),
        "b": site.make_run(
            state=RunState.FAILED, submitter=site.manager, reason_text="Out of memory"
        ),
        "c": site.make_run(state=RunState.RUNNING, version=align, job_id="4711"),
    }
    for month, run in zip((1, 3, 6), made.values(), strict=True):
        Run.objects.filter(pk=run.pk).update(created_at=datetime(2026, month, 1, tzinfo=UTC))
    names = {str(run.pk): name for name, run in made.items()}
    assert {names[pk] for pk in ids(get(site, f"{LIST}?{query}"))} == expected


def test_head_is_get_without_a_body(site: Site) -> None:
    answer = site.client(site.submitter).head(f"{LIST}?state=queued")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_whole_run_id_is_found(site: Site) -> None:
    site.make_run()
    assert ids(get(site, f"{LIST}?text={site.run.pk}")) == [str(site.run.pk)]


@pytest.mark.parametrize("path", [LIST, "/api/v1/pipelines/", "/api/v1/systems/"])
def test_lists_take_the_same_number_of_queries_however_long(site: Site, path: str) -> None:
    client = site.client(site.submitter)
    client.get(path)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(path).status_code == 200
        return len(caught)

    few = queries()
    for number in range(10):
        version = make_version(f"p{number}", system=site.account.system)
        site.make_run(version=version, state=RunState.RUNNING, attention="STALE")
        marks.label_run(make_run(lab=site.lab), site.administrator, add=["x", f"y{number}"])
    assert queries() == few <= 9


def test_events_in_order_and_from_a_number_on(site: Site) -> None:
    for seq in range(2, 6):
        RunEvent.objects.create(
            run=site.run, seq=seq, at=timezone.now(), actor="w", type="note", data={"n": seq}
        )
    path = f"{LIST}{site.run.pk}/events/"
    everything = get(site, path).json()
    assert [event["seq"] for event in everything["results"]] == [1, 2, 3, 4, 5]
    assert everything["results"][0]["to_state"] == "queued"
    assert everything["results"][0]["from_state"] is None
    assert (everything["last"], everything["more"]) == (5, False)
    later = get(site, f"{path}?after=3").json()
    assert [event["seq"] for event in later["results"]] == [4, 5]
    nothing = get(site, f"{path}?after=5").json()
    assert (nothing["results"], nothing["last"]) == ([], 5)


def test_many_events_come_in_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.v1.views.events.PAGE", 2)
    for seq in range(2, 5):
        RunEvent.objects.create(run=site.run, seq=seq, at=timezone.now(), actor="w", type="note")
    path = f"{LIST}{site.run.pk}/events/"
    first = get(site, path).json()
    assert (first["last"], first["more"]) == (2, True)
    second = get(site, f"{path}?after=2").json()
    assert (second["last"], second["more"]) == (4, False)


def test_cancelling_a_waiting_run(site: Site) -> None:
    path = f"{LIST}{site.run.pk}/cancel/"
    client = site.client(site.submitter)
    answer = client.post(path)
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["desired"]) == ("cancelled", "cancel")
    again = client.post(path)
    assert again.status_code == 200
    event = AuditEvent.objects.get(action="run.cancel")
    assert (event.actor, event.address) == (site.submitter, "127.0.0.1")


def test_cancelling_a_running_one_states_the_wish(site: Site) -> None:
    run = site.make_run(state=RunState.RUNNING, job_id="9")
    client = site.client(site.manager)
    for _ in range(2):
        answer = client.post(f"{LIST}{run.pk}/cancel/")
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["desired"]) == ("running", Desired.CANCEL)
    assert run.events.filter(type="cancel_requested").count() == 1


def test_others_may_not_cancel(site: Site) -> None:
    path = f"{LIST}{site.run.pk}/cancel/"
    assert site.client(site.viewer).post(path).status_code == 403
    assert site.client(site.stranger).post(path).status_code == 404
    site.run.refresh_from_db()
    assert site.run.desired == Desired.RUN


@pytest.fixture
def slice_of_log(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the system; records what was asked for."""
    asked: dict[str, Any] = {}

    def read_log(**arguments: Any) -> logs.LogSlice:
        asked.update(arguments)
        return logs.LogSlice(
            b"caf\xc3\xa9 \xff<script>\n", 10, 25, 25, True, "system", timezone.now(), ""
        )

    monkeypatch.setattr(logs, "read_log", read_log)
    return asked


def test_a_log_comes_as_bytes_with_its_place(site: Site, slice_of_log: dict[str, Any]) -> None:
    answer = get(site, f"{LIST}{site.run.pk}/log/?stream=stderr&offset=10&limit=100")
    assert answer.content == b"caf\xc3\xa9 \xff<script>\n"
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    names = ("Offset", "Next-Offset", "Size", "Complete", "Source")
    assert [answer[f"X-Centro-{name}"] for name in names] == ["10", "25", "25", "true", "system"]
    assert (slice_of_log["stream"], slice_of_log["offset"], slice_of_log["limit"]) == (
        "stderr",
        10,
        100,
    )
    get(site, f"{LIST}{site.run.pk}/log/?offset=0&limit=1")
    assert slice_of_log["offset"] == 0, "0 is the beginning, not “from the end”"


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=json", "*/*"), ("", JSON), ("?format=json", "text/plain")]
)
def test_a_log_comes_as_json(
    site: Site, slice_of_log: dict[str, Any], query: str, accept: str
) -> None:
    answer = get(site, f"{LIST}{site.run.pk}/log/{query}", headers={"Accept": accept})
    body = answer.json()
    assert body["text"] == "café \ufffd<script>\n"
    assert (body["offset"], body["next_offset"], body["complete"]) == (10, 25, True)
    assert (slice_of_log["stream"], slice_of_log["offset"]) == ("stdout", None)


def test_text_wins_over_the_accept_header(site: Site, slice_of_log: dict[str, Any]) -> None:
    answer = get(site, f"{LIST}{site.run.pk}/log/?format=text", headers={"Accept": JSON})
    assert answer["Content-Type"].startswith("text/plain")


def test_errors_of_the_log_are_json_whatever_is_accepted(site: Site) -> None:
    answer = get(site, f"{LIST}{uuid.uuid4()}/log/", headers={"Accept": "text/plain"})
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "not_found"


def test_a_log_before_the_job_is_empty_and_says_why(site: Site) -> None:
    body = get(site, f"{LIST}{site.run.pk}/log/?format=json").json()
    assert (body["text"], body["source"], body["complete"]) == ("", "none", False)
    assert body["note"]


READ_ONLY = {
    "state": "succeeded", "lab": "lab-b", "submitter": "strange", "job_id": "1", "source": "page",
    "desired": "cancel", "exit_code": 0, "configuration": {}, "script": "rm -rf /", "id": str(uuid.UUID(int=1)),
}  # fmt: skip


@pytest.mark.parametrize("field", READ_ONLY)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_nothing_of_a_run_can_be_written(site: Site, method: str, field: str) -> None:
    before = Run.objects.filter(pk=site.run.pk).values().get()
    client = site.client(site.administrator)
    answer = getattr(client, method)(
        f"{LIST}{site.run.pk}/", {field: READ_ONLY[field]}, content_type=JSON
    )
    assert answer.status_code == 405
    assert Run.objects.filter(pk=site.run.pk).values().get() == before


@pytest.mark.parametrize(
    "path",
    [
        LIST, f"{LIST}?page_size=500", "/api/v1/pipelines/", "/api/v1/systems/", "/api/v1/whoami/",
        "/runs/", "/", "/pipelines/", "/systems/", "/runs/export/?format=csv", "/runs/export/?format=json",
    ],
)  # fmt: skip
def test_what_one_lab_does_changes_nothing_for_another(site: Site, path: str) -> None:
    make_run(
        lab=site.other_lab, submitter=site.stranger, version=site.version, account=site.account
    )
    client = site.client(site.stranger)

    def seen() -> bytes:
        answer = client.get(path)
        data = b"".join(answer.streaming_content) if answer.streaming else answer.content
        # The CSRF field of the log-out form differs from answer to answer by design.
        import re

        return re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"|data-mark="[^"]*"', b"", data)

    before = seen()
    for _ in range(20):
        site.make_run(state=RunState.FAILED, name="not for you")
    after = seen()
    assert b"not for you" not in after
    assert after == before
