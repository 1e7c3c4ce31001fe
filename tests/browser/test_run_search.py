"""Searching the list, and what is done to ticked runs, in a real browser and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from pipeline_management.choices import RunState
from pipeline_management.models import RunStar

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


def test_a_search_is_typed_with_suggestions_and_kept(open_as: Open, site: Site) -> None:
    site.run(
        name="trio one", state=RunState.FAILED, cause="QUOTA", cause_text="align: quota exceeded"
    )
    site.run(name="panel two", state=RunState.SUCCEEDED)
    page = open_as("manager", "/runs/")
    expect(page.locator("[data-run]")).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("sta")
    expect(page.locator("#search-suggestions")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#search-box")).to_have_value("state:")
    page.keyboard.type("fa")
    expect(page.locator("#search-suggestions [role=option]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("[data-run]")).to_have_count(1)
    assert "q=state%3Afailed" in page.url
    expect(page.locator("[data-run] .cause")).to_have_text("Quota exceeded")
    page.locator("[data-run] .star").click()
    expect(page.locator("[data-run] .star")).to_have_attribute("aria-pressed", "true")
    assert RunStar.objects.filter(user=site.people["manager"]).count() == 1
    page.locator("#save-view > summary").click()
    page.get_by_label("Name", exact=True).fill("what failed")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(page.url.partition("?")[0])
    page.get_by_role("link", name="what failed").click()
    expect(page.locator("[data-run]")).to_have_count(1)
    page.get_by_role("link", name="By cause").click()
    expect(page.locator("#cause-groups")).to_contain_text("align: quota exceeded")
    page.goto(page.url.partition("?")[0] + "?q=stat:x")
    expect(page.locator("#search-error")).to_contain_text("Did you mean state:")


def test_ticked_runs_are_labelled(open_as: Open, site: Site) -> None:
    for name in ("one", "two"):
        site.run(name=name, state=RunState.SUCCEEDED)
    page = open_as("manager", "/runs/")
    expect(page.locator("#many-compare")).to_be_disabled()
    page.locator("#many-all").check()
    expect(page.locator("#many-compare")).to_be_enabled()
    page.locator("#many-label-name").fill("Cohort-7")
    page.locator("#many-label").click()
    expect(page.get_by_text("2 runs are labelled.")).to_be_visible()
    expect(page.locator("[data-run] .label-chip")).to_have_count(2)
    page.locator("[data-run] .label-chip a").first.click()
    assert "label:cohort-7" in page.url
    expect(page.locator("[data-run]")).to_have_count(2)
