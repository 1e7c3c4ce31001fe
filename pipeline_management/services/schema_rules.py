"""The JSON Schema validator (draft 2020-12) as Centro runs it: bounded, local, one error per fault.

Differences from the stock validator: patterns run with a time limit; ``required`` and
``additionalProperties`` give one error per key and carry the key; ``uniqueItems`` takes linear time and
says which entries are equal; the number of errors is bounded wherever they arise, alternatives of
``oneOf`` included; nothing is ever fetched.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.jsonschema import SchemaRegistry

from pipeline_management.services.documents import canonical_json
from pipeline_management.services.value_patterns import compiled, found

MAX_FAULTS = 10_000
"""Errors in one validation, those of rejected alternatives included, before it is given up."""

Schema = dict[str, Any]
Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class TooManyFaults(Exception):
    """The configuration differs from its schema in more than ``MAX_FAULTS`` places."""


class _Count(threading.local):
    faults = 0


_count = _Count()


def start_counting() -> None:
    """Begin the count of one validation in this thread."""
    _count.faults = 0


def _fault(message: str, **details: Any) -> ValidationError:
    _count.faults += 1
    if _count.faults > MAX_FAULTS:
        raise TooManyFaults
    return ValidationError(message, **details)


def _counted(keyword: Keyword) -> Keyword:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
        for error in keyword(validator, value, instance, schema) or ():
            _count.faults += 1
            if _count.faults > MAX_FAULTS:
                raise TooManyFaults
            yield error

    return run


def _type(validator: Any, types: Any, instance: Any, schema: Schema) -> Errors:
    wanted = [types] if isinstance(types, str) else types
    if not any(validator.is_type(instance, name) for name in wanted):
        yield _fault("type")


def _required(validator: Any, names: list[str], instance: Any, schema: Schema) -> Errors:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield _fault(name)


def _properties(
    validator: Any, properties: dict[str, Any], instance: Any, schema: Schema
) -> Errors:
    """As in stock, which loses the place of a key whose schema is ``false``."""
    if not isinstance(instance, dict):
        return
    for name, subschema in properties.items():
        if name not in instance:
            continue
        if subschema is False:
            yield _fault(name, path=[name])
        else:
            yield from validator.descend(instance[name], subschema, path=name, schema_path=name)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Schema) -> Errors:
    if isinstance(instance, str) and not found(pattern, instance):
        yield _fault(pattern)


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, schema: Schema
) -> Errors:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if found(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Schema) -> Errors:
    if not isinstance(instance, dict):
        return
    declared = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in declared or any(found(pattern, name) for pattern in patterns):
            continue
        if rule is False:
            yield _fault(name, path=[name])
        else:
            yield from validator.descend(value, rule, path=name)


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Schema) -> Errors:
    if not wanted or not isinstance(instance, list):
        return
    first: dict[str, int] = {}
    for number, item in enumerate(instance):
        text = canonical_json(_one_number_kind(item))
        if text in first:
            yield _fault(str(first[text]), path=[number])
        first.setdefault(text, number)


def _one_number_kind(value: Any) -> Any:
    """1.0 and 1 are the same number in JSON Schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_one_number_kind(item) for item in value]
    if isinstance(value, dict):
        return {name: _one_number_kind(item) for name, item in value.items()}
    return value


def _dependent_required(
    validator: Any, rules: dict[str, list[str]], instance: Any, schema: Schema
) -> Errors:
    if isinstance(instance, dict):
        for name, others in rules.items():
            for other in others if name in instance else ():
                if other not in instance:
                    yield _fault(other, cause=KeyError(name))


_FORMATS = FormatChecker(formats=())
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
FORMAT_EXAMPLES = {
    "date": "a date such as 2026-01-31",
    "date-time": "a date and time such as 2026-01-31T12:00:00Z",
    "email": "an e-mail address",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "regex": "a regular expression",
    "uuid": "a UUID",
}
"""Formats that are checked, each with what to say about a value that does not fit."""


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or _EMAIL.fullmatch(value) is not None


@_FORMATS.checks("regex", raises=ValueError)
def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or bool(compiled(value))


for _name in FORMAT_EXAMPLES.keys() - _FORMATS.checkers.keys():
    _FORMATS.checkers[_name] = Draft202012Validator.FORMAT_CHECKER.checkers[_name]

_STOCK: dict[str, Keyword] = dict(Draft202012Validator.VALIDATORS)
_LEAVES = (
    *("enum", "const", "format", "not", "contains"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
)
_extend: Callable[[Any, dict[str, Keyword]], Any] = validators.extend
BoundedValidator = _extend(
    Draft202012Validator,
    {name: _counted(_STOCK[name]) for name in _LEAVES}
    | {
        "type": _type,
        "required": _required,
        "properties": _properties,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "dependentRequired": _dependent_required,
    },
)
_NOTHING_ELSE: SchemaRegistry = Registry()


def validator_for(schema: Schema | bool) -> Validator:
    """A validator of one schema; it resolves references within the schema only."""
    validator: Validator = BoundedValidator(schema, registry=_NOTHING_ELSE, format_checker=_FORMATS)
    return validator


@lru_cache(maxsize=1)
def metaschema_validator() -> Validator:
    """The validator of schemas themselves."""
    return Draft202012Validator(Draft202012Validator.META_SCHEMA)
