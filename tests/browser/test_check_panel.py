"""The check panel in a real browser: it follows what is typed, and the system is asked before a run goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Route, expect

from pipeline_management.models import PipelineVersion, Run
from tests.browser.test_look import serious
from tests.browser.test_submit_page import write

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "390": {"viewport": {"width": 390, "height": 844}},
}
ROWS = (
    '{"pipeline": "hello", "name": "x", "rows": [{"file": "/none/a.fq"}, {"file": "/none/%s.fq"}]}'
)


@pytest.fixture
def version(site: Site) -> PipelineVersion:
    found = PipelineVersion.objects.get(pipeline__name="hello", version="1.0")
    found.schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    found.rules = [
        {"rule": "unique", "rows": "rows", "columns": "file", "message": "{rows} are the same file"}
    ]
    found.content_sha256 = "open"
    found.save()
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_it_follows_what_is_typed_and_asks_the_system_once(
    open_as: Open, version: PipelineVersion, look: str
) -> None:
    page = open_as("submitter", "/submit/", **LOOKS[look])
    page.locator("#tab-json").click()
    write(page, ROWS % "a")
    expect(page.locator("#result .message").first).to_contain_text("rows 1 and 2 are the same file")
    expect(page.locator('[data-step="rules"]')).to_have_attribute("data-status", "bad")
    write(page, ROWS % "b")
    expect(page.locator("#check-good")).to_be_visible()
    expect(page.locator("#submit-label")).to_contain_text("Submit hello@1.0 to")
    page.locator("#preflight-button").click()
    expect(page.locator("#preflight-bad")).to_be_visible()
    expect(page.locator('[data-step="inputs"]')).to_contain_text("2 of 2 paths cannot be read")
    expect(page.locator("#submit-label")).to_have_text("Submit anyway")
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert page.evaluate(wider) is False
    page.locator("#submit-button").click()
    page.wait_for_url("**/runs/**")
    assert Run.objects.count() == 1


def test_a_run_that_nobody_checked_is_checked_on_its_way(
    open_as: Open, version: PipelineVersion
) -> None:
    page = open_as("submitter", "/submit/")
    page.locator("#tab-json").click()
    write(page, ROWS % "b")
    page.locator("#submit-button").click()
    expect(page.locator("#preflight-bad")).to_be_visible()
    assert Run.objects.count() == 0
    expect(page.locator("#submit-label")).to_have_text("Submit anyway")
    page.locator("#submit-button").click()
    page.wait_for_url("**/runs/**")
    assert Run.objects.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_last_answer_stays_readable_while_the_next_one_comes(
    open_as: Open, version: PipelineVersion, scheme: Any
) -> None:
    page = open_as("submitter", "/submit/", color_scheme=scheme)
    page.locator("#tab-json").click()
    write(page, ROWS % "a")
    expect(page.locator("#result .message").first).to_contain_text("rows 1 and 2 are the same file")
    held: list[Route] = []
    page.route("**/submit/check/", lambda route: held.append(route))
    write(page, ROWS % "b")
    result = page.locator("#result")
    expect(result).to_have_class(re.compile("check-busy"))
    assert serious(page) == []
    expect(page.locator("#result .message").first).to_contain_text("rows 1 and 2 are the same file")
    held[0].continue_()
    expect(page.locator("#check-good")).to_be_visible()
    expect(result).not_to_have_class(re.compile("check-busy"))
