"""Hostile reports arrive by websocket while the page is open: shown as text, and nothing of them does anything."""

from __future__ import annotations

import json
import re
import wsgiref.handlers
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from pipeline_management.choices import RunState, TaskState
from pipeline_management.models import Run, RunEvent, RunTask
from tests.hostile.values import UNSTORABLE, VALUES
from tests.hostile.world import NOW, fill_all

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser
MARKED = "document.querySelectorAll('[xq7]').length + document.getElementsByTagName('xq7').length"


@pytest.fixture(autouse=True)
def with_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages think that the server has websockets; the test answers them in its place."""
    monkeypatch.setitem(wsgiref.handlers.BaseHandler.os_environ, "CENTRO_WEBSOCKETS", "1")


def told(run: Run) -> list[str]:
    """The messages of a running run's job with every value in every field, in the server's own words."""
    from api.live import ApiWords

    words = ApiWords("http://testserver")
    events = []
    for number, value in enumerate([*VALUES.values(), UNSTORABLE["1 MB"][:16_000]], start=2):
        kind = ("progress", "message", "error", "task", "metric", "artifact")[number % 6]
        data = dict.fromkeys(
            ("text", "name", "state", "path", "label", "unit", "value", "reason"), value
        )
        events.append(
            RunEvent(run=run, seq=number, type=kind, at=NOW, data=data, actor=value[:150])
        )
    RunEvent.objects.bulk_create(events)
    return [words.event(event) for event in events]


def reported(run: Run) -> None:
    """What the page reads when it is told."""
    states = [TaskState.FAILED, TaskState.RUNNING]
    tasks = [
        RunTask(run=run, key=f"{n}", state=states[n % 2], reported_at=NOW)
        for n in range(len(VALUES))
    ]
    fill_all(tasks, list(VALUES.values()))
    Run.objects.filter(pk=run.pk).update(
        progress=7, progress_text=" ".join(list(VALUES.values())[:5])[:200],
        tasks_total=len(tasks), tasks_failed=len(tasks) // 2,
    )  # fmt: skip


def with_socket(page: Page, address: str) -> WebSocketRoute:
    """The page, and the server's end of its websocket."""
    sockets: list[WebSocketRoute] = []

    def opened(route: WebSocketRoute) -> None:
        sockets.append(route)

    page.route_web_socket(re.compile("/ws/"), opened)
    page.goto(address)
    page.wait_for_function("() => document.body.dataset.socket")
    for _ in range(100):
        if sockets:
            break
        page.wait_for_timeout(50)
    return sockets[0]


def test_events_of_a_job_come_as_text(open_as: Open, site: Site) -> None:
    run = site.run(state=RunState.RUNNING, name="watched")
    page = open_as("submitter", "/accounts/tokens/")
    seen: list[Any] = []
    page.expose_function("seen", lambda message: seen.append(message))
    socket = with_socket(page, f"/runs/{run.pk}/")
    page.evaluate("document.addEventListener('centro:message', event => window.seen(event.detail))")
    messages = told(run)
    reported(run)
    for message in messages:
        socket.send(message)
    expect(page.locator("#run-live")).to_contain_text(
        "<script xq7>alert(1)</script>", timeout=20_000
    )
    assert page.evaluate(MARKED) == 0
    assert [message["event"]["data"] for message in seen] == [
        json.loads(m)["event"]["data"] for m in messages
    ]


def test_messages_that_are_none_do_nothing(open_as: Open, site: Site) -> None:
    """Unknown types and members that mean something to scripts: nothing of them gets into the page."""
    run = site.run(state=RunState.RUNNING, name="watched")
    page = open_as("submitter", "/accounts/tokens/")
    socket = with_socket(page, f"/runs/{run.pk}/")
    expect(page.locator("#run-live")).to_be_visible()
    for value in VALUES.values():
        socket.send(json.dumps({"type": value, "seq": value, "run": {"id": value, "name": value}}))
        socket.send(
            json.dumps(
                {"type": "snapshot", "seq": 1, "__proto__": {"xq7": value}, "constructor": value}
            )
        )
    page.wait_for_timeout(500)
    assert "xq7" not in page.content()
    assert page.evaluate("({}).xq7 === undefined")


def test_the_list_is_told_of_hostile_runs(open_as: Open, site: Site) -> None:
    run = site.run(state=RunState.RUNNING, name="watched")
    page = open_as("submitter", "/accounts/tokens/")
    socket = with_socket(page, "/runs/")
    for value in VALUES.values():
        Run.objects.filter(pk=run.pk).update(name=value[:200])
        socket.send(json.dumps({"type": "run", "run": {"id": str(run.pk), "name": value}}))
    shown = page.locator("[data-run] .main-link").first
    expect(shown).to_have_text(VALUES["long word"], timeout=20_000)
    assert page.evaluate(MARKED) == 0
