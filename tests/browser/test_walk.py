"""Two walks: a new user from the empty list to the comparison of two runs, and a manager who looks for a run."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from playwright.sync_api import Browser, Page, expect

from tests.browser import steps
from tests.engine.test_outcomes import EXAMPLE
from tests.lab.lab import Lab
from tests.stack import LiveStack
from tests.workbook.sheets import column_of, row_of

pytestmark = [pytest.mark.lab, pytest.mark.browser]

Row = dict[str, Any]
SETTINGS = {
    "dnaAlignmentStyle": "tgen",
    "project": "GIAB_NA12878",
    "study": "GIAB",
    "email": "nora@example.org",
}
FAULTS = {
    "numberOfReads": (2, "expected"),
    "rgsm": (3, "date"),
    "glPrep": (5, "lacks"),
    "fastqCode": (6, 'no row has fastqCode "R2"'),
    "fastqPath": (8, "are the same file"),
}


@pytest.fixture
def fastq(lab: Lab) -> Path:
    """A folder with the eight files of NA12878, which every account may read."""
    folder = lab.layout.root / "work" / "giab"
    folder.mkdir(mode=0o755, exist_ok=True)
    for row in rows_in(folder):
        Path(row["fastqPath"]).write_text("@read\nACGT\n+\nFFFF\n")
    return folder


def rows_in(folder: Path) -> list[Row]:
    """The example's rows, with the files in a folder of the cluster."""
    rows: list[Row] = json.loads(EXAMPLE.read_text())["dataFiles"]
    names = [f"NA12878_{row['rgid']}_{row['fastqCode']}.fastq.gz" for row in rows]
    return [row | {"fastqPath": str(folder / name)} for row, name in zip(rows, names, strict=True)]


def fill(book: Workbook, rows: list[Row]) -> None:
    """Settings, two switches, and the rows in the sheet of the data files."""
    for key, value in SETTINGS.items():
        book["Settings"].cell(row_of(book["Settings"], key), 2).value = value
    book["tasks"]["B2"], book["tasks"]["B3"] = True, False
    files = book["dataFiles"]
    for number, row in enumerate(rows, start=2):
        for name, value in row.items():
            files[f"{column_of(files, name)}{number}"].value = value


def slip(book: Workbook, rows: list[Row]) -> None:
    """Five rows wrong: a number, a date that Excel has made, an empty cell, no R2, one file twice."""
    files = book["dataFiles"]
    files[f"{column_of(files, 'numberOfReads')}2"].value = "many"
    files[f"{column_of(files, 'rgsm')}3"].value = datetime(2026, 3, 1)
    files[f"{column_of(files, 'glPrep')}5"].value = None
    for cell in files[7]:
        cell.value = None
    files[f"{column_of(files, 'fastqPath')}8"].value = rows[0]["fastqPath"]


def test_a_new_user(browser: Browser, live_stack: LiveStack, fastq: Path) -> None:
    with steps.logged_in(browser, live_stack, "nora", "/") as page:
        reads_the_empty_list(page)
        template = takes_the_template(page)
        hands_in_a_workbook(page, template, rows_in(fastq))
        first = submits_and_watches(page)
        looks_at_what_came(page)
        second = resubmits_with_a_change(page, first)
        compares(page, first, second)


