"""The pictures of the submission side: where each is, and what is done on the page before it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.demo import Demo

Act = Callable[["Page"], Any]
SCHEMA = {
    "type": "object",
    "required": ["name", "files"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "What the results are called"},
        "files": {
            "type": "array",
            "description": "One row for each file of reads",
            "items": {
                "type": "object",
                "required": ["path", "read"],
                "properties": {
                    "path": {"type": "string", "pattern": "^/.+$", "description": "Where it is"},
                    "read": {"enum": ["R1", "R2"]},
                    "lanes": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
    "additionalProperties": False,
}
RULES = [
    {"rule": "unique", "rows": "files", "columns": "path", "message": "{rows} are the same file"}
]
ROWS: list[dict[str, Any]] = [
    {"path": f"/data/NA12878_{number}.fastq.gz", "read": "R1" if number % 2 else "R2", "lanes": 2}
    for number in range(1, 7)
]
RIGHT: dict[str, Any] = {"pipeline": "reads", "lab": "genomics", "name": "NA12878", "files": ROWS}
SCHEMA_FAULTS = {**RIGHT, "naem": "NA12878", "files": [{**ROWS[0], "raed": "R1", "lanes": 0}]}
RULE_FAULTS = {**RIGHT, "files": [*ROWS, ROWS[0]]}
_files: list[dict[str, Any]] = []
"""Rows whose files are there."""
REFUSED = {
    "name": "fresh",
    "version": "1.0",
    "systems": ["gemni"],
    "labs": ["*"],
    "script": "true",
}
GOOD: dict[str, Any] = REFUSED | {"systems": []}
"""``add_pipeline`` says on which system it runs."""


def add_pipeline(system: Any) -> None:
    """The pipeline ``reads`` with a table and a rule about its rows."""
    from tests.factories import make_version

    GOOD["systems"] = [system.name]
    make_version("reads", "1.0", system=system, schema=SCHEMA, rules=RULES, example=RIGHT)


def prepare(demo: Demo) -> None:
    """Add the rows, and make the person of the pictures one who may add versions."""
    add_pipeline(demo.local.system)
    _files[:] = [
        {"path": str(demo.results / name), "read": read, "lanes": 2}
        for name, read in (("notes.txt", "R1"), ("coverage.csv", "R2"))
    ]
    _past_runs(demo)
    demo.alice.is_staff = True
    demo.alice.save()


def _past_runs(demo: Demo) -> None:
    """Five runs that went well, the newest of the same name and with fewer lanes."""
    from datetime import timedelta

    from pipeline_management.choices import RunState
    from pipeline_management.models import PipelineVersion
    from tests.factories import make_run

    version = PipelineVersion.objects.get(pipeline__name="reads")
    older = {**RIGHT, "files": [{**row, "lanes": 1} for row in _files]}
    for number, hours in enumerate((5.1, 4.2, 4.4, 3.9, 4.6)):
        begun = demo.now - timedelta(days=9 - number)
        make_run(
            lab=demo.genomics, submitter=demo.alice, version=version, account=demo.local, configuration=older,
            state=RunState.SUCCEEDED, name="NA12878", exit_code=0, submitted_at=begun,
            started_at=begun + timedelta(minutes=21), ended_at=begun + timedelta(hours=hours),
            finished_at=begun + timedelta(hours=hours),
        )  # fmt: skip


def addresses(demo: Demo) -> dict[str, str]:
    """The name of each picture and the page on it."""
    return {
        **dict.fromkeys(ACTS, "/submit/?pipeline=reads@1.0"),
        **dict.fromkeys(("catalogue-upload", "catalogue-refused", "catalogue-confirm", "catalogue-added"),
                        "/catalogue/upload/"),
        "pipeline-reads": "/pipelines/reads/",
    }  # fmt: skip


def _write(configuration: dict[str, Any]) -> Act:
    def act(page: Page) -> None:
        page.get_by_role("tab", name="JSON").click()
        text = json.dumps(configuration, indent=2)
        page.evaluate("text => window.centroEditor.setValue(text, -1)", text)

    return act


def _check(configuration: dict[str, Any]) -> Act:
    def act(page: Page) -> None:
        _write(configuration)(page)
        page.get_by_role("button", name="Check", exact=True).click()
        page.locator("#fault-count, #check-good").first.wait_for()
        page.locator("#result-heading").scroll_into_view_if_needed()

    return act


def _preflight(page: Page) -> None:
    """What this machine says of files that are there."""
    _check({**RIGHT, "files": _files})(page)
    page.locator("#preflight-button").click()
    page.locator("#preflight-summary").wait_for()


def _preflight_bad(page: Page) -> None:
    """What this machine says of files that are not there."""
    _check(RIGHT)(page)
    page.locator("#preflight-button").click()
    page.locator("#preflight-bad").wait_for()


def _all_of(act: Act) -> Act:
    def acted(page: Page) -> None:
        act(page)
        for summary in page.locator("#result details:not([open]) > summary").all():
            summary.click()

    return acted


def _added(page: Page) -> None:
    _upload(GOOD)(page)
    page.get_by_role("button", name="Store it").click()
    page.wait_for_load_state()


def _form(page: Page) -> None:
    _write(RIGHT)(page)
    page.get_by_role("tab", name="Form").click()
    page.locator(".form-table").first.wait_for()


def _workbook(page: Page) -> None:
    """A workbook with a wrong word, a wrong number and an empty cell."""
    from tests.browser import steps

    page.get_by_role("tab", name="Workbook").click()
    _, template = steps.downloaded(page, page.locator("#workbook-download"))
    book = steps.book_of(template)
    for column, value in enumerate(("NA12878_1.fastq.gz", "R3", "many"), start=1):
        book["files"].cell(2, column).value = value
    steps.upload(page, steps.bytes_of(book))
    page.locator(".workbook-faults").wait_for()
    page.locator("#workbook-result").scroll_into_view_if_needed()


def _not_a_workbook(page: Page) -> None:
    from tests.browser import steps

    page.get_by_role("tab", name="Workbook").click()
    steps.upload(page, b"sample,path\n", "samples.csv")
    page.locator("#workbook-refused").wait_for()


def _upload(part: dict[str, Any]) -> Act:
    def act(page: Page) -> None:
        file: Any = {
            "name": "fresh.yaml",
            "mimeType": "text/yaml",
            "buffer": json.dumps(part).encode(),
        }
        page.get_by_label("YAML or zip file").set_input_files(file)
        page.get_by_role("button", name="Check it").click()
        page.wait_for_load_state()

    return act


ACTS: dict[str, Act] = {
    "submit-form": _form, "submit-faults": _check(SCHEMA_FAULTS), "submit-rules": _check(RULE_FAULTS),
    "workbook-faults": _workbook, "workbook-refused": _not_a_workbook,
    "catalogue-refused": _upload(REFUSED), "catalogue-confirm": _upload(GOOD),
    "submit-preflight": _preflight, "submit-preflight-bad": _preflight_bad,
    "submit-preflight-whole": _all_of(_preflight), "catalogue-added": _added,
}  # fmt: skip
"""What is done on a page before its picture is taken."""
