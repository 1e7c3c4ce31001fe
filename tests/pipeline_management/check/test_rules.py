"""Rules about rows: what may be declared, what each kind finds, and that many rows cost little."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_management.errors import Problem
from pipeline_management.services.rules.checking import MOST_PER_RULE, check_rows
from pipeline_management.services.rules.vocabulary import MAX_RULES, check_rules

SCHEMA = {
    "properties": {
        "project": {"type": "string"},
        "rows": {"items": {"$ref": "#/$defs/row"}},
        "deep": {"properties": {"rows": {"items": {"properties": {"a": {}}}}}},
    },
    "$defs": {"row": {"properties": {name: {} for name in ("file", "read", "sample", "kind")}}},
}


def rule(kind: str, **fields: Any) -> dict[str, Any]:
    named = {name.replace("_", "-").removesuffix("-"): value for name, value in fields.items()}
    return {"rule": kind, "rows": "rows", **named}


def errors(declared: dict[str, Any], *rows: Any) -> list[Problem]:
    assert check_rules([declared], SCHEMA) == []
    found = check_rows([declared], {"rows": list(rows)})
    assert found.warnings == []
    return found.errors


def one(declared: dict[str, Any], *rows: Any) -> Problem:
    (problem,) = errors(declared, *rows)
    return problem


# --- declarations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "place", "message"),
    [
        ("x", "/0", 'A rule is "x"; expected an object.'),
        ({}, "/0/rule", "rule is null; expected one of unique, pairs,"),
        ({"rule": "uniqe"}, "/0/rule", '(did you mean "unique"?)'),
        ({"rule": ["unique"]}, "/0/rule", "rule is a list of 1"),
        (rule("unique"), "/0", "The rule unique lacks columns."),
        (rule("unique", columns=["file"], colums=1), "/0/colums", '(did you mean "columns"?)'),
        (rule("unique", columns=[]), "/0/columns", "columns of unique has 0 entries; expected 1 to 50."),
        (rule("unique", columns=[7]), "/0/columns", "must name columns"),
        (rule("unique", columns=["fiel"]), "/0", 'rows has no "fiel" in the schema (did you mean "file"?)'),
        (rule("required-together", columns=["file"]), "/0/columns", "expected 2 to 50"),
        (rule("pairs", columns=["read", "file"], values=[1, 2], group="sample"), "/0/columns", "expected 1."),
        (rule("pairs", columns="read", values="R1", group="sample"), "/0/values", "expected 2 to 50"),
        (rule("pairs", columns="read", values=[{}, 1], group="sample"), "/0/values", "strings, numbers"),
        (rule("not-empty", columns="file", severity="fatal"), "/0/severity", "expected error or warning"),
        (rule("not-empty", columns="file", message="a\nb"), "/0/message", "one line"),
        (rule("not-empty", columns="file", ignore_case="yes"), "/0/ignore-case", "true or false"),
        (rule("not-empty", columns="file", when={}), "/0/when", "when must say"),
        (rule("not-empty", columns="file", when={"kind": []}), "/0/when", "when must say"),
        (rule("matches", when={"kind": "T"}), "/0", "lacks with"),
        ({"rule": "unique", "columns": "file", "rows": "a..b"}, "/0/rows", 'like "dataFiles"'),
    ],
)  # fmt: skip
def test_an_unusable_declaration(declared: Any, place: str, message: str) -> None:
    problem = check_rules([declared], SCHEMA)[0]
    assert problem.pointer == place
    assert message in problem.message


def test_the_list_itself() -> None:
    assert "expected a list" in check_rules({}, SCHEMA)[0].message
    too_many = [rule("unique", columns="file")] * (MAX_RULES + 1)
    assert "expected at most 50" in check_rules(too_many, SCHEMA)[0].message
    assert (
        check_rules([rule("unique", columns="anything")], {}) == []
    )  # a schema that names nothing
    deep = rule("unique", rows="deep.rows", columns="b")
    assert 'deep.rows has no "b"' in check_rules([deep], SCHEMA)[0].message


# --- kinds ------------------------------------------------------------------------------------


def test_unique() -> None:
    declared = rule("unique", columns=["file"])
    problem = one(declared, {"file": "a"}, {"file": "b"}, {"file": "a"}, {}, {}, {"file": "a"})
    assert (problem.code, problem.pointer, problem.row) == ("rule_unique", "/rows/5/file", 6)
    assert problem.message == 'rows rows 1, 3 and 6 have the same file "a"; expected each once.'
    assert errors(declared, {"file": 1}, {"file": True}, {"file": "1"}, {"file": None}) == []
    assert len(errors(declared, {"file": 1}, {"file": 1.0})) == 1
    assert (
        errors(rule("unique", columns=["file", "read"]), {"file": 1, "read": 1}, {"file": 1}) == []
    )
    assert errors(declared, {"file": "a"}, {"file": "A"}) == []
    assert len(errors({**declared, "ignore-case": True}, {"file": "a"}, {"file": "A"})) == 1


def test_many_equal_rows_are_told_of_shortly() -> None:
    problem = one(rule("unique", columns="file"), *({"file": "a"} for _ in range(5000)))
    assert "rows 1, 2, 3, 4, 5, 6, 7, 8 and 4992 more have the same" in problem.message


def test_pairs() -> None:
    declared = rule("pairs", columns="read", values=["R1", "R2"], group=["sample"])
    both = [{"sample": "x", "read": "R1"}, {"sample": "x", "read": "R2"}]
    assert errors(declared, *both, {"sample": "z", "read": "I1"}, {"read": "R1"}) == []
    problem = one(declared, *both, {"sample": "y", "read": "R2"})
    assert problem.pointer == "/rows/2/read" and problem.row == 3
    assert problem.message == (
        'rows row 3 with sample "y": there is "R2", but no row has read "R1".'
    )


def test_required_together() -> None:
    declared = rule("required-together", columns=["sample", "kind"])
    assert errors(declared, {"sample": "x", "kind": 0}, {}, {"sample": "", "kind": None}) == []
    problem = one(declared, {"sample": "x", "kind": " "})
    assert problem.message == "rows row 1 has sample but no kind; expected all of them or none."


def test_not_empty_in_rows_and_of_the_configuration() -> None:
    found = errors(
        rule("not-empty", columns=["file", "read"]), {"file": "", "read": 0}, {"file": "x"}
    )
    assert [(p.pointer, p.message) for p in found] == [
        ("/rows/0/file", "rows row 1 has an empty file."),
        ("/rows/1", "rows row 2 lacks read."),
    ]
    whole = {"rule": "not-empty", "columns": "project"}
    (problem,) = check_rows([whole], {"project": "  "}).errors
    assert (problem.pointer, problem.row) == ("/project", None)
    assert problem.message == "The configuration has an empty project."


def test_same_within() -> None:
    declared = rule("same-within", group="sample", columns="kind")
    problem = one(declared, {"sample": 1, "kind": "a"}, {"sample": 1}, {"sample": 1, "kind": "b"})
    assert problem.pointer == "/rows/2/kind"
    assert (
        problem.message == 'rows rows 1 and 3 have the same sample 1 but different kind ("a", "b").'
    )
    assert errors(declared, {"sample": 1, "kind": "a"}, {"sample": 2, "kind": "b"}) == []


def test_matches() -> None:
    declared = rule(
        "matches", when={"kind": ["Tumor", "tumor"]}, with_={"kind": "Normal"}, group="sample"
    )
    tumor, normal = {"sample": 1, "kind": "Tumor"}, {"sample": 1, "kind": "Normal"}
    assert errors(declared, tumor, normal, {"kind": "Tumor"}) == []
    problem = one(declared, tumor, normal | {"sample": 2})
    assert problem.message == (
        'rows row 1 has kind "Tumor" or "tumor", but no row with sample 1 has kind "Normal".'
    )


def test_only_rows_that_are_meant() -> None:
    declared = rule("not-empty", columns="file", when={"kind": "RNA"})
    assert errors(declared, {"kind": "DNA"}, {}) == []
    assert one(declared, {"kind": "DNA"}, {"kind": "RNA"}).row == 2


def test_the_authors_own_words() -> None:
    def told(message: str, **fields: Any) -> str:
        declared = {"rule": "not-empty", "columns": "file", "message": message, **fields}
        return check_rows([declared], {"rows": [{}]}).errors[0].message

    assert told("name a file") == "Name a file."
    assert told("{rows} needs a file!", rows="rows") == "rows row 1 needs a file!"
    assert told("needs a file", rows="rows") == "rows row 1: needs a file."


def test_a_warning_hinders_nothing() -> None:
    found = check_rows(
        [rule("unique", columns="file", severity="warning")], {"rows": [{"file": 1}] * 2}
    )
    assert found.errors == [] and len(found.warnings) == 1


@pytest.mark.parametrize(
    "rows", [None, "x", 7, {}, [], [None, 1, "x", [], {"file": {}}, {"file": [1]}], {"rows": []}]
)
def test_other_types_are_left_to_the_schema(rows: Any) -> None:
    declared = [
        rule("unique", columns="file"),
        rule("pairs", columns="read", values=["R1", "R2"], group="sample"),
        rule("same-within", columns="kind", group="file"),
        rule("matches", when={"file": "x"}, with_={"file": "y"}),
        rule("required-together", columns=["file", "read"]),
    ]
    assert check_rows(declared, {"rows": rows}).warnings == []
    assert check_rows(declared, {}).errors == []


def test_a_hundred_thousand_rows_are_looked_at_once_each() -> None:
    class Counted(dict[str, Any]):
        looks = 0

        def __getitem__(self, key: str) -> Any:
            Counted.looks += 1
            return super().__getitem__(key)

        def get(self, key: str, default: Any = None) -> Any:
            Counted.looks += 1
            return super().get(key, default)

    rows = [Counted(file=f"f{n % 60_000}", read="R1", sample=n, kind=n % 7) for n in range(100_000)]
    declared = [
        rule("unique", columns="file"),
        rule("pairs", columns="read", values=["R1", "R2"], group="sample"),
        rule("same-within", columns="kind", group="file"),
        rule("matches", when={"read": "R1"}, with_={"read": "R2"}, group="sample"),
        rule("not-empty", columns=["file", "read"]),
    ]
    found = check_rows(declared, {"rows": rows})
    assert len(found.errors) == 4 * MOST_PER_RULE  # nothing is empty
    assert Counted.looks < 30 * len(rows)
