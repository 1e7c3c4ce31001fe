"""The list and the page of a run, living in a real browser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from pipeline_management.choices import Desired, RunState
from pipeline_management.models import Run, RunEvent

if TYPE_CHECKING:
    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


def move(run: Run, state: RunState, **fields: Any) -> None:
    """As the services do it, in as much as a page can see it."""
    run.refresh_from_db()
    before, seq = run.state, run.event_seq + 1
    RunEvent.objects.create(run=run, seq=seq, at=timezone.now(), actor="worker", type="state",
                            from_state=before, to_state=state, evidence="marker")
    Run.objects.filter(pk=run.pk).update(state=state, event_seq=seq, **fields)


class Output:
    """The stdout of every run, growing as the test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def __iadd__(self, data: bytes) -> Output:
        with self.path.open("ab") as file:
            file.write(data)
        return self


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Output:
    """Read by the real commands, from this machine."""

    def path_of(run: Run, stream: str) -> str:
        return str(tmp_path / stream)

    monkeypatch.setattr("pipeline_management.services.logs.path_of", path_of)
    return Output(tmp_path / "stdout")


def test_a_run_is_followed_to_its_end_without_a_reload(
    open_as: Open, site: Site, output: Output
) -> None:
    run = site.run(job_id="4711")
    page = open_as("viewer", f"/runs/{run.pk}/")
    page.evaluate("window.stayed = true")
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Queued")
    output += b"first line\n"
    move(run, RunState.RUNNING, started_at=timezone.now(), nodes="c017")
    expect(badge).to_have_text("Running", timeout=15_000)
    expect(page.locator(".timeline li")).to_have_count(2)
    expect(page.locator("#log-text")).to_contain_text("first line", timeout=15_000)
    output += "second <b>line</b> ü\n".encode()
    expect(page.locator("#log-text")).to_contain_text("second <b>line</b> ü", timeout=15_000)
    output += b"last line\n"
    now = timezone.now()
    move(run, RunState.SUCCEEDED, ended_at=now, finished_at=now, exit_code=0)
    expect(badge).to_have_text("Succeeded", timeout=15_000)
    expect(page.locator("#log-text")).to_contain_text("last line", timeout=15_000)
    expect(page.locator("#run-live")).not_to_have_attribute("hx-trigger", "every 2s")
    assert (page.locator("#log-text").text_content() or "").count("first line") == 1
    assert page.evaluate("window.stayed") is True


def test_a_run_is_cancelled_after_a_question(open_as: Open, site: Site, output: Output) -> None:
    run = site.run(state=RunState.RUNNING, job_id="1")
    page = open_as("submitter", f"/runs/{run.pk}/")
    page.get_by_role("link", name="Cancel run").click()
    dialog = page.get_by_role("dialog", name="Cancel this run?")
    expect(dialog).to_be_visible()
    assert page.evaluate("document.activeElement.textContent") == "Keep it running"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    run.refresh_from_db()
    assert run.desired == Desired.RUN
    page.get_by_role("link", name="Cancel run").click()
    dialog.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("main")).to_contain_text("The run is being cancelled.")
    expect(page.locator("main")).to_contain_text("being cancelled")
    run.refresh_from_db()
    assert run.desired == Desired.CANCEL


def test_cancelling_works_without_scripts(open_as: Open, site: Site, output: Output) -> None:
    run = site.run(state=RunState.RUNNING)
    page = open_as("submitter", f"/runs/{run.pk}/", java_script_enabled=False)
    page.get_by_role("link", name="Cancel run").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("main")).to_contain_text("The run is being cancelled.")
    run.refresh_from_db()
    assert run.desired == Desired.CANCEL


