"""A link that fills in the submission page: ``?pipeline=name@version&key=value`` as a configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pipeline_management.schema_outline import resolved
from pipeline_management.services.validation import RESERVED

MOST_KEYS = 200
LONGEST = 10_000
"""Characters of one value; the rest of a longer one is cut off, as its address would be."""

_WORDS = {"true": True, "false": False}


def prefilled(reference: str, schema: Any, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The configuration that a link describes: ``pipeline``, and each key with its value.

    A key with dots leads into the objects that the schema declares. Values become what the schema asks for
    there (number, true or false, an entry of ``enum``) where they can be read as that, else they stay text,
    and the check says what was expected. Raises nothing.
    """
    root = schema if isinstance(schema, dict) else {}
    document: dict[str, Any] = {"pipeline": reference}
    for key, text in list(pairs)[:MOST_KEYS]:
        parts, node = _place(key, root)
        target = document
        for part in parts[:-1]:
            below = target.get(part)
            target[part] = below if isinstance(below, dict) else {}
            target = target[part]
        target[parts[-1]] = _value(text[:LONGEST], parts[-1], node)
    return document


def _place(key: str, root: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The way to the key and its schema; a key that the schema does not know stands at the top as it is."""
    properties = resolved(root, root).get("properties", {})
    if key in properties:
        return [key], resolved(properties[key], root)
    parts = key.split(".")
    node: dict[str, Any] = root
    for number, part in enumerate(parts):
        below = resolved(node, root).get("properties")
        if not isinstance(below, dict) or part not in below:
            return [key], {}
        node = resolved(below[part], root)
        is_last = number == len(parts) - 1
        if not is_last and "properties" not in node:
            return [key], {}
    return parts, node


def _value(text: str, key: str, node: dict[str, Any]) -> Any:
    if not node and key in RESERVED:
        return _WORDS.get(text, text) if key == "holdConfig" else text
    options = node.get("enum")
    if isinstance(options, list):
        return next((one for one in options if _shown(one) == text), text)
    kinds = node.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind == "string":
            return text
        value = _as(kind, text)
        if value is not None:
            return value
    return text


def _as(kind: str, text: str) -> Any:
    """The text as a value of the type, or None where it is none."""
    if kind == "boolean":
        return _WORDS.get(text)
    if kind not in ("integer", "number"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value != value or value in (float("inf"), float("-inf")):
        return None
    return value if kind == "number" or isinstance(value, int) else None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
