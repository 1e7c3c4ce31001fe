"""The door for what jobs report: who may, what is taken, what is refused; and what people see of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from pipeline_management.choices import RunState
from pipeline_management.models import Run, RunEvent
from pipeline_management.services import dispatch
from pipeline_management.services.history import first_fault
from pipeline_management.services.reports import receiving, recording, tokens, wire
from tests.api.site import JSON, Site

LINES = "application/x-ndjson"


@pytest.fixture
def run(site: Site) -> Run:
    made = site.make_run(state=RunState.RUNNING)
    made.token_sha256 = tokens.digest_of_new(made.pk)
    made.save()
    return made


def event(
    seq: int = 1, type: str = "message", /, sender: str = "job-a", **data: Any
) -> dict[str, Any]:
    body = data or ({"text": f"no {seq}"} if type == "message" else {})
    return {"sender": sender, "seq": seq, "type": type, "at": time.time(), "data": body}


def post(
    run: Run, *events: Any, token: str | None = None, body: bytes | None = None, **options: Any
) -> Any:
    """The answer to these events with the run's own token."""
    given = tokens.token_for(run) if token is None else token
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    data = "\n".join(json.dumps(one) for one in events).encode() if body is None else body
    return Client(raise_request_exception=False).post(
        f"/api/v1/runs/{run.pk}/events/", data, content_type=LINES, headers=headers, **options
    )


def test_one_event_and_many(run: Run) -> None:
    assert post(run, event(1)).json() == {"accepted": 1, "duplicates": 0}
    assert post(run, *[event(n) for n in range(1, 6)]).json() == {"accepted": 4, "duplicates": 1}
    stored = list(run.events.filter(sender="job-a").order_by("seq"))
    assert [one.sender_seq for one in stored] == [1, 2, 3, 4, 5]
    assert [one.data["text"] for one in stored] == [f"no {n}" for n in range(1, 6)]
    run.refresh_from_db()
    assert run.event_seq == stored[-1].seq
    assert [one.seq for one in stored] == list(range(stored[0].seq, stored[0].seq + 5))


def test_a_pretty_printed_object_is_one_line_too_many(run: Run) -> None:
    answer = post(run, body=json.dumps(event(1), indent=2).encode())
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["line"] == 1


def test_the_same_event_twice_in_one_request_counts_once(run: Run) -> None:
    assert post(run, event(1), event(1)).json() == {"accepted": 1, "duplicates": 1}
    assert post(run, event(1, sender="head")).json() == {"accepted": 1, "duplicates": 0}


def test_progress_and_tasks_reach_the_run(site: Site, run: Run) -> None:
    post(
        run,
        event(1, "progress", percent=40, text="aligned"),
        event(2, "task", name="align", state="complete", job_id="12", exit_code=0, resources={"cpus": 4}),
        event(3, "task", name="call", state="failed", exit_code=2, log_path="/x/call.log"),
        event(4, "task", name="report", state="pending"),
        event(5, "metric", name="reads", value=12.5),
    )  # fmt: skip
    client = site.client(site.viewer)
    shown = client.get(f"/api/v1/runs/{run.pk}/").json()
    assert (shown["progress"], shown["progress_text"]) == (40, "aligned")
    assert (shown["tasks_total"], shown["tasks_done"], shown["tasks_failed"]) == (3, 1, 1)
    assert shown["state"] == "running"
    listed = client.get(shown["links"]["tasks"]).json()
    assert [task["name"] for task in listed["results"]] == ["align", "call", "report"]
    assert listed["results"][0]["resources"] == {"cpus": 4}
    assert listed["results"][1]["log_path"] == "/x/call.log"
    failed = client.get(f"/api/v1/runs/{run.pk}/tasks/?state=failed").json()["results"]
    assert [(task["name"], task["exit_code"]) for task in failed] == [("call", 2)]
    events = client.get(f"/api/v1/runs/{run.pk}/events/?after=1").json()["results"]
    assert [(one["type"], one["sender"]) for one in events][-1] == ("metric", "job-a")


