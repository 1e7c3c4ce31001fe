"""Schema errors as plain sentences: what is wrong where, and what was expected. Values are shown short."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any, cast

from django.utils.translation import ngettext
from jsonschema.exceptions import ValidationError

from pipeline_management.services.schema_rules import FORMAT_EXAMPLES
from pipeline_management.services.value_patterns import compiled

_SHOWN = 60
_LISTED = 20
_SIGNS = 5
_CLASSES = re.compile(r"\^?(\[(?!\^)[^\[\]]+\]([*+?]|\{\d*,?\d*\})?)+\$?")
_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

Path = Sequence[str | int]


def subject(path: Path) -> str:
    """A path in words: ["dataFiles", 2, "fastqPath"] is "dataFiles row 3, fastqPath"."""
    words = ""
    for number, part in enumerate(path):
        if isinstance(part, int):
            words += f" row {part + 1}" if words else f"row {part + 1}"
        elif not words:
            words = _short(part)
        else:
            words += (", " if isinstance(path[number - 1], int) else ".") + _short(part)
    return words or "the configuration"


def pointer(path: Path) -> str:
    """A path as an RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def row(path: Path) -> int | None:
    """The row, from 1, in the innermost list on the path."""
    return next((part + 1 for part in reversed(path) if isinstance(part, int)), None)


def shown(value: Any) -> str:
    """A value for a sentence."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the string {shown(value)}"
    if isinstance(value, bool) or value is None:
        return shown(value)
    return f"the number {shown(value)}" if isinstance(value, int | float) else shown(value)


def one_of(values: Iterable[Any]) -> str:
    """Allowed values for a sentence: ``one of "a", "b"``; spellings in another case are left out, long lists cut."""
    texts = list({shown(value).lower(): shown(value) for value in reversed(list(values))}.values())
    texts.reverse()
    if len(texts) == 1:
        return texts[0]
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return f"one of {', '.join(texts[:_LISTED])}{more}"


def did_you_mean(word: Any, known: Iterable[Any]) -> str:
    """`` (did you mean …?)`` where a known word is close, else nothing."""
    if not isinstance(word, str) or len(word) > 200:
        return ""
    words = [other for other in known if isinstance(other, str)]
    by_lower = {other.lower(): other for other in reversed(words)}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.7)
    return f" (did you mean {shown(by_lower[close[0]])}?)" if close else ""


def sentence(error: ValidationError, path: Path) -> str:
    """The whole sentence for one error at a path (without the parts that the error itself adds)."""
    if "propertyNames" in error.absolute_schema_path and isinstance(error.instance, str):
        text = f"{subject(path)} has the key {shown(error.instance)}, which is not allowed"
        text += f": it {_predicate(error)}"
    else:
        text = f"{subject(path)} {_predicate(error)}"
    return text[0].upper() + text[1:] + "." if not path else text + "."


def _predicate(error: ValidationError) -> str:
    write = _WRITERS.get(str(error.validator))
    if write is None:
        return "is not allowed here" if error.validator is None else "does not fit the schema"
    return write(error.validator_value, error)


def _described(schema: Any) -> str:
    """The author's own words about a value, for use in brackets."""
    if not isinstance(schema, dict):
        return ""
    if isinstance(schema.get("enum"), list):
        return f" ({one_of(schema['enum'])})"
    text = schema.get("description")
    return f" ({text.rstrip('.')})" if isinstance(text, str) and text else ""


def _declared(error: ValidationError, name: str) -> Any:
    schema = error.schema
    return schema.get("properties", {}).get(name) if isinstance(schema, dict) else None


def _required(_: Any, error: ValidationError) -> str:
    return f"lacks {error.message}, which is required{_described(_declared(error, error.message))}"


def _dependent(_: Any, error: ValidationError) -> str:
    name = error.cause.args[0] if error.cause else ""
    return f"lacks {error.message}, which must be given with {name}"


def _type(wanted: Any, error: ValidationError) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    expected = " or ".join(_TYPES.get(name, name) for name in names)
    quoted = _without_quotes(error.instance, names)
    return f"is {_kind(error.instance)}; expected {expected}{quoted}{_described(error.schema)}"


def _without_quotes(value: Any, names: Sequence[str]) -> str:
    """The usual slip: a number or a truth value between quotes."""
    if not isinstance(value, str) or len(value) > _SHOWN:
        return ""
    try:
        meant = json.loads(value)
    except (ValueError, RecursionError):
        return ""
    if isinstance(meant, bool):
        return ", without quotes" if "boolean" in names else ""
    numbers = isinstance(meant, int | float) and {"integer", "number"} & set(names)
    return ", a number without quotes" if numbers else ""


def _enum(values: Any, error: ValidationError) -> str:
    guess = did_you_mean(error.instance, values)
    return f"is {shown(error.instance)}; expected {one_of(values)}{guess}"


def _pattern(pattern: Any, error: ValidationError) -> str:
    return (
        f"is {shown(error.instance)}; expected text of the form {_short(pattern)}"
        f"{_described(error.schema)}{_foreign(pattern, str(error.instance))}"
    )


