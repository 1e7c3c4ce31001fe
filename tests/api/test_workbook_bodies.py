"""Workbooks (xlsx) as bodies of requests: submitted, checked, and given back with their faults marked."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from accounts.services import create_token
from pipeline_management.models import PipelineVersion, Run
from pipeline_management.services.workbook import process
from pipeline_management.services.workbook.template import template, workbook_of
from tests.api.site import JSON, Site
from tests.factories import make_version
from tests.workbook import hostile

NEW_RUN = "/api/v1/new-run/"
MARKED = "/api/v1/workbook/marked/"
BOTH = pytest.mark.parametrize("url", [NEW_RUN, MARKED])
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "times": {"type": "integer", "minimum": 1, "maximum": 9},
        "samples": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "string"}, "reads": {"type": "integer"}},
            },
        },
    },
}
GOOD = {"name": "world", "times": 2, "samples": [{"id": "a", "reads": 1}, {"id": "b"}]}
BAD = {"name": "world", "times": 12, "samples": [{"id": "a"}, {"id": "b", "reads": "many"}]}


@pytest.fixture
def version(site: Site) -> PipelineVersion:
    return make_version("book", system=site.account.system, schema=SCHEMA)


@pytest.fixture
def sam(site: Site) -> Client:
    return site.client(site.submitter)


def send(client: Client, url: str, data: bytes, kind: str = XLSX, **extra: Any) -> Any:
    if kind:  # the test client leaves it out where there is no body
        extra["CONTENT_TYPE"] = kind
    return client.generic("POST", url, data, content_type=kind, **extra)


def refused(answer: Any, status: int, code: str, said: str = "") -> dict[str, Any]:
    assert answer.status_code == status, answer.content[:1000]
    assert answer["Content-Type"] == "application/json"
    first: dict[str, Any] = answer.json()["errors"][0]
    assert (first["code"], said in first["message"]) == (code, True), first
    assert not Run.objects.filter(version__pipeline__name="book").exists()
    return first


def places(answer: Any) -> list[tuple[str, str]]:
    return [(error["sheet"], error["cell"]) for error in answer.json()["errors"]]


def test_a_filled_workbook_is_a_run(sam: Client, version: PipelineVersion) -> None:
    answer = send(sam, NEW_RUN, workbook_of(version, GOOD))
    assert answer.status_code == 201, answer.content
    run = Run.objects.get(pk=answer.json()["id"])
    assert run.configuration == {"pipeline": "book@1.0", **GOOD}
    assert (run.state, run.source, answer.json()["warnings"]) == ("queued", "api", [])
    assert answer["Location"] == answer.json()["links"]["self"]


def test_a_token_does_as_well_and_parameters_of_the_type_do_no_harm(
    site: Site, version: PipelineVersion
) -> None:
    _, text = create_token(site.submitter, "t")
    header = {"Authorization": f"Bearer {text}"}
    answer = send(
        Client(), NEW_RUN, workbook_of(version, GOOD), f"{XLSX.upper()}; x=y", headers=header
    )
    assert answer.status_code == 201, answer.content


def test_a_dry_run_shows_it_and_makes_nothing(sam: Client, version: PipelineVersion) -> None:
    before = Run.objects.count()
    answer = send(sam, f"{NEW_RUN}?dry_run=1", workbook_of(version, GOOD))
    assert (answer.status_code, answer.json()["valid"]) == (200, True)
    assert "echo hello world" in answer.json()["script"]
    assert Run.objects.count() == before


def test_a_workbook_of_another_version_is_warned_of(site: Site, sam: Client) -> None:
    """The template was downloaded before the version changed."""
    version = make_version("book", system=site.account.system, schema=SCHEMA)
    data = workbook_of(version, GOOD)
    version.content_sha256 = "0" * 64
    version.save()
    (warning,) = send(sam, NEW_RUN, data).json()["warnings"]
    assert warning["code"] == "workbook_version" and "has changed" in warning["message"]


def test_the_same_key_gives_the_same_run(sam: Client, version: PipelineVersion) -> None:
    key = {"Idempotency-Key": "book 1"}
    data = workbook_of(version, GOOD)
    first, second = (send(sam, NEW_RUN, data, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    as_json = {"pipeline": "book@1.0", **GOOD}
    third = sam.post(NEW_RUN, as_json, content_type=JSON, headers=key)
    assert (third.status_code, third.json()["id"]) == (200, first.json()["id"]), (
        "what it says counts"
    )
    other = send(sam, NEW_RUN, workbook_of(version, GOOD | {"times": 3}), headers=key)
    assert (other.status_code, other.json()["errors"][0]["code"]) == (409, "conflict")
    assert Run.objects.filter(version=version).count() == 1


@pytest.mark.parametrize("query", ["", "?dry_run=1"])
def test_faults_are_named_by_sheet_and_cell(
    sam: Client, version: PipelineVersion, query: str
) -> None:
    data = workbook_of(version, BAD)
    answer = send(sam, NEW_RUN + query, data)
    refused(answer, 400, "maximum", "12")
    assert len(places(answer)) == 2
    book = load_workbook(io.BytesIO(data))
    assert [book[sheet][cell].value for sheet, cell in places(answer)] == [12, "many"]
    assert answer.json()["detail"].startswith("2 problems; the first: ")
    assert {"pointer", "row", "line", "column", "parameter"} <= answer.json()["errors"][1].keys()


def test_the_marked_workbook_has_the_same_faults(sam: Client, version: PipelineVersion) -> None:
    data = workbook_of(version, BAD)
    faults = places(send(sam, NEW_RUN, data))
    answer = send(sam, MARKED, data)
    assert (answer.status_code, answer["Content-Type"]) == (200, XLSX)
    assert answer["Centro-Faults"] == "2"
    assert answer["Content-Disposition"] == 'attachment; filename="marked.xlsx"'
    book = load_workbook(io.BytesIO(answer.content))
    rows = [[cell.value for cell in row[:2]] for row in book["Faults"].iter_rows(min_row=2)]
    assert [tuple(row) for row in rows] == faults
    for sheet, cell in faults:
        assert book[sheet][cell].fill.start_color.rgb == "FFFFC7CE"
    assert not Run.objects.filter(version=version).exists()


def test_a_workbook_without_faults_comes_back_without_marks(
    sam: Client, version: PipelineVersion
) -> None:
    answer = send(sam, MARKED, workbook_of(version, GOOD))
    assert (answer.status_code, answer["Centro-Faults"]) == (200, "0")
    assert not Run.objects.filter(version=version).exists()


@BOTH
@pytest.mark.parametrize(
    "what", ["nothing", "text", "old xls or password", "half a file", "macros", "a billion laughs"]
)
def test_what_is_no_workbook_or_a_dangerous_one_is_refused(
    site: Site, sam: Client, url: str, what: str
) -> None:
    make, code = hostile.REFUSED[what]
    refused(send(sam, url, make()), 400, code)


@BOTH
def test_a_workbook_over_the_limit_is_not_read(
    sam: Client, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(process, "_run", None)
    data = b"PK\x03\x04" + bytes(process.MAX_FILE)
    refused(send(sam, url, data), 413, "too_large", "10 MB")
    refused(send(sam, url, b"", CONTENT_LENGTH=str(10**12)), 413, "too_large", "10 MB")


def test_one_with_too_many_cells_is_not_marked(
    sam: Client, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAX_TO_MARK", 3)
    refused(send(sam, MARKED, workbook_of(version, BAD)), 413, "too_large", "up to 3 can be marked")


@pytest.mark.parametrize(
    ("url", "kind", "code"),
    [
        (NEW_RUN, "application/vnd.ms-excel.sheet.macroEnabled.12", 415),
        (NEW_RUN, "application/vnd.ms-excel", 415),
        (NEW_RUN, "application/octet-stream", 415),
        (NEW_RUN, JSON, 400),  # it is no JSON
        (MARKED, JSON, 415),
        (MARKED, "application/zip", 415),
        (MARKED, "", 415),
    ],
)
def test_the_type_has_to_be_said(
    sam: Client, version: PipelineVersion, url: str, kind: str, code: int
) -> None:
    answer = send(sam, url, workbook_of(version, GOOD), kind)
    assert answer.status_code == code, answer.content[:500]
    if url == MARKED:
        assert XLSX in answer.json()["detail"]
    assert not Run.objects.filter(version=version).exists()


@BOTH
def test_a_compressed_body_and_one_in_pieces_are_refused(sam: Client, url: str) -> None:
    packed = send(sam, url, hostile.plain(), headers={"Content-Encoding": "gzip"})
    refused(packed, 415, "unsupported_media_type", "Content-Encoding")
    pieces = send(sam, url, b"", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    refused(pieces, 411, "length_required")


@BOTH
def test_who_may_not_run_it_may_not_send_it(site: Site, version: PipelineVersion, url: str) -> None:
    data = workbook_of(version, GOOD)
    refused(send(site.client(site.viewer), url, data), 403, "not_allowed")
    answer = send(site.client(None), url, data)
    assert answer.status_code == 401 and answer["WWW-Authenticate"]
    secret = template(site.hidden_version)
    refused(send(site.client(site.stranger), url, secret), 400, "pipeline")


@BOTH
def test_others_are_told_to_wait(
    sam: Client, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(process, "_PATIENCE", 0.01)
    taken = [process._place() for _ in range(process.AT_ONCE)]
    for place in taken:
        place.__enter__()
    try:
        answer = send(sam, url, workbook_of(version, GOOD))
    finally:
        for place in taken:
            place.__exit__(None, None, None)
    refused(answer, 503, "unavailable", "try again")
    assert int(answer["Retry-After"]) > 0
