"""The local area's doors: bodies that are no forms, answers with headers, and everything without a log-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from staging.base import UploadForm
from staging.local import LocalArea

KEY = "0123/file.txt"
EDGE = "edge"


@pytest.fixture
def area(settings: Any, tmp_path: Path, db: None) -> LocalArea:
    from pipeline_management.services.transfers.area import local_area

    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"path": tmp_path / "staging"}
    found = local_area()
    assert found is not None
    return found


def body(fields: dict[str, str], *parts: tuple[str, bytes]) -> bytes:
    """A form with these fields, and further parts behind them."""
    whole = [(name, value.encode()) for name, value in fields.items()] + list(parts)
    lines = [
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value
        for name, value in whole
    ]
    return b"\r\n".join(lines) + f"\r\n--{EDGE}--\r\n".encode()


def send(data: bytes, kind: str = f"multipart/form-data; boundary={EDGE}") -> tuple[int, str]:
    answer = Client(enforce_csrf_checks=True).generic("POST", "/staging", data, content_type=kind)
    return answer.status_code, answer.content.decode()


def form_of(area: LocalArea) -> UploadForm:
    return area.upload_form(KEY, 100, 60)


def test_the_file_of_a_form_is_kept_byte_by_byte(area: LocalArea) -> None:
    content = b"\r\n--edg" + bytes(range(90))
    assert send(body(dict(form_of(area).fields), ("file", content)))[0] == 204
    with area.reader(KEY) as source:
        assert source.read(200) == content


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("no form at all", 400, "MalformedPOSTRequest"),
        ("cut off", 400, "MalformedPOSTRequest"),
        ("without a file", 400, "MalformedPOSTRequest"),
        ("something behind the file", 400, "MalformedPOSTRequest"),
        ("a huge field", 400, "MalformedPOSTRequest"),
        ("many fields", 400, "MalformedPOSTRequest"),
        ("the file first", 403, "AccessDenied"),
        ("one byte too many", 400, "EntityTooLarge"),
    ],
)
def test_what_is_no_proper_form_leaves_nothing(
    area: LocalArea, tmp_path: Path, name: str, status: int, code: str
) -> None:
    fields = dict(form_of(area).fields)
    whole = body(fields, ("file", b"content"))
    data = {
        "no form at all": b"content",
        "cut off": whole[:-30],
        "without a file": body(fields),
        "something behind the file": body(fields, ("file", b"content"), ("late", b"x")),
        "a huge field": body({"x": "y" * 20_000, **fields}, ("file", b"content")),
        "many fields": body({f"x{n}": "y" for n in range(50)} | fields, ("file", b"content")),
        "the file first": body({}, ("file", b"content"), *((n, b"") for n in fields)),
        "one byte too many": body(fields, ("file", b"x" * 101)),
    }[name]
    found, text = send(data)
    assert (found, f"<Code>{code}</Code>" in text) == (status, True), text
    assert area.stat(KEY) is None
    assert list((tmp_path / "staging" / "incoming").iterdir()) == []


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/plain"])
def test_another_kind_of_body_is_refused(area: LocalArea, kind: str) -> None:
    assert send(b"{}", kind)[0] == 400


def path_of(url: str) -> str:
    return url[url.index("/staging/") :]


def test_a_download_is_never_shown_as_a_page(area: LocalArea) -> None:
    area.put(KEY, b"<script>alert(1)</script>")
    path = path_of(area.download_url(KEY, 60, name='ä"b\r\n.html'))
    answer = Client().get(path)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%A4%22b%0D%0A.html"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert answer["X-Content-Type-Options"] == "nosniff"
    head = Client().head(path)
    assert (head.status_code, head["Content-Length"], head.content) == (200, "25", b"")
    part = Client().get(path, headers={"range": "bytes=1-6"})
    assert (part.status_code, part["Content-Range"]) == (206, "bytes 1-6/25")
    assert b"".join(part.streaming_content) == b"script"  # type: ignore[attr-defined]  # a stream


@pytest.mark.parametrize("span", ["bytes=25-", "bytes=7-3", "bytes=-0"])
def test_a_range_outside_is_told(area: LocalArea, span: str) -> None:
    area.put(KEY, b"x" * 25)
    answer = Client().get(path_of(area.download_url(KEY, 60)), headers={"range": span})
    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */25")


def test_without_a_local_area_there_are_no_doors(area: LocalArea, settings: Any) -> None:
    area.put(KEY, b"x")
    path = path_of(area.download_url(KEY, 60))
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"kind": "s3"}
    assert Client().get(path).status_code == 404
    assert send(b"")[0] == 404