def _foreign(pattern: str, value: str) -> str:
    """Which characters of the value the pattern has no place for, where it is a row of character classes."""
    if not _CLASSES.fullmatch(pattern):
        return ""
    allowed = compiled("[" + "".join(re.findall(r"\[([^\]]+)\]", pattern)) + "]")
    signs = [sign for sign in dict.fromkeys(value[:1000]) if not allowed.match(sign)]
    names = [f'"{sign}"' if sign.isprintable() else f"U+{ord(sign):04X}" for sign in signs]
    if not names:
        return ""
    listed = ", ".join(names[:_SIGNS]) + (" …" if len(names) > _SIGNS else "")
    return f"; not allowed in it: {listed}"


def _format(name: Any, error: ValidationError) -> str:
    return f"is {shown(error.instance)}; expected {FORMAT_EXAMPLES.get(name, name)}"


def _additional(_: Any, error: ValidationError) -> str:
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    guess = did_you_mean(error.message, known)
    return (
        f"is not a known key{guess}"
        if guess or not known
        else f"is not a known key; {_keys(known)}"
    )


def _keys(known: Iterable[str]) -> str:
    names = [_short(name) for name in known]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"known are {', '.join(names[:_LISTED])}{more}"


def _unique(_: Any, error: ValidationError) -> str:
    return f"is the same as row {int(error.message) + 1}; expected entries that differ"


def _entries(number: int) -> str:
    return ngettext("%d entry", "%d entries", number) % number


def _characters(number: int) -> str:
    return ngettext("%d character", "%d characters", number) % number


def _key_count(number: int) -> str:
    return ngettext("%d key", "%d keys", number) % number


def _count(bound: str, counted: Callable[[int], str]) -> Callable[[Any, ValidationError], str]:
    def write(limit: Any, error: ValidationError) -> str:
        size = len(cast(Sized, error.instance))
        return f"has {counted(size)}; expected {bound} {counted(int(limit))}"

    return write


def _limit(bound: str) -> Callable[[Any, ValidationError], str]:
    def write(limit: Any, error: ValidationError) -> str:
        return f"is {shown(error.instance)}; expected a number {bound} {limit}"

    return write


def _alternatives(branches: Any, error: ValidationError) -> str:
    if not error.context:
        return "fits more than one of the allowed forms; expected exactly one of them"
    groups: dict[Any, list[ValidationError]] = {}
    for child in error.context:
        groups.setdefault(child.schema_path[0], []).append(child)
    own = [group for group in groups.values() if _is_about_itself(group)]
    if len(own) == len(groups):
        expected = dict.fromkeys(_expectation(group[0]) for group in groups.values())
        return f"is {_kind(error.instance)}; expected {' or '.join(expected)}"
    best = min((g for g in groups.values() if not _is_about_itself(g)), key=len)
    child = min(best, key=lambda e: len(e.path))
    where = subject(list(child.path)) if child.path else "it"
    closest = f"{where} {_predicate(child)}"
    return f"fits none of the {len(branches)} allowed forms; what is nearest: {closest}"


def _is_about_itself(group: list[ValidationError]) -> bool:
    return any(e.validator in ("type", "const", "enum") and not e.path for e in group)


def _expectation(error: ValidationError) -> str:
    value: Any = error.validator_value
    if error.validator == "const":
        return shown(value)
    if error.validator == "enum":
        return one_of(value)
    names = [value] if isinstance(value, str) else value
    return " or ".join(_TYPES.get(name, str(name)) for name in names or ["another form"])


_WRITERS: dict[str, Callable[[Any, ValidationError], str]] = {
    "required": _required,
    "dependentRequired": _dependent,
    "type": _type,
    "enum": _enum,
    "const": lambda value, error: f"is {shown(error.instance)}; expected {shown(value)}",
    "pattern": _pattern,
    "format": _format,
    "additionalProperties": _additional,
    "unevaluatedProperties": lambda *_: "has keys that no part of the schema knows",
    "unevaluatedItems": lambda *_: "has entries that no part of the schema knows",
    "uniqueItems": _unique,
    "minItems": _count("at least", _entries),
    "maxItems": _count("at most", _entries),
    "minLength": _count("at least", _characters),
    "maxLength": _count("at most", _characters),
    "minProperties": _count("at least", _key_count),
    "maxProperties": _count("at most", _key_count),
    "minimum": _limit("of at least"),
    "maximum": _limit("of at most"),
    "exclusiveMinimum": _limit("above"),
    "exclusiveMaximum": _limit("below"),
    "multipleOf": _limit("that is a multiple of"),
    "contains": lambda *_: "has the wrong number of entries of the kind that the schema asks for",
    "items": lambda *_: "has more entries than the schema knows",
    "properties": lambda *_: "is not allowed here",
    "not": lambda *_: "has a form that the schema forbids",
    "anyOf": _alternatives,
    "oneOf": _alternatives,
}
