"""A real Chromium against Django's own test server, watched for anything that a page must not do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.pages.site import Site

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 45_000
"""Milliseconds that a page may take for what is expected of it: the machine may be busy with much else."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; nothing is downloaded."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    # Playwright's synchronous API keeps an event loop in this thread, which Django would refuse
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def site(transactional_db: None) -> Site:
    """As for the tests of the pages, but committed, so that the server's threads see it."""
    from tests.pages.site import make_site

    return make_site()


class Watch:
    """What pages did that they must not do."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.faults: list[str] = []
        self.expected: tuple[str, ...] = ()
        self.elsewhere: tuple[str, ...] = ()

    def context(self, context: BrowserContext) -> None:
        """Watch every page of a context."""
        context.on("page", self.page)
        context.on("request", self._request)

    def page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._console)
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "blob:", "data:", *self.elsewhere)):
            self.faults.append(f"request to {request.url}")

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in self.expected):
            self.faults.append(f"console: {message.text}")


@pytest.fixture
def watch(live_server: Any) -> Iterator[Watch]:
    """No violation of the content security policy, no script error, no request to elsewhere."""
    watched = Watch(live_server.url)
    yield watched
    assert watched.faults == []


Open = Callable[..., "Page"]


@pytest.fixture
def open_as(browser: Browser, live_server: Any, site: Site, watch: Watch) -> Iterator[Open]:
    """``open_as("viewer", "/runs/", …)``: a page of a new browser in which the person is logged in.

    Further keywords go to Playwright's ``new_context``: viewport, color_scheme, java_script_enabled …
    """
    contexts: list[BrowserContext] = []

    def opened(person: str | None, address: str = "/", **options: Any) -> Page:
        values: dict[str, Any] = {"locale": "en-GB", "timezone_id": "Europe/Berlin",
                                  "viewport": {"width": 1280, "height": 900}}
        context = browser.new_context(base_url=live_server.url, **(values | options))
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        watch.context(context)
        if person is not None:
            session = site.client(person).cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
