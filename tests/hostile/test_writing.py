"""Everything that writes by /api/v1/: hostile texts come back as they were or are refused by name, bodies that are no
good are refused with a sentence."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from pipeline_management.models import Run, RunEvent, RunNote, Transfer
from tests.hostile.entries import Desk, make_desk
from tests.hostile.values import TABS_AND_LINES, UNSTORABLE, VALUES
from tests.pages.site import Site

pytestmark = pytest.mark.django_db
JSON = "application/json"
LINES = "application/x-ndjson"
NOBODY = "00000000-0000-0000-0000-000000000007"
TEXTS = {**VALUES, **TABS_AND_LINES, **UNSTORABLE}


@pytest.fixture
def desk(site: Site) -> Desk:
    return make_desk(site)


def told(answer: Any, where: str) -> dict[str, Any]:
    """The first error of a refusal, which has the one shape of errors."""
    body = json.loads(answer.content)
    checked = (
        answer.status_code == 200 and body.get("valid") is False
    )  # a check's result is its faults
    assert checked or 400 <= answer.status_code < 500, f"{where}: {answer.status_code} {body}"
    assert answer["Content-Type"] == JSON, where
    error: dict[str, Any] = body["errors"][0]
    assert error["message"] and len(error["message"]) < 1000, where
    assert "Traceback" not in error["message"] and "Error(" not in error["message"], where
    assert answer["X-Content-Type-Options"] == "nosniff", where
    return error


def sent(value: Any) -> bytes:
    """JSON with the characters as they are; half a surrogate pair as an escape."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


# what is kept comes back


@dataclass(frozen=True)
class Kept:
    """``ask`` sends a value; ``back`` reads it again from the answer of one that was taken; ``fields``: what names it
    in a refusal, any of them."""

    ask: Callable[[Desk, str], Any]
    back: Callable[[Desk, dict[str, Any]], Any]
    fields: tuple[str, ...]
    stripped: Callable[[str], str] = str


def _post(path: str, make: Callable[[str], Any]) -> Callable[[Desk, str], Any]:
    def ask(desk: Desk, value: str) -> Any:
        address = f"/api/v1{path}".replace("{run}", str(desk.run.pk))
        return desk.submitter.post(address, sent(make(value)), content_type=JSON)

    return ask


def _get(desk: Desk, path: str) -> Any:
    answer = desk.submitter.get(f"/api/v1{path}")
    assert answer.status_code == 200
    return json.loads(answer.content)


def _label(desk: Desk, value: str) -> Any:
    address = f"/api/v1/runs/{desk.run.pk}/labels/{quote(value, safe='')}/"
    return desk.submitter.put(address)


def _note(value: str) -> str:
    """Notes keep no character that nobody sees."""
    text = value.strip().replace("\r\n", "\n")
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


