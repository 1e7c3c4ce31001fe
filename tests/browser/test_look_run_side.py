"""What ``test_look`` asks of every page, of the runs' side with files, reports, marks, transfers, refusals on it;
and that a page which lives keeps still for whoever reads or writes on it."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from pipeline_management.choices import RunState
from pipeline_management.models import (
    Run,
    RunEvent,
    RunLabel,
    RunNote,
    RunStar,
    SavedView,
    Transfer,
)
from pipeline_management.models.transfer import Direction, TransferState
from tests.browser.demo_run_side import OUTPUTS, write_results
from tests.browser.test_look import looked_over
from tests.factories import make_account, make_version

if TYPE_CHECKING:
    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser
LONG = "a_very_long_name_without_any_blank_in_it_" * 4


@pytest.fixture
def run(site: Site, tmp_path: Path) -> Run:
    """A run with results, a label, a star, a note and a saved search; beside it transfers in every state."""
    person, folder = site.people["manager"], tmp_path / "run"
    folder.mkdir()
    write_results(folder)
    (folder / LONG).touch()
    version = make_version("coverage", "2.1", system=site.account.system, outputs=OUTPUTS)
    run = site.run(
        state=RunState.SUCCEEDED, name="coverage", version=version, directory=str(folder)
    )
    site.run(state=RunState.RUNNING, name="other")
    data = {"path": f"results/{LONG}.png", "label": LONG}
    RunEvent.objects.create(
        run=run, seq=2, at=timezone.now(), type="artifact", actor="job", data=data
    )
    RunLabel.objects.create(run=run, name="giab")
    RunStar.objects.create(run=run, user=person)
    RunNote.objects.create(run=run, author=person, text=LONG)
    SavedView.objects.create(owner=person, lab=site.lab, name="Found again", query="q=label%3Agiab")
    account = make_account(site.account.system, person, username=getpass.getuser())
    for number, state in enumerate(TransferState):
        Transfer.objects.create(
            user=person, account=account, path=f"/data/{LONG}", direction=Direction.UPLOAD, state=state, limit=9**9,
            key=str(number), size=9**9, bytes_done=5**9, rate=9.0**6, error=LONG, expires_at=timezone.now(),
        )  # fmt: skip
    return run


def open_folds(page: Page) -> None:
    expect(page.locator(".file-wait")).to_have_count(0)
    for fold in page.locator("#files-part summary").all():
        fold.click()


def nothing(page: Page) -> None:
    """The page is as it should be."""


def reports(page: Page) -> None:
    expect(page.locator("#outputs")).to_be_visible()


def tick(page: Page) -> None:
    page.locator("#many-all").check()


def ask(page: Page) -> None:
    tick(page)
    page.locator("#many-cancel").click()
    expect(page.locator("#not-to-cancel")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_runs_side_is_readable_and_well_built(
    open_as: Open, watch: Watch, run: Run, scheme: Any, width: int
) -> None:
    files = f"/files/cluster{run.directory}"
    own = f"/runs/{run.pk}"
    pages: dict[str, Callable[[Page], None]] = {
        f"{own}/": nothing, f"{own}/files/": open_folds, f"{own}/files/results/coverage.png": open_folds,
        f"{own}/reports/": reports, f"{own}/labels/": nothing, files: open_folds, "/transfers/": nothing,
        f"{files}/results/coverage.png": open_folds, "/runs/?q=label:giab": tick, "/runs/": ask,
    }  # fmt: skip
    page = open_as(
        "manager", "/usage/", color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    faults = {}
    for address, act in pages.items():
        page.goto(address)
        act(page)
        if found := looked_over(page):
            faults[address] = found
    assert faults == {}


def test_nothing_jumps_while_a_run_goes_on(open_as: Open, site: Site) -> None:
    run = site.run(
        state=RunState.SUBMITTED, job_id="17", queue_state="PENDING", queue_reason="Priority"
    )
    page = open_as("submitter", f"/runs/{run.pk}/")
    expect(page.locator("#run-waiting")).to_contain_text("higher priority")
    note = page.get_by_label("New note")
    note.fill("half a sent")
    note.scroll_into_view_if_needed()
    page.evaluate("document.getElementById('run-waiting').same = true")
    top = "document.getElementById('note-text').getBoundingClientRect().top"
    before = page.evaluate(top)
    for number in (2, 3, 4):
        RunEvent.objects.create(run=run, seq=number, at=timezone.now(), actor="portal", type="message",
                                evidence="portal", data={"text": f"news {number}"})  # fmt: skip
    Run.objects.filter(pk=run.pk).update(event_seq=4)
    expect(page.locator(".timeline")).to_contain_text("news 4", timeout=15_000)
    expect(note).to_be_focused()
    expect(note).to_have_value("half a sent")
    assert page.evaluate("document.getElementById('run-waiting').same") is True
    assert abs(page.evaluate(top) - before) < 3
    Run.objects.filter(pk=run.pk).update(
        state=RunState.RUNNING, started_at=timezone.now(), event_seq=5
    )
    expect(page.locator("#run-live .badge-state").first).to_have_text("Running", timeout=15_000)
    expect(page.locator("#run-waiting")).to_have_count(0)
