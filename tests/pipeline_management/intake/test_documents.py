"""Reading JSON strictly: each kind of mistake has its own code and its place."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_management.errors import InvalidRequest, TooLarge
from pipeline_management.services.documents import MAX_BODY, canonical_json, parse_document
from pipeline_management.services.json_places import locate

# body, code, line, column, a part of the sentence
BROKEN: list[tuple[bytes, str, int | None, int | None, str]] = [
    (b"", "empty", None, None, "body is empty"),
    (b" \n\t ", "empty", None, None, "body is empty"),
    (b"\xef\xbb\xbf", "empty", None, None, "body is empty"),
    (b'{"a": "\xe9"}', "encoding", 1, 8, "0xe9"),
    (b'{\n"a": "\xed\xa0\x80"}', "encoding", 2, 7, "UTF-8"),
    (b"\xff\xfe{\0}\0", "encoding", 1, 1, "UTF-16"),
    (b'{"a": 1,}', "trailing_comma", 1, 8, "before the closing }"),
    (b'{"a": [1,\n2,\n ]}', "trailing_comma", 2, 2, "before the closing ]"),
    (b'{"a": 1, "a": 2}', "duplicate_key", 1, 10, '"a" is given twice'),
    (
        b'{"x": {"b": 1,\n "c": {}, "b": 2}}',
        "duplicate_key",
        2,
        11,
        "first in line 1, again in line 2",
    ),
    (b'{"a": NaN}', "nan", 1, 7, "NaN is not"),
    (b'{"a": -Infinity}', "nan", 1, 7, "-Infinity is not"),
    (b'{"a": nan}', "nan", 1, 7, "nan is not"),
    (b"[" * 100_000, "too_deep", 1, 101, "100 levels"),
    (b'{"a":' * 101 + b"1" + b"}" * 101, "too_deep", 1, 501, "100 levels"),
    (b"[1]", "not_object", 1, 1, "is a list"),
    (b'\n "text"', "not_object", 2, 2, "is a string"),
    (b"12", "not_object", 1, 1, "is a number"),
    (b"null", "not_object", 1, 1, "is null"),
    (b"true", "not_object", 1, 1, "is true or false"),
    (b'{"a": 1e999}', "number", 1, 7, "out of range"),
    (b'{"a": ' + b"9" * 5000 + b"}", "number", 1, 7, "5000 characters"),
    (b'{"a": 01}', "number", 1, 8, "leading zero"),
    (b'{"a": +1}', "number", 1, 7, "plus sign"),
    (b'{"a": .5}', "number", 1, 7, "both sides"),
    (b'{"a": 1.}', "number", 1, 8, "both sides"),
    (b'{"a": 0x1f}', "number", 1, 8, "not a JSON number"),
    (b"{'a': 1}", "quotes", 1, 2, "double quotes"),
    (b"{\"a\": 'x'}", "quotes", 1, 7, "double quotes"),
    ('{"a": “x”}'.encode(), "quotes", 1, 7, "instead of “"),
    (b'// hello\n{"a": 1}', "comment", 1, 1, "no comments"),
    (b'{"a": 1, # why\n"b": 2}', "comment", 1, 10, "no comments"),
    (b'{"a": 1 /* x */}', "comment", 1, 9, "no comments"),
    (b'{"a": 1\n "b": 2}', "missing_comma", 1, 8, 'the string "b"'),
    (b'{"a": [1 2]}', "missing_comma", 1, 9, "line 1, column 7"),
    (b'{"a": 1; "b": 2}', "missing_comma", 1, 8, "separated by commas"),
    (b'{"a": "b"c"}', "missing_comma", 1, 10, "'c'"),
    (b'{"a": 1,, "b": 2}', "extra_comma", 1, 9, "missing before this comma"),
    (b"{,}", "extra_comma", 1, 2, "missing before this comma"),
    (b'{"a": }', "missing_value", 1, 7, "After the colon"),
    (b'{"a" 1}', "missing_colon", 1, 6, "colon"),
    (b'{"a" = 1}', "missing_colon", 1, 6, "colon"),
    (b"{a: 1}", "unquoted_key", 1, 2, 'write "a"'),
    (b'{"a": hello}', "unquoted_value", 1, 7, "'hello'"),
    (b'{"a": True}', "literal", 1, 7, "write true"),
    (b'{"a": None}', "literal", 1, 7, "write null"),
    (b'{"a": undefined}', "literal", 1, 7, "write null"),
    (b'{"a": "x\ny"}', "control_character", 1, 9, "a line break"),
    (b'{"a": "x\ty"}', "control_character", 1, 9, "a tab"),
    (b'{"a": "x\x01y"}', "control_character", 1, 9, "U+0001"),
    (b'{"a": "C:\\data"}', "escape", 1, 10, "\\d"),
    (b'{"a": "\\u12"}', "escape", 1, 8, "four hexadecimal"),
    (b'{"a": "\\ud800"}', "surrogate", 1, 7, "surrogate"),
    (b'{"a": "x\\u0000"}', "nul", 1, 9, "NUL"),
    (b'{"\\u0000": 1}', "nul", 1, 3, "NUL"),
    (b'{"a": 1', "unclosed", 1, 8, "line 1, column 1"),
    (b'{"a": [1,\n', "unclosed", 1, 10, "list that begins in line 1, column 7"),
    (b'{"a": "x', "unclosed", 1, 7, 'a " is missing'),
    (b'{"a": [1}', "wrong_bracket", 1, 9, "closed with ]"),
    (b'{"a": 1}}', "unopened", 1, 9, "closes nothing"),
    (b'{"a": 1} {"b": 2}', "trailing_text", 1, 10, "one object only"),
    (b'{"a": 1}\nmore', "trailing_text", 2, 1, "more text"),
    (b"{}\0", "trailing_text", 1, 3, "more text"),
]


@pytest.mark.parametrize(
    ("body", "code", "line", "column", "words"), BROKEN, ids=[f"{b[:16]!r}" for b, *_ in BROKEN]
)
def test_broken_text(
    body: bytes, code: str, line: int | None, column: int | None, words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_document(body)
    problem = caught.value.problems[0]
    assert (problem.code, problem.line, problem.column) == (code, line, column)
    assert words in problem.message
    assert not isinstance(caught.value, TooLarge)


def test_too_large_is_told_apart() -> None:
    with pytest.raises(TooLarge) as caught:
        parse_document(b'{"a": "' + b"x" * MAX_BODY + b'"}')
    assert caught.value.problems[0].code == "too_large"


def test_the_limits_themselves_are_fine() -> None:
    deep = b'{"a":' * 100 + b"1" + b"}" * 100
    assert parse_document(deep)["a"]
    assert parse_document(b'{"a": ' + b"9" * 300 + b"}") == {"a": int("9" * 300)}
    body = b'{"a": "' + b"x" * (MAX_BODY - 9) + b'"}'
    assert len(body) == MAX_BODY
    assert len(parse_document(body)["a"]) == MAX_BODY - 9


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' \r\n {"a": [1, 2.5, true, null]} \n', {"a": [1, 2.5, True, None]}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a": "\\\\u0000 \\\\ud800"}', {"a": "\\u0000 \\ud800"}),
        (b'{"a": {"b": 1}, "c": {"b": 1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'{"a": "[[[[{{{{"}', {"a": "[[[[{{{{"}),
        (b'{"NaN": "Infinity"}', {"NaN": "Infinity"}),
    ],
)
def test_good_text(body: bytes, value: dict[str, Any]) -> None:
    assert parse_document(body) == value


def test_every_duplicate_is_listed() -> None:
    body = b'{"a": 1, "a": 2, "b": {"c": 1, "c": 2, "c": 3}}'
    with pytest.raises(InvalidRequest) as caught:
        parse_document(body)
    assert [(p.code, p.column) for p in caught.value.problems] == [
        ("duplicate_key", 10),
        ("duplicate_key", 32),
        ("duplicate_key", 40),
    ]


HUGE = {
    "duplicates": b"{" + b'"a":1,' * 1_600_000 + b'"a":1}',
    "duplicates in many objects": b"[" + b'{"a":1,"a":2},' * 700_000 + b"1]",
    "open brackets": b"[" * 9_999_999,
    "not numbers": b"[" + b"NaN," * 2_400_000 + b"1]",
    "late syntax error": b'{"a":[' + b"1," * 4_900_000 + b"}}",
    "unterminated string full of quotes": b'{"a":"' + b'\\"' * 4_900_000,
    "half surrogates": b"[" + b'"\\ud800",' * 1_000_000 + b"1]",
}


@pytest.mark.parametrize("name", HUGE)
def test_ten_megabytes_of_nonsense_take_seconds_only(name: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidRequest) as caught:
        parse_document(HUGE[name])
    assert time.process_time() - started < 10
    assert 1 <= len(caught.value.problems) <= 100


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | names
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(names, values, max_size=5), st.sampled_from([None, 1, 4]), st.booleans())
def test_any_json_object_comes_back(
    document: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert parse_document(text.encode()) == document
    assert json.loads(canonical_json(document)) == document


@given(
    st.binary(max_size=60)
    | st.text(alphabet="{}[]\",:\\/ntfu01eE+-.\n'# aN\u00e9", max_size=40).map(str.encode)
)
@settings(max_examples=600)
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    try:
        document = parse_document(body)
    except InvalidRequest as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message.endswith(".") or problem.message.endswith("…}.")
            assert (problem.line is None) == (problem.code == "empty")
    else:
        assert isinstance(document, dict)
        assert json.loads(body.decode("utf-8-sig")) == document


@given(st.dictionaries(names, values, max_size=4), st.sampled_from([None, 2]))
def test_every_value_is_located(document: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    pointers = dict(_pointers(document, ""))
    places = locate(text, pointers)
    lines = text.split("\n")
    for pointer, value in pointers.items():
        place = places[pointer]
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        assert json.JSONDecoder().raw_decode(rest)[0] == value


def _pointers(value: Any, pointer: str) -> list[tuple[str, Any]]:
    found = [(pointer, value)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += _pointers(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += _pointers(item, f"{pointer}/{number}")
    return found
