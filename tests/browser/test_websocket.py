"""The run page in a real Chromium: told by websocket, and by its own polling where there is none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.lab.sitefile import PASSWORDS
from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.browser]


def logged_in(browser: Browser, stack: LiveStack, *, websockets: bool) -> Page:
    """Alice; without websockets every attempt is closed at once."""
    page = browser.new_context(base_url=stack.base_url).new_page()
    if not websockets:

        def refuse(route: WebSocketRoute) -> None:
            route.close(code=1011)

        page.route_web_socket(re.compile("/ws/"), refuse)
    page.goto("/accounts/login/")
    page.locator("#id_username").fill("alice")
    page.locator("#id_password").fill(PASSWORDS["alice"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{stack.base_url}/")
    return page


def test_the_page_is_told_by_websocket_and_hardly_polls(
    browser: Browser, live_stack: LiveStack
) -> None:
    page = logged_in(browser, live_stack, websockets=True)
    frames: list[Any] = []
    errors: list[str] = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame))
    )
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 5})
    page.goto(f"/runs/{run_id}/")
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Running", timeout=60_000)
    reads: list[str] = []
    page.on(
        "request", lambda request: reads.append(request.url) if "/status/" in request.url else None
    )
    expect(badge).to_have_text("Succeeded", timeout=60_000)
    told = "".join(str(frame) for frame in frames)
    assert '"snapshot"' in told and '"to_state":"succeeded"' in told
    events = told.count('"type":"event"')
    assert len(reads) <= events + 1  # one for an event at most, and the rare poll underneath
    assert errors == []
    page.context.close()


def test_without_websockets_the_page_polls(browser: Browser, live_stack: LiveStack) -> None:
    page = logged_in(browser, live_stack, websockets=False)
    run_id = live_stack.submit({"pipeline": "sleep", "seconds": 1})
    page.goto(f"/runs/{run_id}/")
    expect(page.locator("#run-live .badge-state").first).to_have_text("Succeeded", timeout=60_000)
    page.context.close()