def test_tasks_come_in_pages(site: Site, run: Run) -> None:
    body = "\n".join(json.dumps(event(n, "task", name=f"t{n}", state="new")) for n in range(1, 503))
    assert post(run, body=body.encode()).json()["accepted"] == 502
    client = site.client(site.viewer)
    first = client.get(f"/api/v1/runs/{run.pk}/tasks/").json()
    assert (len(first["results"]), first["more"]) == (500, True)
    rest = client.get(f"/api/v1/runs/{run.pk}/tasks/?after={first['last']}").json()
    assert ([task["name"] for task in rest["results"]], rest["more"]) == (["t501", "t502"], False)


@pytest.mark.parametrize("state", [s for s in RunState if s.is_terminal])
def test_after_the_end_the_token_is_worth_nothing(run: Run, state: RunState) -> None:
    Run.objects.filter(pk=run.pk).update(state=state)
    answer = post(run, event(1))
    assert answer.status_code == 403
    assert "over" in answer.json()["detail"]
    assert not RunEvent.objects.filter(run=run, sender="job-a").exists()


def test_forged_tokens(site: Site, run: Run) -> None:
    good = tokens.token_for(run)
    assert good is not None
    other = site.make_run(state=RunState.RUNNING)
    forged = [
        "ctr_", "ctr_nonsense", good[:-1], good + "A", good.upper(), good[:-1] + ("A" if good[-1] != "A" else "B"),
        good.replace(run.pk.hex, other.pk.hex), run.token_sha256, "cto_" + good[4:], "x" * 500,
    ]  # fmt: skip
    for token in forged:
        answer = post(run, event(1), token=token)
        assert answer.status_code == 401, token
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert post(run, event(1), token="").status_code == 401
    assert not RunEvent.objects.filter(sender="job-a").exists()


def test_a_run_without_a_token_takes_none(run: Run) -> None:
    token = tokens.token_for(run)
    Run.objects.filter(pk=run.pk).update(token_sha256="")
    assert post(run, event(1), token=token).status_code == 401


def test_a_token_is_for_one_run(site: Site, run: Run) -> None:
    other = site.make_run(state=RunState.RUNNING)
    for path in (other.pk, "00000000-0000-0000-0000-000000000001"):
        answer = Client().post(
            f"/api/v1/runs/{path}/events/", json.dumps(event(1)), content_type=JSON,
            headers={"Authorization": f"Bearer {tokens.token_for(run)}"},
        )  # fmt: skip
        assert answer.status_code == 403
    assert not RunEvent.objects.filter(sender="job-a").exists()


def test_a_runs_token_opens_nothing_else(run: Run) -> None:
    header = {"Authorization": f"Bearer {tokens.token_for(run)}"}
    for path in (
        f"/api/v1/runs/{run.pk}/events/",
        f"/api/v1/runs/{run.pk}/",
        "/api/v1/runs/",
        "/api/v1/whoami/",
    ):
        assert Client().get(path, headers=header).status_code == 401
    assert Client().post(f"/api/v1/runs/{run.pk}/cancel/", headers=header).status_code == 401


def test_people_do_not_report(site: Site, run: Run) -> None:
    for user in (site.submitter, site.administrator):
        answer = site.client(user).post(
            f"/api/v1/runs/{run.pk}/events/", json.dumps(event(1)), content_type=JSON
        )
        assert answer.status_code == 401


GOOD = {"sender": "job", "seq": 1, "type": "message", "at": 1.0, "data": {"text": "x"}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sender": "Job A"}, "/sender"),
    ({"sender": ""}, "/sender"),
    ({"seq": 0}, "/seq"),
    ({"seq": "1"}, "/seq"),
    ({"seq": 2**60}, "/seq"),
    ({"at": "now"}, "/at"),
    ({"at": -1}, "/at"),
    ({"type": "state"}, "/type"),
    ({"type": None}, "/type"),
    ({"more": 1}, "/more"),
    ({"data": None}, "/data"),
    ({"data": {}}, "/data/text"),
    ({"data": {"text": "x" * 4001}}, "/data/text"),
    ({"type": "progress", "data": {"percent": 101}}, "/data/percent"),
    ({"type": "progress", "data": {"percent": 50.5}}, "/data/percent"),
    ({"type": "task", "data": {"name": "", "state": "new"}}, "/data/name"),
    ({"type": "task", "data": {"name": "\n", "state": "new"}}, "/data/name"),
    ({"type": "task", "data": {"name": "a", "state": "done"}}, "/data/state"),
    ({"type": "task", "data": {"name": "a", "state": "new", "exit_code": "0"}}, "/data/exit_code"),
    ({"type": "task", "data": {"name": "a", "state": "new", "resources": {"a": []}}}, "/data/resources/a"),
    ({"type": "completed", "data": {"exit_code": 0}}, "/data/exit_code"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "pointer"), WRONG, ids=lambda value: str(value)[:40])
