"""The form that is made from a pipeline's schema, over the same text as the JSON tab, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from pipeline_management.models import Draft, Run
from tests.factories import make_version

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from pipeline_management.models import PipelineVersion
    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

PHOENIX = Path(__file__).resolve().parents[2] / "deploy" / "pipelines" / "phoenix"
EXAMPLE: dict[str, Any] = json.loads((PHOENIX / "example.json").read_text())
TEXT = "textarea[name=configuration]"


@pytest.fixture
def phoenix(site: Site) -> PipelineVersion:
    """The pipeline with 183 switches and a table of 38 columns."""
    schema = json.loads((PHOENIX / "schema.json").read_text())
    return make_version(
        "phoenix", "1.2.0", system=site.account.system, schema=schema, example=EXAMPLE
    )


def text(page: Page) -> str:
    value: str = page.locator(TEXT).input_value()
    return value


def expect_document(page: Page, wanted: Any) -> None:
    """Wait until the text says ``wanted``: the form writes a moment after the last key."""
    found: Any = None
    for _ in range(200):
        found = json.loads(text(page) or "null")
        if found == wanted:
            return
        page.wait_for_timeout(100)
    assert found == wanted


def take(page: Page, value: str) -> None:
    """Another text, as the workbook hands one over."""
    page.evaluate(
        "text => document.dispatchEvent(new CustomEvent('centro:take', { detail: { text } }))",
        value,
    )


def paste(page: Page, cell: Locator, value: str) -> None:
    """What Ctrl+V does with cells of a spreadsheet on the clipboard."""
    cell.focus()
    page.evaluate(
        """value => {
          const held = new DataTransfer();
          held.setData("text/plain", value);
          const event = new ClipboardEvent("paste", { clipboardData: held, bubbles: true, cancelable: true });
          document.activeElement.dispatchEvent(event);
        }""",
        value,
    )


def test_the_form_of_phoenix_edits_the_example_and_loses_nothing(
    open_as: Open, phoenix: PipelineVersion
) -> None:
    page = open_as("submitter", "/submit/?pipeline=phoenix")
    form = page.locator("#form-root")
    expect(page.get_by_role("tab", name="Form")).to_have_attribute("aria-selected", "true")
    expect(form.get_by_label("project required")).to_have_value(EXAMPLE["project"])
    assert json.loads(text(page)) == EXAMPLE  # looking at it writes nothing
    wanted = json.loads(json.dumps(EXAMPLE))

    form.get_by_label("study required").fill("Another")
    form.get_by_label("dnaAlignmentStyle").select_option(label="broad")
    form.get_by_role("switch", name="cram", exact=True).uncheck()
    wanted |= {"study": "Another", "dnaAlignmentStyle": "broad", "cram": False}
    expect_document(page, wanted)

    on = sum(1 for value in EXAMPLE["tasks"].values() if value)
    tasks = form.locator('[data-pointer="/tasks"]')
    expect(tasks).to_contain_text(f"{on} on, {len(EXAMPLE['tasks']) - on} off, 0 not set")
    name = next(key for key, value in EXAMPLE["tasks"].items() if value)
    tasks.get_by_label("Filter").fill(name)
    expect(tasks.locator(".form-switch-row:visible")).not_to_have_count(0)
    tasks.get_by_role("switch", name=name, exact=True).uncheck()
    wanted["tasks"][name] = False
    expect_document(page, wanted)

    files = form.locator('[data-pointer="/dataFiles"]')
    files.get_by_label("numberOfReads, row 2", exact=True).fill("42")
    files.get_by_role("button", name="Duplicate row 2").click()
    files.get_by_label("fastqCode, row 3", exact=True).select_option(label="R1")
    wanted["dataFiles"][1]["numberOfReads"] = 42
    wanted["dataFiles"].insert(2, wanted["dataFiles"][1] | {"fastqCode": "R1"})
    expect_document(page, wanted)
    files.get_by_role("button", name="Remove row 1", exact=True).click()
    del wanted["dataFiles"][0]
    expect_document(page, wanted)


def test_cells_of_a_spreadsheet_fill_the_table(open_as: Open, phoenix: PipelineVersion) -> None:
    page = open_as("submitter", "/submit/?pipeline=phoenix&project=P1")
    files = page.locator('[data-pointer="/dataFiles"]')
    files.get_by_role("button", name="Add row").click()
    first = files.get_by_label("fastqPath, row 1", exact=True)
    expect(first).to_be_focused()
    paste(page, first, "/a_R1.fastq.gz\tR1\tfastq\r\n/a_R2.fastq.gz\tR2\tfastq\r\n")
    rows = [
        {"fastqPath": f"/a_{code}.fastq.gz", "fastqCode": code, "fileType": "fastq"}
        for code in ("R1", "R2")
    ]
    expect_document(page, {"pipeline": "phoenix", "project": "P1", "dataFiles": rows})
    files.get_by_text("Paste from a spreadsheet").click()
    named = "Number of reads,fastqCode,umiRead,Colour\n1000,R1,true,red\n2000,R3,no,\n"
    files.get_by_label("Cells from a spreadsheet").fill(named)
    files.get_by_role("button", name="Add the rows").click()
    rows.append({"fastqCode": "R1", "numberOfReads": 1000, "umiRead": True})
    rows.append({"fastqCode": "R3", "numberOfReads": 2000, "umiRead": False})
    expect_document(page, {"pipeline": "phoenix", "project": "P1", "dataFiles": rows})
    expect(files).to_contain_text(
        "2 rows were pasted. Left out, for the table has no such columns: Colour."
    )
    first = files.get_by_label("fastqPath, row 1", exact=True)
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(files.get_by_label("fastqPath, row 2", exact=True)).to_be_focused()


def test_switching_tabs_keeps_what_no_form_can_show(open_as: Open, site: Site) -> None:
    page = open_as("submitter", "/submit/?pipeline=hello")
    odd = (
        '{"pipeline": "hello", "name": "a\\nb", "times": 123456789012345678901234567890, "x": 1.0, '
        '"10": {"y": [1e400]}, "2": null, "__proto__": 1}'
    )
    take(page, odd)
    form = page.locator("#form-root")
    expect(form.get_by_label("name required")).to_have_value("a\nb")
    expect(form).to_contain_text("The pipeline does not know these keys")
    form.get_by_label("name required").fill("c")
    page.get_by_role("tab", name="JSON").click()
    page.wait_for_function("() => window.centroEditor.getValue().includes('\"c\"')")
    wanted = odd.replace("a\\nb", "c")
    assert "".join(text(page).split()) == "".join(wanted.split())

    broken = '{"pipeline": "hello",\n "name": }'
    take(page, broken)
    page.get_by_role("tab", name="Form").click()
    expect(page.locator("#form-notice")).to_contain_text("The JSON does not parse")
    expect(page.locator("#form-notice")).to_contain_text("line 2")
    assert text(page) == broken
    take(page, '{"pipeline": "hello", "name": {"first": "x"}}')
    expect(form).to_contain_text("a value of another type")
    assert json.loads(text(page))["name"] == {"first": "x"}
    form.get_by_role("button", name="Start over with the form").click()
    form.get_by_label("name required").fill("y")
    expect_document(page, {"pipeline": "hello", "name": "y"})


def test_what_the_check_finds_is_shown_at_the_fields(
    open_as: Open, phoenix: PipelineVersion
) -> None:
    page = open_as("submitter", "/submit/?pipeline=phoenix")
    document = json.loads(json.dumps(EXAMPLE))
    document["project"] = "no blanks please"
    document["dataFiles"][1]["fastqCode"] = "R7"
    del document["dataFiles"][0]["rgid"]
    del document["study"]
    take(page, json.dumps(document))
    expect(page.get_by_label("project required")).to_have_value("no blanks please")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#tab-form .tab-count")).to_have_text("4")
    for name in ("project required", "study required", "fastqCode, row 2", "rgid, row 1"):
        expect(page.get_by_label(name, exact=True)).to_have_attribute("aria-invalid", "true")
    project = page.locator('[data-pointer="/project"] .form-fault').first
    expect(project).to_contain_text("project")
    described = page.get_by_label("project required").get_attribute("aria-describedby") or ""
    assert project.get_attribute("id") in described.split()
    page.locator("#result .problem", has_text="fastqCode").get_by_role("button").click()
    expect(page.get_by_label("fastqCode, row 2")).to_be_focused()
    expect(page.get_by_label("fastqCode, row 1")).not_to_have_attribute("aria-invalid", "true")


def test_a_link_fills_the_form_and_the_button_says_what_it_does(open_as: Open, site: Site) -> None:
    page = open_as("submitter", "/submit/?pipeline=hello@1.0&name=Ada&times=3&system=cluster")
    expect(page.get_by_label("name required")).to_have_value("Ada")
    expect(page.get_by_label("System", exact=True)).to_have_value("0")
    expect_document(page, {"pipeline": "hello@1.0", "name": "Ada", "times": 3, "system": "cluster"})
    button = page.locator("#submit-button")
    expect(button).to_have_text("Submit run")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(button).to_have_text("Submit hello@1.0 to cluster as genomics")
    page.get_by_label("times").fill("4")
    page.get_by_label("times").press("Enter")  # neither sends nor loads the example
    button.click()
    page.wait_for_url("**/runs/*-*/")
    assert Run.objects.get().configuration["times"] == 4


def test_a_draft_is_kept_by_the_server_and_nowhere_else(open_as: Open, site: Site) -> None:
    page = open_as("submitter", "/submit/?pipeline=hello")
    page.get_by_label("name required").fill("Patient 17")
    expect(page.locator("#draft-status")).to_contain_text("Draft saved")
    kept = Draft.objects.get()
    assert (json.loads(kept.text)["name"], kept.pipeline) == ("Patient 17", "hello@1.0")
    stores = page.evaluate(
        "JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage)])"
    )
    assert "Patient" not in stores

    other = open_as("submitter", "/submit/")
    expect(other.locator("#draft-note")).to_contain_text("Your draft is here again")
    other.get_by_role("tab", name="Form").click()
    expect(other.get_by_label("name required")).to_have_value("Patient 17")
    other.get_by_role("button", name="Discard the draft").click()
    expect(other.locator("#draft-note")).to_have_count(0)
    assert text(other) == ""
    assert not Draft.objects.exists()


def test_a_thousand_rows_are_edited_page_by_page(open_as: Open, phoenix: PipelineVersion) -> None:
    page = open_as("submitter", "/submit/?pipeline=phoenix")
    expect(page.get_by_label("project required")).to_have_value(EXAMPLE["project"])
    row = EXAMPLE["dataFiles"][0]
    many = [row | {"fastqPath": f"/data/{number}_R1.fastq.gz"} for number in range(1000)]
    document = EXAMPLE | {"dataFiles": many}
    take(page, json.dumps(document))
    files = page.locator('[data-pointer="/dataFiles"]')
    expect(files).to_contain_text("rows 1 to 50 of 1000", timeout=20_000)
    files.get_by_role("button", name="Next").click()
    files.get_by_label("fastqPath, row 51", exact=True).fill("/data/new_R1.fastq.gz")
    many[50] = many[50] | {"fastqPath": "/data/new_R1.fastq.gz"}
    expect_document(page, document)


def test_a_file_dropped_anywhere_becomes_the_text(open_as: Open, watch: Watch) -> None:
    page = open_as("submitter", "/submit/?pipeline=hello")
    expect(page.get_by_label("name required")).to_have_value("world")
    page.evaluate(
        """() => {
          const held = new DataTransfer();
          held.items.add(new File(['{"pipeline": "hello", "name": "dropped"}'], "c.json"));
          const event = new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true });
          document.querySelector("h1").dispatchEvent(event);
        }"""
    )
    expect(page.get_by_label("name required")).to_have_value("dropped")
