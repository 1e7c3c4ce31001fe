"""Schemas that cannot be used are found before a pipeline is published."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_management.services.schema_check import check_schema

BAD_SCHEMAS: list[tuple[Any, str, str]] = [
    ([], "", "must be an object"),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "only https"),
    ({"type": "strin"}, "/type", "strin"),
    ({"properties": []}, "/properties", "object"),
    ({"minimum": "1"}, "/minimum", "number"),
    ({"requird": ["a"]}, "", 'did you mean "required"?'),
    ({"properties": {"a": {"format": "phone"}}}, "/properties/a", "not checked"),
    ({"properties": {"a": {"pattern": "("}}}, "/properties/a", "is not valid"),
    ({"patternProperties": {"[": {}}}, "", "is not valid"),
    (
        {"properties": {"a": {"$ref": "https://example.org/x"}}},
        "/properties/a",
        "part of this schema",
    ),
    ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "/properties/a", "part of this schema"),
    ({"items": {"$id": "https://example.org/x"}}, "/items", "$id"),
    ({"$dynamicRef": "#x"}, "", "$dynamicRef is not known"),
    ({"unevaluatedProperties": False, "patternProperties": {"a": {}}}, "", "does not go with"),
]


@pytest.mark.parametrize(
    ("schema", "pointer", "words"), BAD_SCHEMAS, ids=[str(s[0])[:40] for s in BAD_SCHEMAS]
)
def test_unusable_schemas(schema: Any, pointer: str, words: str) -> None:
    problems = check_schema(schema)
    assert any(p.pointer == pointer and words in p.message for p in problems), problems


def test_a_schema_that_uses_everything() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"word": {"type": "string", "pattern": "^[a-z]+$", "x-help": "one word"}},
        "properties": {
            "a": {"$ref": "#/$defs/word"},
            "b": {"items": {"format": "date"}},
            "c": True,
        },
        "patternProperties": {"^x_": {"oneOf": [{"const": 1}, {"$ref": "#/properties/a"}]}},
        "if": {"required": ["a"]},
        "then": {"dependentRequired": {"a": ["b"]}},
        "additionalProperties": False,
    }
    assert check_schema(schema) == []
    assert check_schema({}) == []
