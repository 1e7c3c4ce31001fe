"""A person at the page, a real Chromium, and a real Slurm behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.engine import cluster
from tests.engine.test_outcomes import EXAMPLE
from tests.lab.lab import Lab
from tests.lab.sitefile import PASSWORDS
from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.browser]


@pytest.fixture
def page(live_stack: LiveStack, browser: Browser) -> Iterator[Page]:
    """Alice, logged in by the log-in page."""
    context = browser.new_context(base_url=live_stack.base_url)
    page = context.new_page()
    page.goto("/custom/")
    page.locator("#id_username").fill("alice")
    page.locator("#id_password").fill(PASSWORDS["alice"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/custom/"))
    yield page
    context.close()


def submit(page: Page, text: str) -> str:
    """Paste a configuration into the editor and submit it; returns the run's id."""
    page.goto("/custom/")
    page.get_by_role("tab", name="JSON").click()
    page.locator(".ace_text-input").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    page.locator("#submit-button").click()
    # What the system has against it, as files that are not there, is shown once; then it goes.
    anyway = page.get_by_role("button", name="Submit anyway")
    run_page = re.compile(r"/runs/[0-9a-f-]{36}/")
    expect(anyway.or_(page.locator("#run-live")).first).to_be_visible(timeout=30_000)
    if anyway.count():
        anyway.click()
    page.wait_for_url(run_page, timeout=30_000)
    page.evaluate("window.stayed = true")
    return page.url.rstrip("/").rpartition("/")[2]


def test_the_phoenix_example_by_the_page(page: Page) -> None:
    """Queued, running, succeeded seen on the page without a reload; the log is on the page."""
    submit(page, EXAMPLE.read_text())
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Succeeded", timeout=60_000)
    expect(page.locator(".timeline")).to_contain_text("Running")
    expect(page.locator("#log-text")).to_contain_text("NA12878", timeout=20_000)
    assert page.evaluate("window.stayed") is True


def test_a_running_job_is_cancelled_by_the_page(page: Page, live_stack: LiveStack, lab: Lab) -> None:
    run_id = submit(page, '{"pipeline": "sleep", "seconds": 600}')
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Running", timeout=60_000)
    page.locator("#cancel-button").click()
    page.locator("#cancel-confirm").click()
    expect(badge).to_have_text("Cancelled", timeout=60_000)
    (state,) = cluster.states(lab, cluster.keys_of(live_stack, [run_id])[run_id])
    assert state.startswith("CANCELLED")


def test_a_wrong_partition_is_explained_on_the_page(page: Page) -> None:
    submit(page, '{"pipeline": "wrong-partition"}')
    expect(page.locator("#run-live")).to_contain_text(
        "invalid partition specified: nowhere", timeout=60_000
    )