def test_tabs_of_the_output_obey_mouse_and_keys(open_as: Open, site: Site, output: Output) -> None:
    output += b"on stdout\n"
    run = site.run(state=RunState.SUCCEEDED, job_id="1")
    page = open_as("viewer", f"/runs/{run.pk}/")
    expect(page.locator("#log-text")).to_contain_text("on stdout")
    page.get_by_role("tab", name="stderr").click()
    expect(page.locator("#log-viewer")).to_have_attribute("data-stream", "stderr")
    expect(page.get_by_role("tab", name="stderr")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#log-text")).to_contain_text("on stdout")
    assert page.evaluate("document.activeElement.id") == "tab-stdout"


def test_the_list_refreshes_in_place(open_as: Open, site: Site) -> None:
    run = site.run(name="watched", state=RunState.RUNNING)
    page = open_as("viewer", "/runs/?sort=name&text=watched")
    link = page.get_by_role("link", name="watched")
    link.focus()
    move(run, RunState.FINISHING)
    row = page.locator(f'[data-run="{run.pk}"]')
    expect(row.locator(".badge-state")).to_have_text("Finishing", timeout=15_000)
    assert page.evaluate("document.activeElement.id") == f"run-{run.pk}"
    move(run, RunState.FAILED, reason="TIMEOUT", finished_at=timezone.now())
    expect(row).to_contain_text("The job reached its walltime limit", timeout=15_000)
    expect(page.locator("#runs-live")).not_to_have_attribute("hx-trigger", "every 4s")
    assert page.url.endswith("/runs/?sort=name&text=watched")


def test_the_list_is_filtered_by_hand(open_as: Open, site: Site) -> None:
    site.run(name="good one", state=RunState.SUCCEEDED)
    site.run(name="bad one", state=RunState.FAILED)
    page = open_as("viewer", "/runs/")
    expect(page.locator("[data-run]")).to_have_count(2)
    page.locator("#filter > summary").click()
    page.get_by_label("Failed").check()
    page.get_by_label("Text").fill("one")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-run]")).to_have_count(1)
    expect(page.locator("[data-run]")).to_contain_text("bad one")
    assert "state=failed" in page.url
    expect(page.get_by_label("Failed")).to_be_checked()
    page.locator("#export-menu > summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    text = download.value.path().read_text()
    assert "bad one" in text and "good one" not in text
    page.get_by_role("link", name="Run", exact=True).click()
    assert "sort=name" in page.url and "state=failed" in page.url
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("[data-run]")).to_have_count(2)


def test_a_server_that_does_not_answer_is_said_and_got_over(
    open_as: Open, site: Site, watch: Watch, output: Output
) -> None:
    watch.expected = ("503", "Response Status Error Code 503")
    run = site.run(state=RunState.RUNNING)
    page = open_as("viewer", f"/runs/{run.pk}/")
    page.route("**/status/", lambda route: route.fulfill(status=503, body="away"))
    expect(page.locator("#connection")).to_be_visible(timeout=15_000)
    expect(page.locator("#run-live .badge-state").first).to_have_text("Running")
    page.unroute("**/status/")
    expect(page.locator("#connection")).to_be_hidden(timeout=15_000)


def test_an_ended_log_in_leads_to_the_log_in_page_and_back(
    open_as: Open, site: Site, watch: Watch, output: Output
) -> None:
    watch.expected = ("401",)
    run = site.run(state=RunState.RUNNING)
    page = open_as("viewer", f"/runs/{run.pk}/")
    page.context.clear_cookies()
    page.wait_for_url(f"**/accounts/login/?next=/runs/{run.pk}/", timeout=20_000)


def test_times_are_the_viewer_s_with_utc_beside(open_as: Open, site: Site, output: Output) -> None:
    at = (timezone.now() - timedelta(days=40)).replace(month=1, day=15, hour=23, minute=30, second=0)
    run = site.run(state=RunState.SUCCEEDED, submitted_at=at)
    page = open_as("viewer", f"/runs/{run.pk}/")
    shown = page.locator(f'time[datetime="{at:%Y-%m-%dT%H:%M:%SZ}"]')
    expect(shown).to_contain_text("16 Jan")  # half past midnight in Berlin
    expect(shown).to_contain_text("00:30:00")
    expect(shown).to_have_attribute("title", f"{at:%Y-%m-%d} 23:30:00 UTC")