def test_a_malformed_event_is_refused_with_its_place(
    run: Run, change: dict[str, Any], pointer: str
) -> None:
    answer = post(run, GOOD, GOOD | change)
    assert answer.status_code == 400
    first = answer.json()["errors"][0]
    assert (first["line"], first["pointer"].startswith(pointer)) == (2, True), first
    assert not RunEvent.objects.filter(run=run).exclude(sender="").exists(), "all or nothing"


@pytest.mark.parametrize(
    "body", [b"", b"\n\n", b"[]", b"1", b"null", b"{", b"\xff\xfe", b'{"a":NaN}', b"[" * 9000, b'{"seq":1,"seq":2}']
)  # fmt: skip
def test_what_is_no_event_is_refused(run: Run, body: bytes) -> None:
    answer = post(run, body=body)
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_too_much_is_refused(run: Run) -> None:
    long = event(1, "artifact", path="x")
    long["data"]["label"] = "x" * wire.MAX_LINE
    assert post(run, long).status_code == 413
    assert post(run, *[GOOD] * (wire.MAX_EVENTS + 1)).status_code == 413
    assert post(run, body=b" " * (wire.MAX_BODY + 1)).status_code == 413
    assert not RunEvent.objects.filter(run=run).exclude(sender="").exists()


def test_a_run_reports_so_much_in_ten_seconds(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "ALLOWANCE", 3 * receiving.REQUEST_COST)
    monkeypatch.setattr(receiving.time, "time", lambda: 1000.0)
    codes = [post(run, GOOD | {"seq": n}).status_code for n in range(1, 6)]
    assert codes == [200, 200, 200, 429, 429]
    answer = post(run, GOOD)
    assert 0 < int(answer["Retry-After"]) <= receiving.WINDOW
    monkeypatch.setattr(receiving.time, "time", lambda: 1000.0 + receiving.WINDOW)
    assert post(run, GOOD).status_code == 200


def test_a_run_keeps_so_many_events(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_EVENTS", run.event_seq + 2)
    monkeypatch.setattr(receiving, "MAX_EVENTS", run.event_seq + 2)
    answer = post(run, *[event(n) for n in range(1, 5)])
    assert answer.status_code == 403
    assert run.events.filter(sender="job-a").count() == 2


def test_a_body_in_pieces_without_a_length(run: Run) -> None:
    answer = post(run, GOOD, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert answer.status_code == 411


def test_an_event_makes_the_poller_look_but_not_too_often(
    run: Run, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, account: rung.append((task, account)))
    cache.clear()
    with django_capture_on_commit_callbacks(execute=True):
        for n in range(1, 6):
            post(run, event(n))
            dispatch.heard(dispatch.POLL, run.account_id)
    assert rung == [(dispatch.POLL, run.account_id)]
    dispatch.heard(dispatch.POLL, run.account_id)
    with django_capture_on_commit_callbacks(execute=True):
        post(run, event(6, "completed"))
    assert len(rung) == 2, "the end is worth another look"
    run.refresh_from_db()
    assert run.state == RunState.RUNNING, "a hint decides nothing"


def test_ten_thousand_events_take_few_queries(run: Run, django_assert_max_num_queries: Any) -> None:
    for part in range(5):
        numbers = range(part * 2000 + 1, part * 2000 + 2001)
        body = "\n".join(
            json.dumps(event(n, "task", name=f"t{n % 50}", state="running")) for n in numbers
        )
        cache.clear()
        with django_assert_max_num_queries(60):
            assert post(run, body=body.encode()).json()["accepted"] == 2000
    run.refresh_from_db()
    assert (run.tasks_total, run.events.filter(sender="job-a").count()) == (50, 10_000)
    Run.objects.filter(pk=run.pk).update(state=run.events.filter(type="state").last().to_state)
    run.refresh_from_db()
    assert first_fault(run) == ""
