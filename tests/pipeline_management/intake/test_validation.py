"""Configurations against schemas: every problem, its pointer, row and place, in plain sentences."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.services.schema_check import check_schema
from pipeline_management.services.validation import MAX_PROBLEMS, validate

PHOENIX = Path(__file__).resolve().parents[3] / "deploy" / "pipelines" / "phoenix"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PHOENIX / "schema.json").read_text())
    return loaded


@pytest.fixture
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PHOENIX / "example.json").read_text())
    return loaded


def test_the_example_passes(schema: dict[str, Any], document: dict[str, Any]) -> None:
    assert check_schema(schema) == []
    assert validate(document, schema) == []


Damage = tuple[str, list[str | int], Any, str, str, int | None, str]
MISSING = object()
DAMAGED: list[Damage] = [
    (
        "no fastqPath",
        ["dataFiles", 2, "fastqPath"],
        MISSING,
        "required",
        "/dataFiles/2",
        3,
        "dataFiles row 3 lacks fastqPath",
    ),
    (
        "no glType",
        ["dataFiles", 0, "glType"],
        MISSING,
        "required",
        "/dataFiles/0",
        1,
        'dataFiles row 1 lacks glType, which is required (one of "Genome"',
    ),
    ("no project", ["project"], MISSING, "required", "", None, "The configuration lacks project"),
    (
        "no data files",
        ["dataFiles"],
        [],
        "minItems",
        "/dataFiles",
        None,
        "dataFiles has 0 entries; expected at least 1 entry",
    ),
    (
        "data files as object",
        ["dataFiles"],
        {},
        "type",
        "/dataFiles",
        None,
        "dataFiles is an object; expected a list",
    ),
    (
        "number as string",
        ["dataFiles", 1, "numberOfReads"],
        "12",
        "type",
        "/dataFiles/1/numberOfReads",
        2,
        'row 2, numberOfReads is the string "12"; expected an integer',
    ),
    (
        "number too small",
        ["dataFiles", 1, "numberOfReads"],
        0,
        "minimum",
        "/dataFiles/1/numberOfReads",
        2,
        "is 0; expected a number of at least 1",
    ),
    (
        "fraction for integer",
        ["dataFiles", 1, "numberOfReads"],
        1.5,
        "type",
        "/dataFiles/1/numberOfReads",
        2,
        "the number 1.5; expected an integer",
    ),
    (
        "true for integer",
        ["dataFiles", 1, "numberOfReads"],
        True,
        "type",
        "/dataFiles/1/numberOfReads",
        2,
        "is true; expected an integer",
    ),
    (
        "misspelt kind",
        ["dataFiles", 3, "glType"],
        "Genom",
        "enum",
        "/dataFiles/3/glType",
        4,
        '(did you mean "Genome"?)',
    ),
    (
        "third read",
        ["dataFiles", 3, "fastqCode"],
        "R3",
        "enum",
        "/dataFiles/3/fastqCode",
        4,
        'is "R3"; expected one of "R1", "R2"',
    ),
    ("injection", ["project"], "a; rm -rf /", "pattern", "/project", None, 'is "a; rm -rf /"'),
    ("line break at the end", ["study"], "GIAB\n", "pattern", "/study", None, 'is "GIAB\\n"'),
    (
        "not a path",
        ["dataFiles", 5, "fastqPath"],
        "x.fastq.gz",
        "pattern",
        "/dataFiles/5/fastqPath",
        6,
        "(absolute path of a FASTQ file)",
    ),
    (
        "task as text",
        ["tasks", "Exome_x"],
        "yes",
        "oneOf",
        "/tasks",
        None,
        "expected true or false",
    ),
    (
        "tasks as number",
        ["tasks"],
        3,
        "oneOf",
        "/tasks",
        None,
        'tasks is the number 3; expected an object or ""',
    ),
    ("null", ["email"], None, "type", "/email", None, "email is null; expected a string"),
]


@pytest.mark.parametrize("damage", DAMAGED, ids=[damage[0] for damage in DAMAGED])
def test_one_fault(damage: Damage, schema: dict[str, Any], document: dict[str, Any]) -> None:
    _, path, value, code, pointer, row, words = damage
    _set(document, path, value)
    text = json.dumps(document, indent=1)
    problems = validate(document, schema, text=text)
    assert [(p.code, p.pointer, p.row) for p in problems] == [(code, pointer, row)]
    assert words in problems[0].message
    place = problems[0]
    assert place.line and place.column
    if value is not MISSING:
        line = text.split("\n")[place.line - 1]
        assert line[place.column - 1 :].startswith((json.dumps(value), "{", "["))


def _set(document: dict[str, Any], path: list[str | int], value: Any) -> None:
    target: Any = document
    for part in path[:-1]:
        target = target[part]
    if value is MISSING:
        del target[path[-1]]
    else:
        target[path[-1]] = value


def test_the_same_row_twice(schema: dict[str, Any], document: dict[str, Any]) -> None:
    document["dataFiles"].append(copy.deepcopy(document["dataFiles"][0]))
    (problem,) = validate(document, schema)
    assert (problem.code, problem.row) == ("uniqueItems", 9)
    assert "dataFiles row 9 is the same as row 1" in problem.message


def test_all_faults_at_once_in_the_order_of_the_text(
    schema: dict[str, Any], document: dict[str, Any]
) -> None:
    for _, path, value, *_ in (DAMAGED[10], DAMAGED[0], DAMAGED[2], DAMAGED[11]):
        if path != ["project"] or value is not MISSING:
            _set(document, path, value)
    del document["study"]
    problems = validate(document, schema, text=json.dumps(document, indent=1))
    assert [p.code for p in problems] == ["required", "required", "enum", "pattern"]
    places = [(p.line or 0, p.column or 0) for p in problems]
    assert places == sorted(places)


CASES: list[tuple[dict[str, Any], dict[str, Any], list[tuple[str, str, str]]]] = [
    (
        {"a": 1, "nmae": 2},
        {"properties": {"a": {}, "name": {}}, "additionalProperties": False},
        [("additionalProperties", "/nmae", 'nmae is not a known key (did you mean "name"?)')],
    ),
    (
        {"zz": 2},
        {"properties": {"name": {}}, "additionalProperties": False},
        [("additionalProperties", "/zz", "known are name")],
    ),
    (
        {"a": ""},
        {"properties": {"a": {"minLength": 1}}},
        [("minLength", "/a", "has 0 characters; expected at least 1 character")],
    ),
    (
        {"a": 7},
        {"properties": {"a": {"exclusiveMaximum": 7}}},
        [("exclusiveMaximum", "/a", "below 7")],
    ),
    ({"a": 7}, {"properties": {"a": {"multipleOf": 2}}}, [("multipleOf", "/a", "multiple of 2")]),
    (
        {"a": 10**299 + 1},
        {"properties": {"a": {"multipleOf": 2}}},
        [("multipleOf", "/a", "multiple of 2")],
    ),
    (
        {"a": 10**300},
        {"properties": {"a": {"multipleOf": 0.7, "maximum": 1.5}}},
        [("maximum", "/a", "at most 1.5")],
    ),
    ({"a": "x"}, {"properties": {"a": {"const": "y"}}}, [("const", "/a", 'expected "y"')]),
    (
        {"a": "x"},
        {"properties": {"a": {"format": "email"}}},
        [("format", "/a", "an e-mail address")],
    ),
    (
        {"a": "31.1.2026"},
        {"properties": {"a": {"format": "date"}}},
        [("format", "/a", "2026-01-31")],
    ),
    (
        {"a": 5},
        {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        [("anyOf", "/a", "expected a string or null")],
    ),
    (
        {"a": {"k": 1}},
        {
            "properties": {
                "a": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["q"]}]}
            }
        },
        [("oneOf", "/a", "what is nearest: it lacks q")],
    ),
    (
        {"a": 5},
        {"properties": {"a": {"oneOf": [{"minimum": 1}, {"minimum": 2}]}}},
        [("oneOf", "/a", "fits more than one")],
    ),
    (
        {"a": 1},
        {"dependentRequired": {"a": ["b"]}},
        [("dependentRequired", "", "lacks b, which must be given with a")],
    ),
    (
        {"a": 1},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
        [("required", "", "lacks b, which is required")],
    ),
    (
        {"A b": 1},
        {"propertyNames": {"pattern": "^[a-z]+$"}},
        [("pattern", "", 'has the key "A b"')],
    ),
    (
        {"a": [1, 2]},
        {"properties": {"a": {"contains": {"type": "string"}}}},
        [("contains", "/a", "wrong number")],
    ),
    (
        {"a": {"b": {"c": 1}}},
        {"properties": {"a": {"properties": {"b": {"properties": {"c": {"type": "string"}}}}}}},
        [("type", "/a/b/c", "a.b.c is the number 1")],
    ),
    (
        {"a/b~c": 1},
        {"properties": {"a/b~c": {"type": "string"}}},
        [("type", "/a~1b~0c", "a/b~c is the number 1")],
    ),
    ({"a": 1}, {"properties": {"a": False}}, [("not_allowed", "/a", "a is not allowed here")]),
    ({"a": 1}, {"not": {"required": ["a"]}}, [("not", "", "forbids")]),
    ({"a": 1}, {"maxProperties": 0}, [("maxProperties", "", "has 1 key; expected at most 0 keys")]),
    ({"a": 1}, {"$ref": "#"}, [("schema_recursion", "", "without end")]),
    (
        {"a": [1, True, 1.0]},
        {"properties": {"a": {"uniqueItems": True}}},
        [("uniqueItems", "/a/2", "same as row 1")],
    ),
]


@pytest.mark.parametrize(
    ("document", "schema", "expected"), CASES, ids=[str(c[1])[:50] for c in CASES]
)
def test_each_keyword(
    document: dict[str, Any], schema: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    problems = validate(document, schema, text=json.dumps(document))
    assert [(p.code, p.pointer) for p in problems] == [(code, where) for code, where, _ in expected]
    for problem, (_, _, words) in zip(problems, expected, strict=True):
        assert words in problem.message


def test_centros_own_keys_pass_a_closed_schema() -> None:
    closed = {"type": "object", "properties": {"name": {}}, "additionalProperties": False}
    assert validate({"name": 1, "pipeline": "x", "lab": "y", "system": "z"}, closed) == []
    named = closed | {"properties": {"lab": {"const": "a"}}}
    assert [p.pointer for p in validate({"pipeline": "x", "lab": "y"}, named)] == ["/lab"]
    through = {
        "allOf": [{"$ref": "#/$defs/l"}],
        "$defs": {"l": {"properties": {"lab": {"const": "a"}}}},
    }
    assert [p.pointer for p in validate({"lab": "y"}, through)] == ["/lab"]


def test_the_list_is_cut_and_says_so() -> None:
    schema = {"properties": {"rows": {"items": {"type": "integer"}}}}
    problems = validate({"rows": ["x"] * 150}, schema)
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].code == "more"
    assert "50 further" in problems[-1].message


@pytest.mark.parametrize(
    ("document", "schema"),
    [
        ({"r": [{}] * 1_000_000}, {"properties": {"r": {"items": {"required": ["a", "b"]}}}}),
        (
            {"r": [1] * 1_000_000},
            {"oneOf": [{"properties": {"r": {"items": {"type": "string"}}}}, {"type": "array"}]},
        ),
        ({"r": [{"a": n} for n in range(100_000)]}, {"properties": {"r": {"uniqueItems": True}}}),
        ({"r": "x" * 5_000_000}, {"properties": {"r": {"type": "integer"}}}),
    ],
)
def test_large_wrong_documents_cost_little(
    document: dict[str, Any], schema: dict[str, Any]
) -> None:
    started = time.process_time()
    problems = validate(document, schema)
    assert time.process_time() - started < 5
    assert all(len(problem.message) < 1000 for problem in problems)


@pytest.mark.parametrize("pattern", ["^(a|aa)+$", "^(a|a?)+$", "(x+x+)+y", r"^(\w+\s?)*$"])
def test_a_catastrophic_pattern_is_stopped(pattern: str) -> None:
    value = ("x" if "x+x" in pattern else "a") * 5000 + "!"
    started = time.monotonic()
    problems = validate(
        {"a": value, "b": [value] * 50},
        {"properties": {"a": {"pattern": pattern}, "b": {"items": {"pattern": pattern}}}},
    )
    assert time.monotonic() - started < 8
    assert {p.code for p in problems} <= {"pattern", "pattern_too_slow"}
    assert problems


def test_the_time_limit_of_patterns_is_real() -> None:
    problems = validate(
        {"a": "a" * 60_000 + "!"}, {"properties": {"a": {"pattern": "(.*)(.*)(.*)(.*)(.*)[0-9]$"}}}
    )
    assert [p.code for p in problems] == ["pattern_too_slow"]
