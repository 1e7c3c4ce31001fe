"""Rules applied to a configuration: each fault with its place, its rows and a plain sentence.

The cost grows with the number of rows and the number of rules, not with their product of pairs: every rule
looks at each row once and keeps the rows by the values that they have in its columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline_management.errors import Problem
from pipeline_management.services.rules.vocabulary import Condition, Rule, read_rules
from pipeline_management.services.schema_sentences import pointer, shown

MOST_PER_RULE = 100
"""Faults that one rule tells of."""
CODE = "rule_"
"""What the codes of all faults begin with; the name of the rule follows."""

_SHOWN_ROWS = 8
Row = tuple[int, Mapping[str, Any]]
Found = tuple[list[int], str, list[str | int]]
"""Rows counted from 0, the sentence after them, and the rest of the pointer from the last of those rows."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the rules say: what hinders a run, and what is worth a look."""

    errors: list[Problem]
    warnings: list[Problem]


def check_rows(declared: Iterable[Mapping[str, Any]], document: Mapping[str, Any]) -> Findings:
    """All faults by the rules of a version, which have passed ``check_rules`` when it was published.

    Rows or values of another type than expected are left to the schema. No fault has line or column yet.
    """
    findings = Findings([], [])
    for rule in read_rules(declared):
        problems = islice(_problems(rule, document), MOST_PER_RULE)
        (findings.warnings if rule.is_warning else findings.errors).extend(problems)
    return findings


def _problems(rule: Rule, document: Mapping[str, Any]) -> Iterator[Problem]:
    everybody = list(_rows(rule, document))
    rows = [row for row in everybody if _meets(rule, row[1], rule.when)]
    for numbers, text, place in _KINDS[rule.kind](rule, rows, everybody):
        at = [*rule.rows, *([numbers[-1]] if rule.rows else []), *place]
        yield Problem(
            CODE + rule.kind.replace("-", "_"),
            _sentence(rule, numbers, text),
            pointer(at),
            numbers[-1] + 1 if rule.rows else None,
        )


def _rows(rule: Rule, document: Mapping[str, Any]) -> Iterator[Row]:
    node: Any = document
    for name in rule.rows:
        node = node.get(name) if isinstance(node, dict) else None
    items = node if rule.rows else [node]
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield number, item


# --- sentences --------------------------------------------------------------------------------


def _sentence(rule: Rule, numbers: Sequence[int], text: str) -> str:
    rows = _subject(rule, numbers)
    if not rule.message:
        whole = f"{rows} {text}".strip()
    elif "{rows}" in rule.message:
        whole = rule.message.replace("{rows}", rows)
    elif rule.rows:
        whole = f"{rows}: {rule.message}"
    else:
        whole = rule.message
    whole = whole if rule.rows else whole[:1].upper() + whole[1:]
    return whole if whole.endswith((".", "!", "?")) else whole + "."


def _subject(rule: Rule, numbers: Sequence[int]) -> str:
    if not rule.rows:
        return "the configuration"
    words = [str(number + 1) for number in numbers[:_SHOWN_ROWS]]
    if len(numbers) > _SHOWN_ROWS:
        words.append(f"{len(numbers) - _SHOWN_ROWS} more")
    named = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{'.'.join(rule.rows)} row{'s' if len(numbers) > 1 else ''} {named}"


def _named(row: Mapping[str, Any], columns: Iterable[str]) -> str:
    return ", ".join(f"{column} {shown(row.get(column))}" for column in columns)


def _either(values: Sequence[Any]) -> str:
    return " or ".join(shown(value) for value in values)


def _conditions(condition: Condition) -> str:
    return " and ".join(f"{column} {_either(values)}" for column, values in condition.items())


# --- values -----------------------------------------------------------------------------------


