"""Pages full of hostile values in a real browser: no dialog, no script, no violation of the policy, no request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.hostile.values import VALUES

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


def test_nothing_of_it_does_anything(open_as: Open, site: Site) -> None:
    from tests.hostile.world import make_world

    world = make_world(site)
    first = world.runs[0]
    page = open_as("administrator", "/runs/?size=100")
    expect(page.locator("[data-run]")).to_have_count(70)
    shown = "\n".join(page.locator("[data-run] .main-link").all_text_contents())
    assert all(
        value in shown for name, value in VALUES.items() if value.isprintable() and name != "path"
    )
    for address in (
        f"/runs/{first.pk}/",
        f"/runs/{world.runs[1].pk}/configuration/",
        f"/runs/{world.runs[2].pk}/events/",
        "/pipelines/hostile-0/",
        f"/submit/?run={first.pk}",
        f"/systems/{world.systems[0].name}/",
    ):
        page.goto(address)
        expect(page.locator("main")).to_be_visible()
        page.wait_for_load_state("load")
    assert page.evaluate("document.querySelectorAll('[xq7]').length") == 0
    assert page.evaluate(
        "[...document.scripts].every((script) => script.src || script.type.includes('json'))"
    )