def reads_the_empty_list(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Runs").click()
    expect(page.locator("#main")).to_contain_text("No runs yet.")
    expect(page.get_by_role("link", name="Submit the first run")).to_be_visible()


def takes_the_template(page: Page) -> bytes:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Pipelines").click()
    page.get_by_role("link", name="phoenix").first.click()
    name, template = steps.downloaded(page, page.get_by_role("link", name="Workbook"))
    assert name == "phoenix-1.0.xlsx"
    page.get_by_role("link", name="Launch").click()
    return template


def hands_in_a_workbook(page: Page, template: bytes, rows: list[Row]) -> None:
    """Wrong at first, mended after the page has named the cells, then in the editor."""
    book = steps.book_of(template)
    fill(book, rows)
    slip(book, rows)
    page.get_by_role("tab", name="Workbook").click()
    steps.upload(page, steps.bytes_of(book))
    faults = page.locator(".workbook-faults tbody tr")
    expect(faults.first).to_be_visible(timeout=20_000)
    sheet = book["dataFiles"]
    wanted = [f"dataFiles!{column_of(sheet, name)}{row}" for name, (row, _) in FAULTS.items()]
    assert faults.evaluate_all("rows => rows.map(row => row.dataset.cell)") == wanted
    for number, (_, words) in enumerate(FAULTS.values()):
        expect(faults.nth(number)).to_contain_text(words)
    _, marked = steps.downloaded(page, page.locator("#workbook-marked"))
    red = steps.book_of(marked)
    commented = {
        c.coordinate for line in red["dataFiles"].iter_rows(min_row=2) for c in line if c.comment
    }
    assert {f"dataFiles!{cell}" for cell in commented} == set(wanted)
    fill(red, rows)
    steps.upload(page, steps.bytes_of(red))
    page.locator("#workbook-take").click(timeout=20_000)
    page.wait_for_function("window.centroEditor.getValue().includes('SUPERFQS02_2_K18088_R2')")


def submits_and_watches(page: Page) -> str:
    """The input files are there, so nothing is in the way; no reload until the end."""
    page.locator("#submit-button").click()
    run_id = steps.run_id_of(page)
    steps.stay(page)
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Succeeded", timeout=60_000)
    timeline = page.locator(".timeline")
    for state in ("Queued", "Running", "Succeeded"):
        expect(timeline).to_contain_text(state)
    assert steps.has_stayed(page)
    return run_id


def looks_at_what_came(page: Page) -> None:
    page.locator("#runtab-log").click()
    expect(page.locator("#log-text")).to_contain_text("Total: 8 files", timeout=20_000)
    page.locator("#runtab-files").click()
    page.get_by_role("link", name="files.tsv").click(timeout=20_000)
    expect(page.locator("#preview")).to_contain_text("SUPERFQS02_2_K18088", timeout=20_000)
    page.locator("#runtab-reports").click()
    page.get_by_role("link", name="report.html", exact=True).click(timeout=20_000)
    frame = page.locator("#preview iframe")
    expect(frame).to_have_attribute("sandbox", "allow-scripts", timeout=20_000)
    expect(frame.content_frame.locator("p")).to_have_text("Alignment: tgen")
    expect(frame.content_frame.locator("tr")).to_have_count(8)


def resubmits_with_a_change(page: Page, first: str) -> str:
    page.goto(f"/runs/{first}/")
    page.locator("#again-button").click()
    page.get_by_role("tab", name="JSON").click()
    page.wait_for_function("window.centroEditor")
    text = json.loads(page.evaluate("window.centroEditor.getValue()"))
    changed = json.dumps(text | {"dnaAlignmentStyle": "broad"}, indent=1)
    page.evaluate("text => window.centroEditor.setValue(text, -1)", changed)
    page.locator("#submit-button").click()
    shown = page.locator("#differences li")  # what is other is shown once, before it is sent
    expect(shown).to_have_count(1, timeout=20_000)
    expect(shown).to_contain_text("/dnaAlignmentStyle")
    page.locator("#submit-button").click()
    second = steps.run_id_of(page)
    badge = page.locator("#run-live .badge-state").first
    expect(badge).to_have_text("Succeeded", timeout=60_000)
    return second


def compares(page: Page, first: str, second: str) -> None:
    page.locator("#runtab-configuration").click()
    page.get_by_role("link", name="Compare everything").first.click()
    page.wait_for_url(f"**/runs/compare/?a={first}&b={second}")
    changes = page.locator("#compare-configuration .changes li")
    expect(changes).to_have_count(1)
    expect(changes.first).to_contain_text("/dnaAlignmentStyle")
    expect(changes.first.locator("del")).to_contain_text("tgen")
    expect(changes.first.locator("ins")).to_contain_text("broad")
    expect(page.locator("#compare-version")).to_contain_text("Both ran the same content.")


def test_a_manager(browser: Browser, live_stack: LiveStack, fastq: Path) -> None:
    rows = rows_in(fastq / "manager")
    settings = {**SETTINGS, "project": "GIAB_audit", "tasks": {}}
    run_id = live_stack.submit({"pipeline": "phoenix", **settings, "dataFiles": rows}, "bob")
    live_stack.wait_state(run_id, "succeeded", user="bob")
    with steps.logged_in(browser, live_stack, "alice", "/runs/") as page:
        finds_the_run(page, rows[3]["fastqPath"])
        exports_the_hits(page, run_id)
        reads_the_run(page, rows[3]["fastqPath"])
        exports_usage(page, reads_its_usage(page))


def finds_the_run(page: Page, path: str) -> None:
    """By the name of one of its input files; who, when and with what is in the row."""
    page.locator("#search-box").fill(Path(path).name)
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/runs/?*q=*")
    row = page.locator("table.runs tbody tr")
    expect(row).to_have_count(1)
    for text in ("GIAB_audit", "phoenix@1.0", "bob", "Lab A", "Succeeded"):
        expect(row).to_contain_text(text)
    expect(row.locator("time").first).to_be_visible()


def exports_the_hits(page: Page, run_id: str) -> None:
    menu = page.locator("#export-menu")
    menu.locator("summary").click()
    _, data = steps.downloaded(page, menu.get_by_role("link", name="CSV"))
    (line,) = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    assert (line["id"], line["submitter"], line["version"]) == (run_id, "bob", "1.0")
    _, data = steps.downloaded(page, menu.get_by_role("link", name="xlsx"))
    heads, cells = steps.book_of(data).worksheets[0].iter_rows(values_only=True)
    assert dict(zip(heads, cells, strict=True))["id"] == run_id


def reads_the_run(page: Page, path: str) -> None:
    page.get_by_role("link", name="GIAB_audit").first.click()
    expect(page.locator("#main")).to_contain_text("submitted by bob")
    page.locator("#runtab-configuration").click()
    expect(page.locator("#configuration-text")).to_contain_text(path)


def reads_its_usage(page: Page) -> int:
    """The core seconds of the run: what accounting says is collected some seconds after the end, and asked for again
    while it does not know the job's end yet."""
    page.locator("#runtab-usage").click()
    told = page.locator("dt", has_text="Core time").locator("+ dd")
    for _ in range(60):
        if told.count() and told.inner_text().strip() != "–":
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(told).to_have_text(re.compile(r"^[1-9]\d* s$"))
    expect(page.locator("#main")).to_contain_text("Slurm's accounting")
    return int(told.inner_text().split()[0])


def exports_usage(page: Page, seconds: int) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Usage").click()
    expect(page.locator("#usage-table tbody tr", has_text="bob")).to_have_count(1)
    _, data = steps.downloaded(page, page.locator("#usage-csv"))
    lines = {line["person"]: line for line in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))}
    assert float(lines["bob"]["core_hours"]) >= round(seconds / 3600, 3) > 0
    assert int(lines["bob"]["succeeded"]) >= 1
    _, data = steps.downloaded(page, page.locator("#usage-xlsx"))
    heads, *rows = steps.book_of(data).worksheets[0].iter_rows(values_only=True)
    people = {row[0]: dict(zip(heads, row, strict=True)) for row in rows}
    assert people["bob"]["core_hours"] == float(lines["bob"]["core_hours"])
