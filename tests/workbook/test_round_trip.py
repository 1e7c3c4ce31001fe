"""A configuration goes into a workbook and comes out the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline_management.services.workbook import taking
from pipeline_management.services.workbook.child import cells
from pipeline_management.services.workbook.layout import layout_of
from pipeline_management.services.workbook.process import Book, Sheet
from pipeline_management.services.workbook.reading import Reader
from pipeline_management.services.workbook.template import template, workbook_of
from tests.workbook.sheets import (
    HELLO_SCHEMA,
    PHOENIX_EXAMPLE,
    PHOENIX_SCHEMA,
    book_of,
    version_of,
)


def read_here(data: bytes, schema: dict[str, Any]) -> Reader:
    """As ``taking.read`` does, in this process: for properties that are tried many times."""
    answer = cells.read(data)
    sheets = [Sheet(s["name"], s["state"] != "visible", s["rows"]) for s in answer["sheets"]]
    return Reader(layout_of(schema), Book(sheets, answer["cells"]))


def test_the_phoenix_example_comes_back_as_it_was() -> None:
    version = version_of(PHOENIX_SCHEMA, "phoenix", PHOENIX_EXAMPLE)
    document, _places, faults = taking.read(template(version, example=True), version)
    assert faults == []
    assert document == {"pipeline": "phoenix@1.0", **PHOENIX_EXAMPLE}


def test_the_empty_template_of_hello_says_nothing_but_the_pipeline() -> None:
    version = version_of(HELLO_SCHEMA, "hello")
    data = template(version)
    book = book_of(data)
    assert book.sheetnames[:2] == ["Settings", "README"]
    assert book["centro"].sheet_state == "hidden"
    assert read_here(data, HELLO_SCHEMA).document == {"pipeline": "hello@1.0"}


def test_filled_by_hand_it_is_the_configuration() -> None:
    book = book_of(template(version_of(HELLO_SCHEMA, "hello")))
    sheet = book["Settings"]
    keys = [cell.value for cell in sheet["A"]]
    sheet[f"B{keys.index('name *') + 1}"] = "NA12878"
    from tests.workbook.sheets import bytes_of

    assert read_here(bytes_of(book), HELLO_SCHEMA).document == {
        "pipeline": "hello@1.0",
        "name": "NA12878",
    }


def test_the_template_of_phoenix_offers_choices_types_and_help() -> None:
    book = book_of(template(version_of(PHOENIX_SCHEMA, "phoenix", PHOENIX_EXAMPLE)))
    files = book["dataFiles"]
    assert files.freeze_panes == "A2"
    assert files["A1"].value == "fastqPath *"
    assert "Needed in every row" in files["A1"].comment.text
    rules = {str(rule.sqref): rule for rule in files.data_validations.dataValidation}
    assert rules["B2:B10000"].formula1 == '"R1,R2"'
    assert {rule.type for rule in rules.values()} == {"list", "whole"}
    switches = book["tasks"]
    assert [cell.value for cell in switches[1]] == ["Name", "Value"]
    assert switches.max_row == len(PHOENIX_EXAMPLE["tasks"]) + 1
    assert switches["B2"].value is None
    assert switches.data_validations.dataValidation[0].formula1 == '"TRUE,FALSE"'


def test_what_begins_like_a_formula_is_text() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "l": {"type": "array"}}}
    values = ["=1+1", "+1", "-1", "@x", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")']
    for value in values:
        data = workbook_of(version_of(schema), {"a": value})
        sheet = book_of(data)["Settings"]
        cell = next(row[1] for row in sheet.iter_rows() if row[0].value == "a")
        assert (cell.value, cell.data_type) == (value, "s")
        assert read_here(data, schema).document["a"] == value


TEXT = (
    st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
    .map(str.strip)
    .filter(lambda text: text not in ('""', "null"))
)
NAMES = (
    st.text(
        st.characters(categories=("L", "N"), include_characters="._-\\ *"), min_size=1, max_size=12
    )
    .map(str.strip)
    .filter(lambda text: bool(text) and not text.endswith("*"))
)
NUMBERS = st.integers(-(10**14), 10**14) | st.integers(10**16, 10**30)
REALS = st.floats(allow_nan=False, allow_infinity=False, width=32)

SCALARS = {"string": TEXT, "integer": NUMBERS, "number": REALS, "boolean": st.booleans()}


@st.composite
def objects(draw: Any, depth: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """A schema of an object and a document that fits it."""
    properties: dict[str, Any] = {}
    document: dict[str, Any] = {}
    names = draw(st.lists(NAMES, max_size=4, unique_by=lambda name: "".join(name.lower().split())))
    for name in names:
        if name in ("pipeline", "lab", "system", "holdConfig"):
            continue
        schema, value = draw(parts(depth))
        properties[name] = schema
        if draw(st.booleans()):
            document[name] = value
    return {"type": "object", "properties": properties}, document


@st.composite
def parts(draw: Any, depth: int) -> tuple[dict[str, Any], Any]:
    kinds = (
        [*SCALARS, "choice", "list", "names", "rows", "object"]
        if depth < 2
        else [*SCALARS, "choice"]
    )
    kind = draw(st.sampled_from(kinds))
    if kind in SCALARS:
        return {"type": kind}, draw(SCALARS[kind])
    if kind == "choice":
        choices = draw(st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique_by=str.lower))
        return {"enum": choices}, draw(st.sampled_from(choices))
    if kind == "object":
        schema, value = draw(objects(depth + 1))
        return schema, value
    item = draw(st.sampled_from(sorted(SCALARS)))
    if kind == "list":
        return {"type": "array", "items": {"type": item}}, draw(st.lists(SCALARS[item], max_size=4))
    if kind == "names":
        schema = {"type": "object", "additionalProperties": {"type": item}}
        return schema, draw(st.dictionaries(NAMES, SCALARS[item], max_size=4))
    schema, _ = draw(objects(depth + 1))
    rows = draw(st.lists(rows_of(schema), max_size=3))
    return {"type": "array", "items": schema}, rows


def rows_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the schema's scalars."""
    values: dict[str, st.SearchStrategy[Any]] = {}
    for name, part in schema["properties"].items():
        if part.get("type") in SCALARS:
            values[name] = SCALARS[part["type"]]
        elif "enum" in part:
            values[name] = st.sampled_from(part["enum"])
    return st.fixed_dictionaries({}, optional=values)


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(objects())
def test_any_document_of_any_schema_comes_back(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema, document = pair
    reader = read_here(workbook_of(version_of(schema), document), schema)
    assert [fault.message for fault in reader.faults] == []
    assert reader.document == {"pipeline": "tried@1.0", **document}


def test_an_empty_object_whose_keys_are_known_comes_back() -> None:
    inner = {"type": "object", "properties": {"size": {"type": "string"}}}
    schema = {"type": "object", "properties": {"index": inner}}
    reader = read_here(workbook_of(version_of(schema), {"index": {}}), schema)
    assert [fault.message for fault in reader.faults] == []
    assert reader.document == {"pipeline": "tried@1.0", "index": {}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, ""),
        ({"type": ["string", "boolean"]}, "false"),
        ({"type": ["string", "boolean"]}, False),
        ({"type": ["integer", "null"]}, None),
        ({"type": "integer"}, 2**63),
        ({"type": "string"}, "01234"),
        ({"type": "string"}, "1e5"),
        ({"type": "string"}, "line\r\nnext\ttab_x000D_"),
        ({"type": "array", "items": {"type": "array"}}, [[1], [2, "x"]]),
        ({}, {"any": [1, None, {"thing": True}]}),
        (
            {
                "oneOf": [
                    {"type": "object", "additionalProperties": {"type": "boolean"}},
                    {"const": ""},
                ]
            },
            "",
        ),
        ({"enum": ["a", 1, True, None]}, 1),
        ({"enum": ["a", 1, True, None]}, True),
        ({"enum": ["a", 1, True, None]}, None),
        ({"$ref": "#/$defs/one"}, "x"),
        (
            {"allOf": [{"type": "object", "properties": {"deep": {"type": "number"}}}]},
            {"deep": 0.1},
        ),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {}),
    ],
)
def test_odd_values_come_back(schema: dict[str, Any], value: Any) -> None:
    whole = {"type": "object", "properties": {"k": schema}, "$defs": {"one": {"type": "string"}}}
    reader = read_here(workbook_of(version_of(whole), {"k": value}), whole)
    assert [fault.message for fault in reader.faults] == []
    assert reader.document["k"] == value and type(reader.document["k"]) is type(value)
