"""The workbook as a person uses it: download, fill with mistakes, see the cells, mend, hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser import steps

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

SCHEMA = {
    "type": "object",
    "required": ["name", "files"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "read", "reads"],
                "properties": {
                    "path": {"type": "string", "pattern": "^/.+$"},
                    "read": {"enum": ["R1", "R2"]},
                    "reads": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
}
GOOD = [(f"/data/NA12878_{n}.fastq.gz", "R1" if n % 2 else "R2", 1000 + n) for n in range(1, 9)]
WRONG = {
    2: ("NA12878_1.fastq.gz", "R1", 1001),
    3: ("/data/NA12878_2.fastq.gz", "R3", 1002),
    4: ("/data/NA12878_3.fastq.gz", "R1", "many"),
    5: (None, "R2", 1004),
    6: ("/data/NA12878_5.fastq.gz", "R1", 0),
}
CELLS = ["files!A2", "files!B3", "files!C4", "files!A5", "files!C6"]


def filled(template: bytes, rows: dict[int, tuple[Any, ...]]) -> bytes:
    book = steps.book_of(template)
    settings = book["Settings"]
    for row in settings.iter_rows(min_row=2):
        if str(row[0].value).startswith("name"):
            row[1].value = "NA12878"
    for number, values in rows.items():
        for column, value in enumerate(values, start=1):
            book["files"].cell(number, column).value = value
    return steps.bytes_of(book)


def test_download_fill_mend_and_hand_over(site: Site, open_as: Open) -> None:
    site.version.schema, site.version.content_sha256 = SCHEMA, "d" * 64
    site.version.save()
    page = open_as("submitter", "/submit/?pipeline=hello@1.0")
    page.get_by_role("tab", name="Workbook").click()
    _, template = steps.downloaded(page, page.locator("#workbook-download"))

    right = dict(enumerate(GOOD, start=2))
    steps.upload(page, filled(template, {**right, **WRONG}))
    faults = page.locator(".workbook-faults tbody tr")
    expect(faults).to_have_count(len(CELLS), timeout=20_000)
    assert faults.evaluate_all("rows => rows.map(row => row.dataset.cell)") == CELLS
    _, marked = steps.downloaded(page, page.locator("#workbook-marked"))
    assert steps.book_of(marked)["files"]["A2"].comment is not None

    steps.upload(page, filled(marked, right))
    page.locator("#workbook-take").click(timeout=20_000)
    page.wait_for_function("window.centroEditor.getValue().includes('NA12878_8')")
