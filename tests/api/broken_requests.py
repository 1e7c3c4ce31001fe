"""Broken requests: what is sent, the status, the error's code, and what the answer must name."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
NEW_RUN = "/api/v1/new-run/"
RUNS = "/api/v1/runs/"
GOOD = {"pipeline": "hello", "name": "world"}
NOBODY = uuid.UUID(int=7)


@dataclass(frozen=True)
class Case:
    """One request; ``names`` must stand in the first error's message, pointer or parameter."""

    id: str
    status: int
    code: str
    names: str = ""
    path: str = NEW_RUN
    method: str = "POST"
    body: bytes = json.dumps(GOOD).encode()
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    logged_in: bool = True
    environ: dict[str, Any] = field(default_factory=dict)
    line: int | None = None


def _basic(text: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


def _cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _get(id: str, status: int, code: str, names: str, path: str, **more: Any) -> Case:
    return Case(id, status, code, names, path, "GET", b"", **more)


BODIES = [
    Case("empty body", 400, "empty", "empty", body=b"", environ={"CONTENT_TYPE": JSON}),
    Case("blank body", 400, "empty", "empty", body=b" \n\t "),
    Case("not JSON", 400, "unquoted_value", body=b"pipeline=hello", line=1),
    Case("cut off", 400, "unclosed", body=b'{"pipeline": "hello"', line=1),
    Case("single quotes", 400, "quotes", body=b"{'pipeline': 'hello'}", line=1),
    Case("comment", 400, "comment", body=b'{\n// which\n"pipeline": "hello"}', line=2),
    Case("trailing comma", 400, "trailing_comma", body=b'{"pipeline": "hello",\n}', line=1),
    Case("trailing comma in a list", 400, "trailing_comma", body=b'{"a": [1,\n2,\n]}', line=2),
    Case("duplicate key", 400, "duplicate_key", "name", body=b'{"name": "a",\n"name": "b"}', line=2),
    Case("NaN", 400, "nan", "NaN", body=b'{"pipeline": "hello", "x": NaN}', line=1),
    Case("infinity", 400, "nan", "Infinity", body=b'{"pipeline": "hello", "x": -Infinity}', line=1),
    Case("number too large", 400, "number", body=b'{"pipeline": "hello", "x": 1e999}', line=1),
    Case("5,000 digits", 400, "number", body=b'{"pipeline": "hello", "x": ' + b"9" * 5000 + b"}", line=1),
    Case("lone surrogate", 400, "surrogate", body=b'{"pipeline": "hello", "name": "\\ud800"}', line=1),
    Case("NUL in a string", 400, "nul", body=b'{"pipeline": "hello", "name": "a\\u0000b"}', line=1),
    Case("not UTF-8", 400, "encoding", "UTF-8", body=b'{"pipeline": "h\xe9llo"}', line=1),
    Case("UTF-16", 400, "encoding", "UTF-16", body=json.dumps(GOOD).encode("utf-16")),
    Case("a list", 400, "not_object", "list", body=b"[]", line=1),
    Case("a string", 400, "not_object", "string", body=b'"hello"', line=1),
    Case("null", 400, "not_object", "null", body=b"null", line=1),
    Case("two documents", 400, "trailing_text", body=b'{"pipeline": "hello"} {}', line=1),
    Case("101 levels", 400, "too_deep", "100", body=b'{"a":' * 101 + b"1" + b"}" * 101),
    Case("100,000 brackets", 400, "too_deep", "100", body=b"[" * 100_000 + b"]" * 100_000),
    Case("100,000 open brackets", 400, "too_deep", "100", body=b"[" * 100_000),
    Case("100,000 braces", 400, "too_deep", "100", body=b'{"a":' * 100_000),
    Case("11 MB", 413, "too_large", "10 MB", body=b'{"a": "' + b"x" * 11_000_000 + b'"}'),
    Case("just over 10 MB", 413, "too_large", "10 MB", body=b" " * 10_000_001),
    Case("announced as 1 TB", 413, "too_large", "10 MB", environ={"CONTENT_LENGTH": str(10**12)}),
    Case("announced as 10^40 bytes", 413, "too_large", "10 MB", environ={"CONTENT_LENGTH": "1" + "0" * 40}),
    Case("announced as rubbish", 400, "bad_parameter", "Content-Length", environ={"CONTENT_LENGTH": "many"}),
    Case("announced shorter", 400, "unclosed", environ={"CONTENT_LENGTH": "10"}, line=1),
    Case(
        "in pieces", 411, "length_required", "Content-Length",
        environ={"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"},
    ),
]  # fmt: skip

CONFIGURATIONS = [
    Case("no pipeline", 400, "required", "pipeline", body=b'{"name": "world"}'),
    Case("pipeline a number", 400, "type", "/pipeline", body=b'{"pipeline": 7}', line=1),
    Case("pipeline unknown", 400, "pipeline", "/pipeline", body=b'{"pipeline": "nothing"}', line=1),
    Case("pipeline of another lab", 400, "pipeline", "/pipeline", body=b'{"pipeline": "foreign"}', line=1),
    Case("version unknown", 400, "pipeline", "/pipeline", body=b'{"pipeline": "hello@9"}', line=1),
    Case("no development version", 400, "pipeline", "/pipeline", body=b'{"pipeline": "hello@development"}'),
    Case("wrong type", 400, "type", "/name", body=b'{"pipeline": "hello",\n"name": 7}', line=2),
    Case("system unknown", 400, "system", "/system", body=b'{"pipeline": "hello", "system": "x"}', line=1),
    Case("lab of others", 400, "lab", "/lab", body=b'{"pipeline": "hello", "lab": "lab-b"}', line=1),
    Case("lab a list", 400, "type", "/lab", body=b'{"pipeline": "hello", "lab": []}', line=1),
]

HEADERS = [
    Case("form, as curl -d sends it", 415, "unsupported_media_type", "Content-Type: application/json",
         kind="application/x-www-form-urlencoded"),
    Case("text", 415, "unsupported_media_type", "text/plain", kind="text/plain"),
    Case("no type", 415, "unsupported_media_type", "no content type", kind=""),
    Case("multipart", 415, "unsupported_media_type", "multipart/form-data",
         kind="multipart/form-data; boundary=x"),
    Case("charset", 415, "unsupported_media_type", "utf-16", kind="application/json; charset=utf-16"),
    Case("compressed", 415, "unsupported_media_type", "Content-Encoding",
         headers={"Content-Encoding": "gzip"}),
    Case("empty key", 400, "bad_parameter", "Idempotency-Key", headers={"Idempotency-Key": ""}),
    Case("long key", 400, "bad_parameter", "Idempotency-Key", headers={"Idempotency-Key": "k" * 201}),
    Case("key not ASCII", 400, "bad_parameter", "Idempotency-Key", headers={"Idempotency-Key": "clé"}),
    Case("key with a tab", 400, "bad_parameter", "Idempotency-Key", headers={"Idempotency-Key": "a\tb"}),
    Case("accepts only XML", 406, "not_acceptable", headers={"Accept": "application/xml"}),
    Case("dry_run=maybe", 400, "bad_parameter", "dry_run", NEW_RUN + "?dry_run=maybe"),
    Case("dry_run empty", 400, "bad_parameter", "dry_run", NEW_RUN + "?dry_run="),
    Case("dry_run twice", 400, "bad_parameter", "dry_run", NEW_RUN + "?dry_run=1&dry_run=0"),
    Case("dryrun", 400, "unknown_parameter", "dry_run", NEW_RUN + "?dryrun=1"),
]  # fmt: skip

LOG_INS = [
    Case("nobody", 401, "not_authenticated", logged_in=False),
    Case("Basic alone", 401, "authentication_failed", "colon", headers={"Authorization": "Basic"}),
    Case("bad base64", 401, "authentication_failed", "base64", headers={"Authorization": "Basic !!!"}),
    Case("base64 not ASCII", 401, "authentication_failed", "base64", headers={"Authorization": "Basic é"}),
    Case("no colon", 401, "authentication_failed", "colon", headers=_basic(b"sam")),
    Case("wrong password", 401, "authentication_failed", "password", headers=_basic(b"sam:wrong")),
    Case("empty password", 401, "authentication_failed", "password", headers=_basic(b"sam:")),
    Case("unknown user", 401, "authentication_failed", "password", headers=_basic(b"nobody:x")),
    Case("latin-1", 401, "authentication_failed", "password", headers=_basic("säm:ü".encode("latin-1"))),
    Case("NUL in the name", 401, "authentication_failed", "password", headers=_basic(b"s\0am:x")),
    Case("long header", 401, "authentication_failed", "too long",
         headers={"Authorization": "Basic " + "A" * 9000}),
    Case("unknown scheme", 401, "authentication_failed", "Basic", headers={"Authorization": "Negotiate x"}),
    Case("empty header", 401, "authentication_failed", "Basic", headers={"Authorization": ""}),
    Case("made-up token", 401, "authentication_failed", "token", headers={"Authorization": "Bearer cto_x"}),
    Case("foreign token", 401, "authentication_failed", "token", headers={"Authorization": "Token ghp_x"}),
]  # fmt: skip

ADDRESSES = [
    _get("GET new-run", 405, "method_not_allowed", "GET", NEW_RUN),
    Case("PUT new-run", 405, "method_not_allowed", "PUT", method="PUT"),
    Case("DELETE new-run", 405, "method_not_allowed", "DELETE", method="DELETE"),
    Case("POST to the list", 405, "method_not_allowed", "POST", RUNS),
    Case("unknown method", 405, "method_not_allowed", "BREW", method="BREW"),
    Case("PATCH a run", 405, "method_not_allowed", "PATCH", f"{RUNS}{NOBODY}/", "PATCH"),
    _get("GET cancel", 405, "method_not_allowed", "GET", f"{RUNS}{NOBODY}/cancel/"),
    _get("run id no UUID", 404, "not_found", "", f"{RUNS}17/"),
    _get("run id with SQL", 404, "not_found", "", f"{RUNS}1' or '1'='1/"),
    _get("run unknown", 404, "not_found", "", f"{RUNS}{NOBODY}/"),
    _get("events of an unknown run", 404, "not_found", "", f"{RUNS}{NOBODY}/events/"),
    _get("log of an unknown run", 404, "not_found", "", f"{RUNS}{NOBODY}/log/"),
    Case("cancel an unknown run", 404, "not_found", "", f"{RUNS}{NOBODY}/cancel/"),
    _get("pipeline to see unknown", 404, "not_found", "", "/api/v1/pipelines/nothing/"),
    _get("pipeline name with NUL", 404, "not_found", "", "/api/v1/pipelines/a%00b/"),
    _get("version to see unknown", 404, "not_found", "", "/api/v1/pipelines/hello/versions/9/"),
    _get("no development version to see", 404, "not_found", "", "/api/v1/pipelines/hello/versions/development/"),
    _get("schema unknown", 404, "not_found", "", "/api/v1/pipelines/hello/versions/9/schema/"),
    _get("system to see unknown", 404, "not_found", "", "/api/v1/systems/nothing/"),
    _get("no such address", 404, "not_found", "/api/v1/", "/api/v1/nothing/"),
    _get("no such version of the API", 404, "not_found", "/api/v1/", "/api/v2/runs/"),
    Case("slash forgotten", 404, "not_found", "/api/v1/new-run/", "/api/v1/new-run"),
    Case("token id too large", 404, "not_found", "", f"/api/v1/tokens/{10**40}/", "DELETE"),
]

PARAMETERS = [
    _get(f"{name}={value[:40]}", 400, "bad_parameter", name, f"{RUNS}?{name}={value}")
    for name, value in [
        ("state", "done"), ("state", ""), ("state", "failed,done"), ("state", "FAILED"), ("source", "mail"),
        ("page_size", "0"), ("page_size", "501"), ("page_size", "-1"), ("page_size", "ten"),
        ("page_size", "1.5"), ("page_size", "%D9%A3"), ("page_size", "9" * 19),
        ("created_after", "yesterday"), ("created_after", "2026-13-01"), ("created_after", "2026-11-22T10:00:00"),
        ("created_before", "0001-01-01T00:00:00%2B14:00"), ("created_before", "2026-02-30"),
        ("cursor", "x"), ("cursor", "%00"), ("cursor", "!" * 10), ("cursor", "w7w"),
        ("cursor", _cursor(7)), ("cursor", _cursor([])), ("cursor", _cursor(["now", "x"])),
        ("cursor", _cursor(["2026-01-01T00:00:00", NOBODY.hex])),
        ("cursor", _cursor(["2026-01-01T00:00:00+00:00", 7])), ("cursor", _cursor({"a": 1})),
        ("pipeline", ""), ("pipeline", "a%00b"), ("lab", "x" * 151), ("text", ""), ("text", "x" * 201),
        ("text", "%00"), ("submitter", "a%0Ab"), ("text", "%ED%A0%80" * 67),
    ]
] + [
    _get("pipeline twice", 400, "bad_parameter", "pipeline", f"{RUNS}?pipeline=a&pipeline=b"),
    _get("unknown filter", 400, "unknown_parameter", "user", f"{RUNS}?user=sam"),
    _get("misspelt filter", 400, "unknown_parameter", "submitter", f"{RUNS}?submiter=sam"),
    _get("parameter where none is taken", 400, "unknown_parameter", "full", "/api/v1/systems/?full=1"),
    _get("after", 400, "bad_parameter", "after", "{run}events/?after=-1"),
    _get("after a word", 400, "bad_parameter", "after", "{run}events/?after=x"),
    _get("after too large", 400, "bad_parameter", "after", "{run}events/?after=99999999999"),
    _get("stream", 400, "bad_parameter", "stream", "{run}log/?stream=../../etc/passwd"),
    _get("offset", 400, "bad_parameter", "offset", "{run}log/?offset=x"),
    _get("offset too large", 400, "bad_parameter", "offset", "{run}log/?offset=99999999999999999"),
    _get("limit 0", 400, "bad_parameter", "limit", "{run}log/?limit=0"),
    _get("limit too large", 400, "bad_parameter", "limit", "{run}log/?limit=1048577"),
    _get("format", 400, "bad_parameter", "format", "{run}log/?format=xml"),
    _get("log as XML", 406, "not_acceptable", "", "{run}log/", headers={"Accept": "application/xml"}),
]  # fmt: skip

TOKENS = [
    Case(f"token {id}", 400, code, names, "/api/v1/tokens/", body=body)
    for id, code, names, body in [
        ("without name", "required", "/name", b"{}"),
        ("with empty name", "blank", "/name", b'{"name": ""}'),
        ("with a name of another type", "invalid", "/name", b'{"name": ["a"]}'),
        ("with a long name", "max_length", "/name", json.dumps({"name": "x" * 101}).encode()),
        ("with an unknown field", "unknown_field", "/user", b'{"name": "a", "user": "root"}'),
        ("with a bad time", "invalid", "/expires_at", b'{"name": "a", "expires_at": "soon"}'),
        ("without zone", "naive", "/expires_at", b'{"name": "a", "expires_at": "2099-01-01T00:00:00"}'),
        ("in the past", "invalid", "/expires_at", b'{"name": "a", "expires_at": "2001-01-01T00:00:00Z"}'),
        ("as a list", "not_object", "", b"[]"),
        ("as nonsense", "unquoted_value", "", b"name"),
    ]
]

CASES = [*BODIES, *CONFIGURATIONS, *HEADERS, *LOG_INS, *ADDRESSES, *PARAMETERS, *TOKENS]
