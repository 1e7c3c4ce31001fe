"""The closed vocabulary of rules: what may be declared, read into values, faults told with their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_management.errors import Problem
from pipeline_management.services.schema_sentences import did_you_mean, pointer, shown

MAX_RULES = 50
MAX_MESSAGE = 300
_MOST_WORDS = 50

Condition = Mapping[str, tuple[Any, ...]]
"""Columns and the values of which each must have one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One declaration. ``rows`` is the way to a list of objects, () for the configuration itself as one row."""

    kind: str
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    when: Condition = field(default_factory=dict)
    partner: Condition = field(default_factory=dict)
    is_warning: bool = False
    ignores_case: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    needs: tuple[str, ...]
    may: tuple[str, ...] = ()


_ALWAYS = ("rule", "severity", "message", "ignore-case", "when")
KINDS: dict[str, _Kind] = {
    "unique": _Kind(("rows", "columns")),
    "pairs": _Kind(("rows", "columns", "values", "group")),
    "required-together": _Kind(("columns",), ("rows",)),
    "not-empty": _Kind(("columns",), ("rows",)),
    "same-within": _Kind(("rows", "columns", "group")),
    "matches": _Kind(("rows", "when", "with"), ("group",)),
}
"""What each kind of rule must and may say, besides what all may."""

_FEWEST = {("required-together", "columns"): 2, ("pairs", "values"): 2}
_MOST = {("pairs", "columns"): 1}


def check_rules(rules: Any, schema: Mapping[str, Any]) -> list[Problem]:
    """Everything that makes a declaration unusable, its place as a pointer into the list. Empty when it is fine.

    Columns must be among those that the schema declares for the rows, where it declares any.
    """
    if not isinstance(rules, list):
        return [Problem("rules", f"rules is {shown(rules)}; expected a list of rules.")]
    if len(rules) > MAX_RULES:
        return [Problem("rules", f"There are {len(rules)} rules; expected at most {MAX_RULES}.")]
    return [
        Problem("rules", message, pointer([number, *place]))
        for number, rule in enumerate(rules)
        for place, message in _faults(rule, schema)
    ]


def read_rules(rules: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Declarations that ``check_rules`` has let pass, as values."""
    return [_read(rule) for rule in rules]


def _read(rule: Mapping[str, Any]) -> Rule:
    path = str(rule.get("rows", ""))
    return Rule(
        kind=rule["rule"],
        rows=tuple(path.split(".")) if path else (),
        columns=tuple(_listed(rule.get("columns", []))),
        group=tuple(_listed(rule.get("group", []))),
        values=tuple(rule.get("values", ())),
        when=_condition(rule.get("when", {})),
        partner=_condition(rule.get("with", {})),
        is_warning=rule.get("severity") == "warning",
        ignores_case=rule.get("ignore-case") is True,
        message=str(rule.get("message", "")),
    )


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _condition(given: Mapping[str, Any]) -> Condition:
    return {column: tuple(_listed(values)) for column, values in given.items()}


Fault = tuple[list[str | int], str]


def _faults(rule: Any, schema: Mapping[str, Any]) -> list[Fault]:
    if not isinstance(rule, dict):
        return [([], f"A rule is {shown(rule)}; expected an object.")]
    name = rule.get("rule")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(KINDS)
        guess = did_you_mean(name, KINDS)
        return [(["rule"], f"rule is {shown(name)}; expected one of {known}{guess}.")]
    known_keys = (*_ALWAYS, *kind.needs, *kind.may)
    faults: list[Fault] = [
        ([str(key)], f"{shown(key)} is nothing that {name} knows{did_you_mean(key, known_keys)}.")
        for key in rule
        if key not in known_keys
    ]
    faults += [
        ([], f"The rule {name} lacks {key}.")
        for key in dict.fromkeys(kind.needs)
        if key not in rule
    ]
    for key, value in rule.items():
        if key in known_keys:
            wrong = _wrong(str(name), key, value)
            faults += [([key], wrong)] if wrong else []
    return faults or _unknown_columns(_read(rule), schema)


def _wrong(kind: str, key: str, value: Any) -> str:
    """What is wrong with one value of a rule, or nothing."""
    if key == "rows" and not (isinstance(value, str) and all(value.split("."))):
        return f'rows is {shown(value)}; expected the way to a list, like "dataFiles".'
    if key in ("columns", "group", "values"):
        return _wrong_list(kind, key, value)
    if key in ("when", "with"):
        return _wrong_condition(key, value)
    if key == "severity" and value not in ("error", "warning"):
        return f"severity is {shown(value)}; expected error or warning."
    if key == "ignore-case" and not isinstance(value, bool):
        return f"ignore-case is {shown(value)}; expected true or false."
    if key == "message" and not (
        isinstance(value, str) and 0 < len(value) <= MAX_MESSAGE and value.isprintable()
    ):
        return f"message must be one line of at most {MAX_MESSAGE} characters."
    return ""


def _wrong_list(kind: str, key: str, value: Any) -> str:
    words = _listed(value)
    fewest, most = _FEWEST.get((kind, key), 1), _MOST.get((kind, key), _MOST_WORDS)
    if not fewest <= len(words) <= most:
        number = str(fewest) if fewest == most else f"{fewest} to {most}"
        return f"{key} of {kind} has {len(words)} entries; expected {number}."
    if key == "values":
        is_fine = isinstance(value, list) and all(_is_plain(word) for word in words)
        return "" if is_fine else "values must be a list of strings, numbers, true or false."
    is_fine = all(isinstance(word, str) and word for word in words)
    return "" if is_fine else f"{key} must name columns, as strings."


def _wrong_condition(key: str, value: Any) -> str:
    form = f'{key} must say which values columns have, like {{"subGroup": "Tumor"}}.'
    if not isinstance(value, dict) or not 0 < len(value) <= _MOST_WORDS:
        return form
    for column, values in value.items():
        words = _listed(values)
        if not isinstance(column, str) or not words or not all(_is_plain(word) for word in words):
            return form
    return ""


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _unknown_columns(rule: Rule, schema: Mapping[str, Any]) -> list[Fault]:
    """Columns that the schema's rows do not have, as far as it names their columns."""
    declared = _declared_columns(rule.rows, schema)
    if not declared:
        return []
    named = dict.fromkeys([*rule.columns, *rule.group, *rule.when, *rule.partner])
    where = ".".join(rule.rows) or "the configuration"
    return [
        (
            [],
            f"{where} has no {shown(column)} in the schema{did_you_mean(column, declared)}.",
        )
        for column in named
        if column not in declared
    ]


def _declared_columns(rows: tuple[str, ...], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    node: Any = _followed(schema, schema)
    for part in rows:
        node = _followed(_within(node, part), schema)
    if rows:
        node = _followed(node.get("items") if isinstance(node, dict) else None, schema)
    properties = node.get("properties") if isinstance(node, dict) else None
    return properties if isinstance(properties, dict) else {}


def _within(node: Any, name: str) -> Any:
    properties = node.get("properties") if isinstance(node, dict) else None
    return properties.get(name) if isinstance(properties, dict) else None


def _followed(node: Any, root: Mapping[str, Any]) -> Any:
    """The node, or what its reference into the same schema leads to."""
    for _ in range(10):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not (isinstance(reference, str) and reference.startswith("#/")):
            break
        node = root
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            node = node.get(key) if isinstance(node, dict) else None
    return node
