"""A large file by the page of transfers, in a real Chromium, with a pause in the middle; the whole way is timed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.browser.conftest import CHROMIUM
from tests.firecrest.portal import CLUSTER, Portal
from tests.lab.sitefile import PASSWORDS

PAUSE_SECONDS = 3.0
PATIENCE_MS = 600_000


def upload(portal: Portal, source: Path, folder: Path) -> dict[str, float | str]:
    """Send ``source`` into ``folder`` of the system; what was seen.

    ``paused_at`` is the share sent at the pause, ``moved_in_pause`` what went on to be sent during it,
    ``progress_seen`` how many different values the list showed without being loaded again.
    """
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(base_url=portal.stack.base_url).new_page()
        page.goto("/transfers/")
        page.locator("#id_username").fill("alice")
        page.locator("#id_password").fill(PASSWORDS["alice"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/transfers/")
        page.locator("#upload select").first.select_option(CLUSTER)
        page.get_by_label("Directory on the system").fill(str(folder))
        page.evaluate("window.stayed = true")
        begun = time.perf_counter()
        page.locator("#upload-files").set_input_files(source)
        row = page.locator(".upload")
        page.wait_for_function(
            "() => { const m = document.querySelector('.upload progress'); return m && m.value / m.max > 0.4 }",
            timeout=PATIENCE_MS,
        )
        row.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(700)
        at = _share(page)
        page.wait_for_timeout(1000 * PAUSE_SECONDS)
        moved = _share(page) - at
        row.get_by_role("button", name="Resume").click()
        expect(row).to_have_attribute("data-state", "sent", timeout=PATIENCE_MS)
        seen = _until_done(page)
        seconds = time.perf_counter() - begun - PAUSE_SECONDS
        stayed = page.evaluate("window.stayed")
        browser.close()
    return {
        "seconds": seconds, "paused_at": at, "moved_in_pause": moved, "progress_seen": float(len(seen)),
        "reloaded": float(not stayed),
    }  # fmt: skip


def _share(page: Any) -> float:
    return float(
        page.evaluate(
            "(() => { const m = document.querySelector('.upload progress'); return m.value / m.max })()"
        )
    )


def _until_done(page: Any) -> set[str]:
    """The texts of progress that the list showed, until the file was on the system."""
    seen: set[str] = set()
    end = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        line = page.locator("#transfers-live tbody tr").first
        if line.get_attribute("data-state") == "done":
            return seen
        if line.locator("progress").count():
            seen.add(line.inner_text())
        page.wait_for_timeout(100)
    raise RuntimeError("the file did not arrive on the system")
