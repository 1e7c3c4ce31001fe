"""The keyboard on the pages that people work on; small screens, stillness and paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from pipeline_management.choices import RunState

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


def test_nothing_moves_for_whoever_wants_it_still(open_as: Open, site: Site) -> None:
    run = site.run(state=RunState.RUNNING, name="moving", started_at=timezone.now())
    page = open_as("viewer", f"/runs/{run.pk}/", reduced_motion="reduce")
    moving = """() => document.getAnimations().filter(a => a.playState === "running")
        .map(a => a.animationName || a.transitionProperty)"""
    assert page.evaluate(moving) == []


# What is focused: where it stands in the page, and whether it is seen.
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
  const at = Array.from(document.querySelectorAll("*")).indexOf(e);
  return { at, inside, ring, what: e.outerHTML.slice(0, 110) };
}"""


def walk(page: Page, most: int) -> list[dict[str, Any]]:
    """What Tab comes to, until it leaves the page or ``most`` stops were made."""
    stops: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None or (stops and stop["at"] == stops[0]["at"]):
            return stops
        stops.append(stop)
    return stops


@pytest.mark.parametrize("place", ["list", "run", "submit", "files"])
def test_tab_goes_through_the_page_in_order_and_is_seen(
    open_as: Open, watch: Watch, site: Site, place: str
) -> None:
    run = site.run(state=RunState.FAILED, name="walked", reason="EXIT_NONZERO", exit_code=3)
    at = {
        "list": "/runs/",
        "run": f"/runs/{run.pk}/",
        "submit": "/submit/?pipeline=hello",
        "files": "/files/",
    }
    page = open_as("submitter", at[place], reduced_motion="reduce")
    page.wait_for_timeout(300)
    stops = walk(page, 150)
    assert "skip" in stops[0]["what"]
    assert len(stops) > 8
    assert len(stops) < 150, "Tab does not come out of the page"
    order = [stop["at"] for stop in stops]
    assert order == sorted(order)
    unseen = [stop["what"] for stop in stops if not stop["inside"] or not stop["ring"]]
    assert unseen == []


def test_escape_closes_the_menu_and_gives_the_focus_back(open_as: Open, site: Site) -> None:
    page = open_as("submitter", "/runs/")
    summary = page.locator("#user-menu > summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#user-menu') !== null")
    page.keyboard.press("Escape")
    assert summary.evaluate("e => e === document.activeElement && !e.parentElement.open")


def test_where_one_is_stands_in_view_on_a_small_screen(open_as: Open) -> None:
    page = open_as("viewer", "/usage/", viewport={"width": 390, "height": 844})
    box = page.locator(".bar [aria-current]").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_a_dark_page_is_printed_dark_on_white(open_as: Open, site: Site) -> None:
    run = site.run(state=RunState.FAILED, name="printed", reason="EXIT_NONZERO", exit_code=3)
    page = open_as("viewer", f"/runs/{run.pk}/", color_scheme="dark")
    themes = """() => ["beforeprint", "afterprint"].map(name => {
        window.dispatchEvent(new Event(name)); return document.documentElement.dataset.bsTheme; })"""
    assert page.evaluate(themes) == ["light", "dark"]
    page.emulate_media(media="print")
    assert not page.locator(".bar").is_visible()
    assert page.locator("h1").is_visible()
