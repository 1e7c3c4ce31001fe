"""The parts behind the pages: output as text, the schema as a table, durations, the timeline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_management import schema_outline
from pipeline_management.schema_outline import outline
from pipeline_management.services.log_text import readable, whole_characters
from pipeline_management.templatetags.centro_pages import duration


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[1;31mred\x1b[0m \x1b[2Kgone", "red gone"),
        (b"\x1b]0;title\x07after \x1b]8;;http://x\x1b\\link", "after link"),
        (b"10 %\r50 %\r100 %\nnext", "100 %\nnext"),
        (b"dos\r\nlines\r\n", "dos\nlines\n"),
        (b"50 %\r", "50 %"),
        (b"bell\x07null\x00", "bell\ufffdnull\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("right\u202eleft".encode(), "right\ufffdleft"),
        (b"tab\tstays", "tab\tstays"),
        ("€ ü 𝄞".encode(), "€ ü 𝄞"),
    ],
)
def test_output_becomes_readable(data: bytes, text: str) -> None:
    assert readable(data) == text


@given(st.text(max_size=30), st.integers(0, 4))
def test_a_cut_never_splits_a_character(text: str, cut: int) -> None:
    data = text.encode("utf-8", "replace")
    piece = data[: max(0, len(data) - cut)]
    kept = piece[: whole_characters(piece)]
    kept.decode("utf-8")
    assert len(piece) - len(kept) <= 3


@given(st.binary(max_size=200))
def test_any_bytes_become_text_without_control_characters(data: bytes) -> None:
    assert not set(readable(data)) & {chr(code) for code in (*range(9), 11, 12, *range(14, 32), 127)}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0 s"), (59.9, "59 s"), (61, "1 min 01 s"), (3_900, "1 h 05 min"),
     (100_000, "1 d 3 h"), (-5, "0 s")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_schema_becomes_rows_with_paths_types_and_limits() -> None:
    schema = {
        "required": ["files"],
        "properties": {
            "files": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/file"}},
            "mode": {"enum": ["a", 1, None]},
            "size": {"type": ["integer", "null"], "minimum": 1, "default": 3},
            "where": {"oneOf": [{"type": "string"}, {"type": "object"}]},
        },
        "$defs": {"file": {"type": "object", "required": ["path"], "additionalProperties": False,
                           "properties": {"path": {"type": "string", "pattern": "^/", "title": "where"}}}},
    }
    rows = {row.path: row for row in outline(schema)}
    assert list(rows) == ["files", "files[].path", "mode", "size", "where"]
    assert rows["files"].required and rows["files"].types == "list of object"
    assert rows["files[].path"].required and rows["files[].path"].limits == ["matches ^/"]
    assert rows["files[].path"].description == "where"
    assert rows["mode"].limits == ["a, 1, null"]
    assert (rows["size"].types, rows["size"].limits, rows["size"].default) == ("integer or null", ["≥ 1"], "3")
    assert rows["where"].types == "string or object"


@pytest.mark.parametrize(
    ("node", "words"),
    [({"type": "string", "minLength": 1, "maxLength": 2}, ["at least 1 character", "at most 2 characters"]),
     ({"type": "array", "minItems": 2, "maxItems": 1.0}, ["at least 2 entries", "at most 1 entry"]),
     ({"type": "object", "minProperties": 0, "maxProperties": 1}, ["at least 0 keys", "at most 1 key"]),
     ({"minLength": "1", "maxItems": None}, [])],
)
def test_limits_are_worded_by_their_number(node: dict[str, object], words: list[str]) -> None:
    assert outline({"properties": {"a": node}})[0].limits == words


@pytest.mark.parametrize(
    "schema",
    [None, [], "x", {}, {"properties": 3}, {"required": "x", "properties": {"a": 1, "b": None, "c": True}},
     {"properties": {"a": {"type": 7, "enum": "no", "items": 5, "properties": [1]}}},
     {"properties": {"a": {"$ref": "#/properties/a"}}}, {"properties": {"a": {"$ref": "#/no/where"}}},
     {"properties": {"a": {"$ref": 5}, "b": {"$ref": "http://example.org/x"}}},
     {"properties": {"a": {"oneOf": [1, None]}}}],
)
def test_a_strange_schema_does_no_harm(schema: object) -> None:
    assert isinstance(outline(schema), list)


def test_a_schema_that_contains_itself_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_outline, "MAX_ROWS", 50)
    node = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#/properties/left"}}}
    assert len(outline(node)) <= 50
    tree = {"properties": {"a": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"properties": {"x": {"$ref": "#/$defs/n"}, "y": {"$ref": "#/$defs/n"}}}}}
    assert len(outline(tree)) == 50
