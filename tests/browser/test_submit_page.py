"""The JSON editor and submitting, in a real browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from pipeline_management.models import Run

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

GOOD = '{"pipeline": "hello", "name": "world"}'


def write(page: Page, text: str) -> None:
    """Replace the editor's text as a person does: mark all, paste."""
    page.get_by_role("tab", name="JSON").click()
    page.locator("#editor").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def value(page: Page) -> str:
    text: str = page.evaluate("window.centroEditor ? window.centroEditor.getValue() : ''")
    return text


def expect_value(page: Page, part: str) -> None:
    """Wait until the editor's text contains ``part``. (Playwright's own waiting evaluates a string.)"""
    for _ in range(100):
        if part in value(page):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{part!r} is not in {value(page)!r}")


def test_a_syntax_mistake_is_marked_while_one_types(open_as: Open) -> None:
    page = open_as("submitter", "/submit/")
    write(page, '{\n  "nodes": 1,,\n}')
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_count(1)
    expect(page.locator("#syntax")).to_contain_text("Line 2, column")
    write(page, GOOD)
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_count(0)
    expect(page.locator("#syntax")).to_have_text("The JSON is well-formed.")


@pytest.mark.parametrize("mark", ["_", ",", "g"])
def test_what_hangs_below_the_letters_is_seen(open_as: Open, mark: str) -> None:
    """The bottom of a line is drawn: file names are full of underscores."""
    page = open_as("submitter", "/submit/")
    seen = []
    for text in (f'["N{mark * 9}N"]', f'["N{" " * 9}N"]'):
        write(page, text + "\n")
        page.wait_for_timeout(300)
        box = page.locator("#editor .ace_line").first.bounding_box()
        assert box is not None
        # without the first and the last letter, the brackets and the cursor, which may blink
        width = page.evaluate("window.centroEditor.renderer.characterWidth")
        line = {"x": box["x"] + 4 + 4 * width, "y": box["y"], "width": 7 * width, "height": box["height"]}
        seen.append(page.screenshot(clip=line))
    assert seen[0] != seen[1]


def test_checking_lists_problems_and_a_click_leads_to_the_line(open_as: Open) -> None:
    page = open_as("submitter", "/submit/")
    text = '{\n  "pipeline": "hello",\n  "name": "",\n  "times": 99\n}'
    write(page, text)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#result .problem")).to_have_count(2)
    page.locator("#result .problem", has_text="times").get_by_role("button").click()
    assert page.evaluate("window.centroEditor.getCursorPosition().row") == 3
    expect(page.locator(".problem-line")).to_have_count(2)
    assert value(page) == text
    write(page, GOOD)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#check-good")).to_be_visible()
    expect(page.locator("#checked-script")).to_contain_text("echo hello world")
    assert not Run.objects.exists()


def test_a_run_is_submitted_once_even_by_a_double_click(open_as: Open) -> None:
    page = open_as("submitter", "/submit/")
    write(page, GOOD)
    page.locator("#submit-button").dblclick()
    page.wait_for_url("**/runs/*-*/")
    expect(page.locator("#run-live .badge-state").first).to_have_text("Queued")
    assert Run.objects.count() == 1
    page.go_back()
    expect_value(page, GOOD)
    page.locator("#submit-button").click()
    page.wait_for_url("**/runs/*-*/")
    assert Run.objects.count() == 1


def test_the_text_is_there_after_the_server_refused_it(open_as: Open, watch: Watch) -> None:
    watch.expected = ("status of 400",)
    page = open_as("submitter", "/submit/")
    text = '{"pipeline": "hello", "name": 7}'
    write(page, text)
    page.locator("#submit-button").click()
    expect(page.locator("#result .problem")).to_have_count(1)
    assert value(page) == text
    write(page, GOOD)
    page.locator("#submit-button").click()
    page.wait_for_url("**/runs/*-*/")


def test_example_and_format_replace_the_text_and_can_be_undone(open_as: Open, watch: Watch) -> None:
    watch.expected = ("status of 400",)
    page = open_as("submitter", "/submit/")
    write(page, '{"mine": 1}')
    page.get_by_role("button", name="Load example").click()
    expect(page.locator("#result")).to_contain_text("Choose the pipeline")
    page.locator("#id_pipeline").select_option("hello@latest")
    page.get_by_role("button", name="Load example").click()
    expect_value(page, "world")
    page.keyboard.press("Control+z")
    assert value(page) == '{"mine": 1}'
    page.get_by_role("button", name="Format").click()
    expect_value(page, '\n  "mine": 1\n')


def test_a_file_fills_the_editor(open_as: Open) -> None:
    page = open_as("submitter", "/submit/")
    upload = {"name": "c.json", "mimeType": "application/json", "buffer": '{"name": "Grüße"}'.encode()}
    page.get_by_label("From a file").set_input_files(files=[upload])  # type: ignore[list-item]  # a FilePayload
    expect_value(page, '{"name": "Grüße"}')
    page.locator("#id_pipeline").select_option("hello@1.0")
    page.locator("#submit-button").click()
    page.wait_for_url("**/runs/*-*/")
    assert Run.objects.get().configuration == {"name": "Grüße"}


def test_a_file_in_another_encoding_is_told_so(open_as: Open) -> None:
    page = open_as("submitter", "/submit/")
    upload = {"name": "c.json", "mimeType": "application/json", "buffer": '{"name": "ü"}'.encode("latin-1")}
    page.get_by_label("From a file").set_input_files(files=[upload])  # type: ignore[list-item]  # a FilePayload
    expect(page.locator("#result .problem")).to_contain_text("not UTF-8")


def test_a_run_is_edited_and_submitted_with_its_configuration(open_as: Open, site: Site) -> None:
    run = site.run(configuration={"pipeline": "hello", "name": "once more"})
    page = open_as("submitter", f"/runs/{run.pk}/")
    page.get_by_role("link", name="Edit and submit").click()
    expect_value(page, "once more")
    assert json.loads(value(page)) == run.configuration


def test_the_keyboard_is_enough(open_as: Open) -> None:
    page = open_as("submitter", "/submit/")
    page.get_by_role("tab", name="Form").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#format-button").focus()
    page.keyboard.press("Tab")
    page.keyboard.insert_text(GOOD)
    assert GOOD in value(page)
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "submit-button"
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*-*/")


def test_it_works_without_scripts(open_as: Open, watch: Watch) -> None:
    watch.expected = ("status of 400",)
    page = open_as("submitter", "/custom/", java_script_enabled=False)
    area = page.get_by_label("Run configuration (JSON)")
    area.fill('{\n  "pipeline": "hello",\n}')
    page.locator("#submit-button").click()
    expect(page.locator("#result .problem")).to_contain_text("line 2")
    expect(area).to_have_value('{\n  "pipeline": "hello",\n}')
    area.fill(GOOD)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#result")).to_contain_text("hello@1.0")
    page.get_by_role("button", name="Submit hello@1.0 to cluster as genomics").click()
    page.wait_for_url("**/runs/*-*/")
    assert Run.objects.count() == 1
    expect(page.locator("main time").first).to_contain_text("UTC")
