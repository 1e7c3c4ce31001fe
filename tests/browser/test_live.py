"""A person at the page, a real Chromium, and a real Slurm behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import steps
from tests.engine import cluster
from tests.engine.test_outcomes import EXAMPLE
from tests.lab.lab import Lab
from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.browser]


@pytest.fixture
def page(live_stack: LiveStack, browser: Browser) -> Iterator[Page]:
    """Alice, logged in by the log-in page."""
    with steps.logged_in(browser, live_stack, "alice", "/custom/") as page:
        expect(page).to_have_url(re.compile("/custom/"))
        yield page


def test_the_phoenix_example_by_the_page(page: Page) -> None:
    """Queued, running, succeeded seen on the page without a reload; the log is on the page."""
    steps.submit(page, EXAMPLE.read_text())
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Succeeded", timeout=60_000)
    expect(page.locator(".timeline")).to_contain_text("Running")
    expect(page.locator("#log-text")).to_contain_text("NA12878", timeout=20_000)
    assert steps.has_stayed(page)


def test_a_running_job_is_cancelled_by_the_page(page: Page, live_stack: LiveStack, lab: Lab) -> None:
    run_id = steps.submit(page, '{"pipeline": "sleep", "seconds": 600}')
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Running", timeout=60_000)
    page.locator("#cancel-button").click()
    page.locator("#cancel-confirm").click()
    expect(badge).to_have_text("Cancelled", timeout=60_000)
    (state,) = cluster.states(lab, cluster.keys_of(live_stack, [run_id])[run_id])
    assert state.startswith("CANCELLED")


def test_a_wrong_partition_is_explained_on_the_page(page: Page) -> None:
    steps.submit(page, '{"pipeline": "wrong-partition"}')
    expect(page.locator("#run-live")).to_contain_text(
        "invalid partition specified: nowhere", timeout=60_000
    )
