"""CSV and JSON exports of the current filter."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from pipeline_management.choices import Reason, RunState
from pipeline_management.models import Run
from pipeline_management.services import exports
from tests.factories import make_run
from tests.pages.site import Site

FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", '=HYPERLINK("http://x")']


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(response), newline="")))


def test_it_holds_what_the_filter_finds_and_the_viewer_may_see(site: Site) -> None:
    failed = site.run(state=RunState.FAILED, reason=Reason.TIMEOUT, exit_code=-9, name="näme, \"x\"\nline")
    site.run(state=RunState.SUCCEEDED)
    make_run(lab=site.other_lab, state=RunState.FAILED)
    client = site.client("viewer")
    rows = csv_rows(client.get("/runs/export/?state=failed&format=csv"))
    assert [row["id"] for row in rows] == [str(failed.pk)]
    assert rows[0]["name"] == failed.name
    assert rows[0]["exit_code"] == "-9"
    assert rows[0]["created_at"].endswith("Z")
    listed = json.loads(text_of(client.get("/runs/export/?state=failed&format=json")))
    assert [row["id"] for row in listed] == [str(failed.pk)]
    assert listed[0]["exit_code"] == -9
    assert tuple(listed[0]) == exports.COLUMNS == tuple(rows[0])


def test_nothing_found_is_a_header_or_an_empty_list(site: Site) -> None:
    client = site.client("viewer")
    assert text_of(client.get("/runs/export/")).count("\r\n") == 1
    assert json.loads(text_of(client.get("/runs/export/?format=json"))) == []


def test_it_says_what_it_is(site: Site) -> None:
    response = site.client("viewer").get("/runs/export/?format=json")
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"].startswith('attachment; filename="centro-runs-')
    assert response.streaming


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_spreadsheet_runs_no_text_as_a_formula(site: Site, formula: str) -> None:
    site.run(name=formula, state=RunState.FAILED, reason_text=formula)
    [row] = csv_rows(site.client("viewer").get("/runs/export/"))
    assert row["name"] == row["reason_text"] == f"'{formula}"


@pytest.mark.parametrize("value", ["plain", "a=b", "", "'=1", "1-2"])
def test_other_text_stays_as_it_is(value: str) -> None:
    assert exports.safe_cell(value) == value


def test_numbers_keep_their_sign_and_none_is_empty() -> None:
    assert exports.safe_cell(-1) == "-1"
    assert exports.safe_cell(None) == ""


def test_chunks_neither_repeat_nor_lose_a_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "CHUNK", 3)
    runs = [site.run() for _ in range(10)]
    Run.objects.filter(pk__in=[run.pk for run in runs[:5]]).update(created_at="2026-01-01T00:00:00Z")
    rows = csv_rows(site.client("viewer").get("/runs/export/"))
    assert len(rows) == 10
    assert {row["id"] for row in rows} == {str(run.pk) for run in runs}
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)


def test_an_unknown_format_is_refused_by_name(site: Site) -> None:
    response = site.client("viewer").get("/runs/export/?format=ods")
    assert response.status_code == 400
    assert response.content.decode() == "format: expected csv, json, xlsx, not 'ods'\n"
