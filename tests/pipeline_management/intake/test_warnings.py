"""What does not hinder a run but is worth a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.services import value_patterns
from pipeline_management.services.intake import prepare
from pipeline_management.services.notifications import addresses
from pipeline_management.services.validation import validate, warnings_of
from tests.pipeline_management.intake.small_site import Site

PHOENIX = Path(__file__).resolve().parents[3] / "deploy" / "pipelines" / "phoenix"


def test_a_likely_slip_is_a_warning() -> None:
    schema = {"properties": {"rows": {"items": {"properties": {"length": {}}}}, "sex": {}}}
    warnings = warnings_of({"rows": [{"lenght": 1}], "pipeline": "x", "anything": 1}, schema)
    assert [(w.code, w.pointer, w.row) for w in warnings] == [("unknown_key", "/rows/0/lenght", 1)]
    assert 'did you mean "length"?' in warnings[0].message


def test_slips_are_seen_through_references_and_combined_forms() -> None:
    schema = {
        "properties": {"tasks": {"oneOf": [{"$ref": "#/$defs/tasks"}, {"const": ""}]}},
        "$defs": {
            "tasks": {
                "allOf": [{"properties": {"align": {}}}],
                "anyOf": [{"$ref": "#/$defs/tasks"}] * 6,  # refers to itself, in many ways
                "properties": {"report": {}},
            }
        },
    }
    warnings = warnings_of({"tasks": {"aling": True, "reprot": True, "other": 1}}, schema)
    assert [w.pointer for w in warnings] == ["/tasks/aling", "/tasks/reprot"]
    assert 'did you mean "align"?' in warnings[0].message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@example.org, b@example.org", []),
        (["a@example.org"], []),
        (7, []),
        (None, []),
        ("a@example.org, nobody", [("not_an_address", "/email", None)]),
        (["a@example.org", "x@y\r\nBcc: z@example.org"], [("not_an_address", "/email/1", 2)]),
        ([f"u{n}@example.org" for n in range(21)], [("too_many_addresses", "/email", None)]),
    ],
)
def test_who_cannot_be_told_is_a_warning(
    value: Any, expected: list[tuple[str, str, int | None]]
) -> None:
    warnings = addresses.warnings_of({"email": value})
    assert [(w.code, w.pointer, w.row) for w in warnings] == expected
    assert all("\n" not in warning.message for warning in warnings)
    assert addresses.warnings_of({}) == []


@pytest.mark.django_db
def test_a_submission_warns_of_it(site: Site) -> None:
    site.versions["1.1"].schema, site.versions["1.1"].content_sha256 = {"type": "object"}, "open"
    site.versions["1.1"].save()
    text = '{"pipeline": "hello", "name": "x",\n "email": "nobody"}'
    found = prepare(user=site.alice, document=json.loads(text), text=text)
    (warning,) = [w for w in found.warnings if w.code == "not_an_address"]
    assert warning.line == 2 and '"nobody" is not a mail address' in warning.message


def test_deprecated_values_are_warnings() -> None:
    schema = json.loads((PHOENIX / "schema.json").read_text())
    document = json.loads((PHOENIX / "example.json").read_text())
    assert warnings_of(document, schema) == []
    document["tasks"] = ""
    assert validate(document, schema) == []
    (warning,) = warnings_of(document, schema)
    assert (warning.code, warning.pointer) == ("deprecated", "/tasks")
    assert warning.message.startswith('tasks is "": no task is switched')
    old = {"properties": {"a": {"deprecated": True, "description": "use b."}, "b": {}}}
    assert [w.message for w in warnings_of({"a": 1, "b": 2}, old)] == ["a is 1: use b."]


def test_a_deprecated_form_may_refer_to_the_rest_of_the_schema() -> None:
    schema = {
        "$defs": {"old": {"type": "integer"}},
        "properties": {
            "a": {"oneOf": [{"type": "string"}, {"deprecated": True, "$ref": "#/$defs/old"}]}
        },
    }
    assert warnings_of({"a": "x"}, schema) == []
    assert [w.code for w in warnings_of({"a": 1}, schema)] == ["deprecated"]


def test_patterns_of_warnings_have_a_time_limit_of_their_own() -> None:
    slow = {"deprecated": True, "pattern": "(.*)(.*)(.*)(.*)(.*)[0-9]$"}
    schema = {"properties": {"a": {"oneOf": [{}, slow]}, "b": {"oneOf": [{}, slow]}}}
    assert warnings_of({"a": "a" * 60_000 + "!"}, schema) == []
    assert [w.pointer for w in warnings_of({"b": "1"}, schema)] == ["/b"]
    assert value_patterns._spent.seconds == 0.0