KEPT: dict[str, Kept] = {
    "a value of a configuration": Kept(
        _post("/new-run/", lambda v: {"pipeline": "hello", "name": v}),
        lambda d, made: _get(d, f"/runs/{made['id']}/")["configuration"]["name"],
        ("name", "string", "script"),
    ),
    "a note": Kept(
        _post("/runs/{run}/notes/", lambda v: {"text": v}),
        lambda d, made: [n for n in _get(d, f"/runs/{d.run.pk}/notes/")["results"] if n["id"] == made["id"]][0]["text"],
        ("text", "note", "string"),
        _note,
    ),
    "a label": Kept(_label, lambda d, made: made["labels"], ("label",)),
    "a token": Kept(
        _post("/tokens/", lambda v: {"name": v}),
        lambda d, made: [t for t in _get(d, "/tokens/")["results"] if t["id"] == made["id"]][0]["name"],
        ("name", "string"),
        str.strip,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_is_taken_comes_back_as_it_was(desk: Desk, name: str) -> None:
    kept, taken = KEPT[name], 0
    for kind, value in TEXTS.items():
        where = f"{name}: {kind}"
        if name == "a label" and kind in ("lone surrogate", "1 MB"):
            continue  # no address can be so
        answer = kept.ask(desk, value)
        if answer.status_code in (200, 201):
            taken += 1
            assert kept.back(desk, json.loads(answer.content)) == kept.stripped(value), where
        elif answer.status_code != 404 or name != "a label":  # an address with a slash in the name
            said = json.dumps(told(answer, where)).lower()
            assert any(field in said for field in kept.fields), f"{where}: {said}"
    assert taken == 0 if name == "a label" else taken > 30


def test_every_value_of_a_job_comes_back_or_is_refused_whole(desk: Desk) -> None:
    """Either all of a request is taken or nothing: the bad line is named, and no event of the others is there."""
    for number, (kind, value) in enumerate(TEXTS.items()):
        data = {"text": value}
        events = [
            {
                "sender": "job-1",
                "seq": 2 * number + at + 1,
                "type": "message",
                "at": 1e9,
                "data": part,
            }
            for at, part in enumerate(({"text": "before"}, data))
        ]
        body = b"\n".join(sent(event) for event in events)
        before = RunEvent.objects.count()
        answer = desk.submitter.post(
            f"/api/v1/runs/{desk.run.pk}/events/", body, content_type=LINES,
            headers={"Authorization": f"Bearer {desk.token}"},
        )  # fmt: skip
        if answer.status_code == 200:
            shown = _get(desk, f"/runs/{desk.run.pk}/events/?after=1")["results"]
            seen = re.sub("[\0\ud800-\udfff]", "\ufffd", value)  # what no database keeps
            assert shown[-1]["data"]["text"] == seen, kind
        else:
            error = told(answer, kind)
            assert "ine 2" in error["message"] or error["line"] == 2 or answer.status_code == 413, (
                error
            )
            assert RunEvent.objects.count() == before, kind


# bodies

DEEP = {
    "lists": b"[" * 10_000 + b"]" * 10_000,
    "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a value": b'{"name": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "without end": b'{"ids": ' + b"[" * 10_000,
}
BODIES: dict[str, tuple[bytes, str]] = {
    **{f"10,000 levels: {name}": (body, JSON) for name, body in DEEP.items()},
    "over 10 MB": (b'{"name": "' + b"x" * 10_500_000 + b'"}', JSON),
    "10 MB of blanks": (b" " * 10_000_001, JSON),
    "the same key again": (b'{"name": "a", "name": "b"}', JSON),
    "the same key again, within": (b'{"ids": [{"a": 1, "a": 2}]}', JSON),
    "NaN": (b'{"name": NaN}', JSON),
    "infinity": (b'{"size": -Infinity, "numbers": [Infinity]}', JSON),
    "huge integer": (b'{"size": ' + b"9" * 10_000 + b"}", JSON),
    "huge exponent": (b'{"size": 1e99999}', JSON),
    "not UTF-8": (b'{"name": "\xff\xfe\xed\xa0\x80"}', JSON),
    "overlong UTF-8": (b'{"name": "\xc0\xaf"}', JSON),
    "UTF-16": ('{"name": "a"}'.encode("utf-16"), JSON),
    "UTF-7": (b"+AHsAIg-name+ACI-: 1+AH0-", JSON),
    "NUL": (b'{"name": "a\0b"}', JSON),
    "NUL, escaped": (b'{"name": "a\\u0000b", "text": "\\u0000", "ids": ["\\u0000"]}', JSON),
    "lone surrogate": (b'{"name": "\\udc00", "text": "\\ud800"}', JSON),
    "a list": (b"[]", JSON),
    "a text": (b'"name"', JSON),
    "null": (b"null", JSON),
    "another type": (b'{"name": "a"}', "text/plain"),
    "XML": (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "text/xml"),
    "a form": (b"name=a&text=b", "application/x-www-form-urlencoded"),
    "multipart without boundary": (b"--x\r\n\r\na\r\n--x--", "multipart/form-data"),
    "multipart without end": (b'--x\r\nContent-Disposition: form-data; name="a"', "multipart/form-data; boundary=x"),
    "multipart of nothing": (b"\0" * 1000, "multipart/form-data; boundary=" + "b" * 500),
    "gzip": (gzip.compress(b'{"name": "a"}'), JSON),
    "pickle": (b"cos\nsystem\n(S'id'\ntR.", JSON),
    "charset": (b'{"name": "a"}', f"{JSON}; charset=utf-7"),
    "charset of nobody": (b'{"name": "a"}', f"{JSON}; charset=xq7"),
}  # fmt: skip
DOORS: dict[str, str] = {
    "new run": "/api/v1/new-run/",
    "check": "/api/v1/validate/",
    "note": "/api/v1/runs/{run}/notes/",
    "token": "/api/v1/tokens/",
    "transfer": "/api/v1/transfers/",
    "cancel many": "/api/v1/runs/cancel/",
    "hold many": "/api/v1/runs/hold/",
    "release many": "/api/v1/runs/release/",
    "events": "/api/v1/runs/{run}/events/",
    "marked workbook": "/api/v1/workbook/marked/",
}


def counts() -> list[int]:
    return [model._default_manager.count() for model in (Run, RunEvent, RunNote, Transfer)]


@pytest.mark.parametrize("door", DOORS)
def test_bad_bodies_are_refused_with_a_sentence(desk: Desk, door: str) -> None:
    path = DOORS[door].replace("{run}", str(desk.run.pk))
    headers = {"Authorization": f"Bearer {desk.token}"} if door == "events" else {}
    before = counts()
    for name, (body, kind) in BODIES.items():
        answer = desk.submitter.generic("POST", path, body, content_type=kind, headers=headers)
        error = told(answer, f"{door}: {name}")
        assert answer.status_code in (200 if door == "check" else 400, 413, 415), f"{door}: {name}"
        if name.startswith("10,000") and door not in ("events", "marked workbook"):
            assert error["code"] == "too_deep", f"{door}: {name}"
    assert counts() == before


@pytest.mark.parametrize("door", [door for door in DOORS if door not in ("events",)])
def test_packed_bodies_are_not_unpacked(desk: Desk, door: str) -> None:
    """A megabyte of blanks in a kilobyte could be a gigabyte."""
    path = DOORS[door].replace("{run}", str(desk.run.pk))
    for coding in ("gzip", "deflate", "br", "gzip, gzip", "xq7"):
        answer = desk.submitter.generic(
            "POST", path, gzip.compress(b" " * 1_000_000), content_type=JSON,
            headers={"Content-Encoding": coding},
        )  # fmt: skip
        assert told(answer, f"{door}: {coding}")["code"] == "unsupported_media_type"


WRONG: tuple[Any, ...] = (
    None, True, 7, 1.5, -(10**200), 10**18, "", [], {}, [[]], [None], {"a": {}}, ["a"] * 2000, "x" * 100_000,
)  # fmt: skip
FIELDS: dict[str, dict[str, Any]] = {
    "new run": {"pipeline": "hello", "name": "a", "lab": "genomics", "system": "cluster", "holdConfig": False},
    "note": {"text": "a"},
    "token": {"name": "a", "expires_at": "2099-01-01T00:00:00Z"},
    "transfer": {
        "direction": "upload", "system": "cluster", "path": "/tmp/x", "name": "x", "size": 1, "sha256": "0" * 64,
    },
    "cancel many": {"ids": [NOBODY]},
    "hold many": {"ids": [NOBODY]},
    "release many": {"ids": [NOBODY]},
}  # fmt: skip


@pytest.mark.parametrize("door", FIELDS)
def test_values_of_wrong_kinds_are_named(desk: Desk, door: str) -> None:
    """In every field; what is right by chance is taken, everything else names the field."""
    path = DOORS[door].replace("{run}", str(desk.run.pk))
    for field in FIELDS[door]:
        for wrong in WRONG:
            where = f"{door}: {field} = {wrong!r:.60}"
            body = {**FIELDS[door], field: wrong}
            answer = desk.submitter.post(path, sent(body), content_type=JSON)
            if (
                answer.status_code in (200, 201)
                or door == "transfer"
                and answer.status_code in (403, 404)
            ):
                continue
            error = told(answer, where)
            if "has no account on" in error["message"]:
                continue  # what is good so far comes to nothing here
            assert field in json.dumps(error), f"{where}: {error}"


def test_unknown_fields_are_named(desk: Desk) -> None:
    """Each value at one door, in turn."""
    doors = itertools.cycle(FIELDS)
    for (kind, value), door in zip(VALUES.items(), doors, strict=False):
        path = DOORS[door].replace("{run}", str(desk.run.pk))
        answer = desk.submitter.post(path, sent({**FIELDS[door], value: value}), content_type=JSON)
        error = told(answer, f"{door}: {kind}")
        assert error["code"] and len(error["message"]) < 600
