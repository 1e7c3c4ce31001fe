"""A JSON Schema as rows of a table that people read: where, what type, required, which limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

MAX_ROWS = 500
MAX_DEPTH = 12
_LIMITS = {  # filled with the keyword's value
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": gettext_lazy("a multiple of {}"),
    "pattern": gettext_lazy("matches {}"),
    "format": gettext_lazy("written as {}"),
    "const": gettext_lazy("exactly {}"),
}
_COUNTS = {  # likewise, and worded by it
    "minLength": ngettext_lazy("at least %d character", "at least %d characters"),
    "maxLength": ngettext_lazy("at most %d character", "at most %d characters"),
    "minItems": ngettext_lazy("at least %d entry", "at least %d entries"),
    "maxItems": ngettext_lazy("at most %d entry", "at most %d entries"),
    "minProperties": ngettext_lazy("at least %d key", "at least %d keys"),
    "maxProperties": ngettext_lazy("at most %d key", "at most %d keys"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One place of a configuration: ``path`` like ``dataFiles[].fastqPath``; texts are ready to show."""

    path: str
    types: str
    required: bool
    limits: list[str]
    description: str
    default: str


def outline(schema: Any) -> list[Row]:
    """The rows of ``schema`` in its own order, at most ``MAX_ROWS``; references within it are followed."""
    if not isinstance(schema, dict):
        return []
    rows: list[Row] = []
    for row in _members(schema, schema, "", 0):
        rows.append(row)
        if len(rows) == MAX_ROWS:
            break
    return rows


def resolved(node: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The node with its ``$ref`` into the same document (``#/…``) filled in; others are left as they are."""
    for _step in range(MAX_DEPTH):
        if not isinstance(node, dict):
            return {}
        reference = node.get("$ref")
        if not (isinstance(reference, str) and reference.startswith("#/")):
            return node
        target: Any = root
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = {**target, **rest} if isinstance(target, dict) else rest
    return {}


def _members(node: dict[str, Any], root: dict[str, Any], path: str, depth: int) -> Iterator[Row]:
    if depth > MAX_DEPTH:
        return
    properties = node.get("properties")
    required = node.get("required")
    needed = set(required) if isinstance(required, list) else set()
    if isinstance(properties, dict):
        for name, child in properties.items():
            place = f"{path}.{name}" if path else str(name)
            yield from _place(resolved(child, root), root, place, name in needed, depth)
    items = node.get("items")
    if isinstance(items, dict) and depth:
        child = resolved(items, root)
        if "properties" in child or "items" in child:
            yield from _members(child, root, f"{path}[]", depth + 1)


def _place(
    node: dict[str, Any], root: dict[str, Any], path: str, required: bool, depth: int
) -> Iterator[Row]:
    default = _short(node["default"]) if "default" in node else ""
    description = str(node.get("description") or node.get("title") or "")
    yield Row(path, _types(node, root), required, _limits(node), description, default)
    yield from _members(node, root, path, depth + 1)


def _types(node: dict[str, Any], root: dict[str, Any]) -> str:
    kinds = node.get("type", [])
    listed = kinds if isinstance(kinds, list) else [kinds]
    names = [kind for kind in listed if isinstance(kind, str)]
    items = node.get("items")
    if names == ["array"] and isinstance(items, dict):
        inner = _types(resolved(items, root), root)
        return _("list of %(type)s") % {"type": inner} if inner else _("list")
    for choice in ("oneOf", "anyOf"):
        options = node.get(choice)
        if not names and isinstance(options, list):
            names = [_types(resolved(option, root), root) for option in options]
    if not names and "enum" in node:
        return _("one of the values")
    return _(" or ").join(dict.fromkeys(name for name in names if name))


def _limits(node: dict[str, Any]) -> list[str]:
    limits = [str(text).format(_short(node[key])) for key, text in _LIMITS.items() if key in node]
    counts = {key: node[key] for key in _COUNTS if isinstance(node.get(key), int | float)}
    limits += [_COUNTS[key] % int(number) for key, number in counts.items()]
    if isinstance(node.get("enum"), list):
        limits.insert(0, ", ".join(_short(value) for value in node["enum"][:40]))
    if node.get("uniqueItems"):
        limits.append(_("no entry twice"))
    if node.get("additionalProperties") is False:
        limits.append(_("no other keys"))
    return limits


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"