def _same(value: Any, ignores_case: bool) -> str:
    """Text that is equal for equal JSON values; 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, str):
        return '"' + (value.casefold() if ignores_case else value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _key(rule: Rule, row: Mapping[str, Any], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(_same(row.get(column), rule.ignores_case) for column in columns)


def _meets(rule: Rule, row: Mapping[str, Any], condition: Condition) -> bool:
    return all(
        column in row
        and any(
            _same(row[column], rule.ignores_case) == _same(value, rule.ignores_case)
            for value in values
        )
        for column, values in condition.items()
    )


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {})


def _grouped(
    rule: Rule, rows: Iterable[Row], columns: Sequence[str]
) -> dict[tuple[str, ...], list[Row]]:
    """The rows that have all of the columns, by their values."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if all(column in row[1] for column in columns):
            groups.setdefault(_key(rule, row[1], columns), []).append(row)
    return groups


def _numbers(rows: Iterable[Row]) -> list[int]:
    return [number for number, _ in rows]


# --- the kinds --------------------------------------------------------------------------------


def _unique(rule: Rule, rows: list[Row], _: list[Row]) -> Iterator[Found]:
    for same in _grouped(rule, rows, rule.columns).values():
        if len(same) > 1:
            text = f"have the same {_named(same[0][1], rule.columns)}; expected each once"
            yield _numbers(same), text, [rule.columns[0]]


def _pairs(rule: Rule, rows: list[Row], _: list[Row]) -> Iterator[Found]:
    (column,) = rule.columns
    for members in _grouped(rule, rows, rule.group).values():
        by_value: dict[str, list[Row]] = {_same(v, rule.ignores_case): [] for v in rule.values}
        for row in members:
            value = _same(row[1].get(column), rule.ignores_case)
            if value in by_value:
                by_value[value].append(row)
        present = [row for of_value in by_value.values() for row in of_value]
        for value, of_value in zip(rule.values, by_value.values(), strict=True):
            if present and not of_value:
                has = list(dict.fromkeys(str(row[1].get(column)) for row in present))
                common = _named(members[0][1], rule.group)
                text = f"with {common}: there is {_either(has)}, but no row has {column} {shown(value)}"
                yield sorted(_numbers(present)), text, [column]


def _required_together(rule: Rule, rows: list[Row], _: list[Row]) -> Iterator[Found]:
    for number, row in rows:
        given = [column for column in rule.columns if not _is_empty(row.get(column))]
        lacking = [column for column in rule.columns if column not in given]
        if given and lacking:
            text = f"has {' and '.join(given)} but no {' and no '.join(lacking)}"
            yield [number], f"{text}; expected all of them or none", [given[0]]


def _not_empty(rule: Rule, rows: list[Row], _: list[Row]) -> Iterator[Found]:
    for number, row in rows:
        for column in rule.columns:
            if _is_empty(row.get(column)):
                is_there = column in row
                text = f"has an empty {column}" if is_there else f"lacks {column}"
                yield [number], text, [column] if is_there else []


def _same_within(rule: Rule, rows: list[Row], _: list[Row]) -> Iterator[Found]:
    for members in _grouped(rule, rows, rule.group).values():
        for column in rule.columns:
            first: dict[str, Row] = {}
            for row in members:
                if column in row[1]:
                    first.setdefault(_same(row[1][column], rule.ignores_case), row)
            if len(first) > 1:
                values = ", ".join(shown(row[1][column]) for row in islice(first.values(), 5))
                text = f"have the same {_named(members[0][1], rule.group)} but different {column}"
                yield _numbers(first.values()), f"{text} ({values})", [column]


def _matches(rule: Rule, rows: list[Row], everybody: list[Row]) -> Iterator[Found]:
    partners = [row for row in everybody if _meets(rule, row[1], rule.partner)]
    known = _grouped(rule, partners, rule.group)
    for key, members in _grouped(rule, rows, rule.group).items():
        if key not in known:
            common = f" with {_named(members[0][1], rule.group)}" if rule.group else ""
            has = "have" if len(members) > 1 else "has"
            wanted = _conditions(rule.partner)
            text = f"{has} {_conditions(rule.when)}, but no row{common} has {wanted}"
            yield _numbers(members), text, [next(iter(rule.when))]


_KINDS: dict[str, Callable[[Rule, list[Row], list[Row]], Iterator[Found]]] = {
    "unique": _unique,
    "pairs": _pairs,
    "required-together": _required_together,
    "not-empty": _not_empty,
    "same-within": _same_within,
    "matches": _matches,
}
