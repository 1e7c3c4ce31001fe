"""What a part of a JSON Schema means for a sheet: a value for one cell, rows, a list, names with values, or JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]
Path = tuple[str, ...]

SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
MAX_DEPTH = 4
"""Objects within each other that get dotted keys; what is deeper is written as JSON into one cell."""

_MOST_STEPS = 10
_FORMS = ("oneOf", "anyOf")
_KEPT_APART = {"allOf", *_FORMS}


@dataclass(frozen=True)
class Field:
    """A value that stands in one cell.

    ``types`` are JSON Schema's words, empty for "any"; ``choices`` are all values that are allowed, where the
    schema lists them; ``is_json``: it is no single value, the cell holds its JSON text.
    """

    path: Path
    types: frozenset[str] = frozenset()
    choices: tuple[Any, ...] = ()
    schema: Schema = field(default_factory=dict)
    required: bool = False
    is_json: bool = False

    @property
    def label(self) -> str:
        return label_of(self.path)

    @property
    def help(self) -> str:
        """The author's words and the limits, for the person who fills the cell."""
        return " ".join(_help(self.schema))

    @property
    def type_words(self) -> str:
        """For the column "Type"."""
        if self.is_json:
            return "JSON"
        if self.choices:
            return "choice"
        named = [_TYPE_WORDS[name] for name in _TYPE_WORDS if name in self.types]
        return " or ".join(named) or "any"


_TYPE_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "TRUE or FALSE",
    "null": "null",
}


def label_of(path: Path) -> str:
    """The dotted key of a path; dots within a part are written ``\\.``."""
    return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path)


def path_of(label: str) -> Path:
    """The path that a dotted key means; the reverse of ``label_of``."""
    parts, part, escaped = [], "", False
    for character in label:
        if escaped or character not in "\\.":
            part, escaped = part + character, False
        elif character == "\\":
            escaped = True
        else:
            parts.append(part)
            part = ""
    return (*parts, part)


def simple(schema: Any, root: Schema) -> Schema:
    """The schema with local references followed, ``allOf`` taken together, and of several forms the one that
    has structure; where more than one has, ``{}``, which means JSON."""
    found = _followed(schema, root)
    for part in found.get("allOf", []) if isinstance(found.get("allOf"), list) else []:
        found = _together(found, _followed(part, root))
    for name in _FORMS:
        if isinstance(found.get(name), list):
            forms = [_followed(form, root) for form in found[name]]
            own = {key: value for key, value in found.items() if key not in _KEPT_APART}
            return _one_form(own, forms)
    return found


def _followed(given: Any, root: Schema) -> Schema:
    schema: Schema = given if isinstance(given, dict) else {}
    for _ in range(_MOST_STEPS):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        node: Any = root
        for part in reference[1:].split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, dict) else None
        schema = {**node, **rest} if isinstance(node, dict) else dict(rest)
    return schema


def _together(one: Schema, other: Schema) -> Schema:
    merged = {**other, **one}
    for name in ("properties", "$defs"):
        if isinstance(one.get(name), dict) and isinstance(other.get(name), dict):
            merged[name] = {**other[name], **one[name]}
    merged["required"] = [*one.get("required", []), *other.get("required", [])]
    return merged


def _one_form(own: Schema, forms: list[Schema]) -> Schema:
    structured = [form for form in forms if kind_of(form) != "value"]
    if len(structured) == 1:
        return {**structured[0], **own, "type": structured[0].get("type", "object")}
    if structured or own.get("properties"):
        return {
            "description": own.get("description", ""),
            **({"properties": own["properties"], "type": "object"} if "properties" in own else {}),
        }
    types = frozenset().union(*(types_of(form) or SCALARS for form in forms))
    known = [choices_of(form) for form in forms]
    merged = {**own, "type": sorted(types)}
    if forms and all(known):
        merged["enum"] = [value for choices in known for value in choices]
    return merged


def kind_of(schema: Schema) -> str:
    """``object``, ``array`` or ``value``, by the types or by the keywords that a schema has."""
    types = types_of(schema)
    if "object" in types or (not types and {"properties", "additionalProperties"} & schema.keys()):
        return "object"
    if "array" in types or (not types and {"items", "prefixItems"} & schema.keys()):
        return "array"
    return "value"


def types_of(schema: Schema) -> frozenset[str]:
    """The types that a schema allows, from ``type`` or else from ``enum`` and ``const``; empty for any."""
    given = schema.get("type")
    if isinstance(given, str):
        return frozenset({given})
    if isinstance(given, list):
        return frozenset(name for name in given if isinstance(name, str))
    return frozenset(_type_name(value) for value in choices_of(schema))


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((str, "string"), (int, "integer"), (float, "number"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "object"


def choices_of(schema: Schema) -> tuple[Any, ...]:
    """All values that a schema allows, where it lists them."""
    if isinstance(schema.get("enum"), list):
        return tuple(schema["enum"])
    return (schema["const"],) if "const" in schema else ()


def is_scalar(schema: Schema) -> bool:
    """Whether every value that the schema allows can stand in a cell as it is."""
    return types_of(schema) <= SCALARS and bool(types_of(schema))


def field_at(path: Path, schema: Schema, *, required: bool = False) -> Field:
    """The cell of a value. ``schema`` is a ``simple`` one."""
    types = types_of(schema)
    scalar = is_scalar(schema)
    return Field(
        path=path,
        types=types if scalar else frozenset(),
        choices=choices_of(schema) if scalar else (),
        schema=schema,
        required=required,
        is_json=bool(types) and not scalar,
    )


def _help(schema: Schema) -> list[str]:
    parts = []
    text = schema.get("description") or schema.get("title")
    if isinstance(text, str) and text:
        parts.append(text.rstrip(".") + ".")
    choices = choices_of(schema)
    if choices:
        listed = ", ".join(str(value) for value in choices[:30])
        parts.append(f"One of: {listed}{', …' if len(choices) > 30 else ''}.")
    for name, words in _LIMITS.items():
        if isinstance(schema.get(name), str | int | float) and not isinstance(schema[name], bool):
            parts.append(f"{words} {schema[name]}.")
    if "default" in schema:
        parts.append(f"Left out: {json.dumps(schema['default'], ensure_ascii=False)[:100]}.")
    return parts


_LIMITS = {
    "minimum": "At least",
    "exclusiveMinimum": "More than",
    "maximum": "At most",
    "exclusiveMaximum": "Less than",
    "pattern": "Form:",
    "format": "Format:",
}
