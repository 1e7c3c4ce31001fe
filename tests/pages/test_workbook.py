"""Workbooks on the pages, with and without scripts."""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook, load_workbook

from pipeline_management.services.workbook.template import template, workbook_of
from tests.factories import make_version
from tests.pages.site import Site

HTMX = {"HX-Request": "true"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def client(site: Site) -> Client:
    return site.client("submitter")


def send(
    client: Client, data: bytes, *, headers: Any = None, name: str = "mine.xlsx", **fields: Any
) -> Any:
    upload = SimpleUploadedFile(name, data, content_type=XLSX)
    return client.post("/submit/workbook/", {"workbook": upload, **fields}, headers=headers)


def cells_in(answer: Any) -> list[str]:
    return re.findall(r'data-cell="(.*?)"', html.unescape(answer.content.decode()))


@pytest.mark.parametrize(
    "address", ["/pipelines/hello/workbook/", "/pipelines/hello/workbook/?version=1.0"]
)
def test_the_template_is_downloaded(site: Site, client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer["Content-Type"] == XLSX
    assert answer["Content-Disposition"] == 'attachment; filename="hello-1.0.xlsx"'
    book = load_workbook(io.BytesIO(answer.content))
    assert [row[0].value for row in book["centro"]] == ["pipeline", "version", "content"]
    assert book["Settings"]["B2"].value in (None, "hello@1.0")


def test_what_one_may_not_run_has_no_template(site: Site, client: Client) -> None:
    make_version("notours", all_labs=False).labs.add(site.other_lab)
    assert client.get("/pipelines/notours/workbook/").status_code == 404
    assert client.get("/pipelines/hello/workbook/?version=9").status_code == 404
    assert client.get("/submit/workbook/?pipeline=notours").status_code == 400


def test_the_list_leads_to_the_template(client: Client) -> None:
    answer = client.get("/submit/workbook/?pipeline=hello@1.0&example=1")
    assert answer["Location"] == "/pipelines/hello/workbook/?version=1.0&example=1"


def test_a_good_workbook_is_handed_to_the_editor(site: Site, client: Client) -> None:
    answer = send(client, workbook_of(site.version, {"name": "world", "times": 2}), headers=HTMX)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "<html" not in page
    found = re.search(
        r'<textarea[^>]*id="workbook-configuration".*?>\n?(.*?)</textarea>', page, re.S
    )
    assert found is not None
    assert json.loads(html.unescape(found[1])) == {
        "pipeline": "hello@1.0",
        "name": "world",
        "times": 2,
    }


def test_without_scripts_it_is_a_page_of_its_own(site: Site, client: Client) -> None:
    assert b"workbook-file" in client.get("/submit/workbook/").content
    answer = send(client, template(site.version))
    assert answer.status_code == 400
    assert b"<html" in answer.content
    assert len(cells_in(answer)) == 1


def test_faults_are_named_by_sheet_and_cell_and_marked_in_the_file(
    site: Site, client: Client
) -> None:
    data = workbook_of(site.version, {"name": "", "times": 12})
    answer = send(client, data, headers=HTMX)
    assert answer.status_code == 200
    cells = cells_in(answer)
    assert len(cells) == 2 and all(cell.startswith("Settings!B") for cell in cells)

    marked = send(client, data, action="marked")
    assert marked["Content-Disposition"] == 'attachment; filename="mine-marked.xlsx"'
    book = load_workbook(io.BytesIO(marked.content))
    assert book.sheetnames[0] == "Faults"
    assert [row[1].value for row in book["Faults"].iter_rows(min_row=2)] == [
        cell.partition("!")[2] for cell in cells
    ]
    for cell in cells:
        red = book["Settings"][cell.partition("!")[2]]
        assert red.fill.start_color.rgb == "FFFFC7CE"
        assert "Centro:" in red.comment.text

    again = send(client, marked.content, action="marked")
    once_more = load_workbook(io.BytesIO(again.content))
    assert once_more["Settings"][cells[0].partition("!")[2]].comment.text.count("Centro:") == 1


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "is empty"),
        (b"name,times\nx,1\n", 400, "no xlsx workbook"),
        (b"PK\x03\x04 broken", 400, "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 600, 400, "old .xls form"),
    ],
)
def test_what_is_no_workbook_is_refused(
    client: Client, data: bytes, status: int, words: str
) -> None:
    answer = send(client, data)
    assert answer.status_code == status
    assert words in answer.content.decode()


def test_a_wrong_action_and_no_file_are_refused(client: Client) -> None:
    assert client.post("/submit/workbook/", {}).status_code == 400
    assert client.post("/submit/workbook/", {"action": "eat"}).status_code == 400


def test_who_may_not_submit_may_not_upload(site: Site) -> None:
    answer = send(site.client("viewer"), template(site.version))
    assert answer.status_code == 403


def test_hostile_names_are_shown_harmlessly(site: Site, client: Client) -> None:
    book = load_workbook(io.BytesIO(template(site.version)))
    sheet = book.create_sheet("<b>x")
    sheet["A1"] = "y"
    book["Settings"].append(["<script>alert(1)</script>", "=1+1"])
    out = io.BytesIO()
    book.save(out)
    answer = send(client, out.getvalue(), headers=HTMX, name='"><script>.xlsx')
    page = answer.content.decode()
    assert "<script>" not in page and "<b>x" not in page
    assert "&lt;b&gt;x" in page


def test_another_workbook_without_a_pipeline_takes_the_chosen_one(
    site: Site, client: Client
) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Settings"
    for row in (["Key", "Value"], ["name", "world"]):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    assert send(client, out.getvalue()).status_code == 400
    good = send(client, out.getvalue(), headers=HTMX, pipeline="hello@1.0")
    assert good.status_code == 200, good.content


def test_the_submission_page_has_the_tab(client: Client) -> None:
    page = client.get("/submit/").content.decode()
    for part in ("tab-workbook", "panel-workbook", "workbook-form", "js/workbook"):
        assert part in page
