"""Is a pipeline's schema itself usable? Asked once, when the site file is applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from pipeline_management.errors import Problem
from pipeline_management.services.schema_rules import FORMAT_EXAMPLES, metaschema_validator
from pipeline_management.services.schema_sentences import did_you_mean, pointer
from pipeline_management.services.value_patterns import compiled

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ONE = (
    *("additionalProperties", "items", "contains", "not", "if", "then", "else"),
    *("propertyNames", "unevaluatedItems", "unevaluatedProperties"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ANNOTATIONS = (
    *("$schema", "$id", "$comment", "$anchor", "$ref", "title", "description", "default"),
    *("examples", "deprecated", "readOnly", "writeOnly", "minContains", "maxContains"),
)
_KNOWN = {*Draft202012Validator.VALIDATORS, *_ONE, *_LISTS, *_MAPS, *_ANNOTATIONS} - {
    "$dynamicRef",
    "dependencies",
}
_Path = list[str | int]


def check_schema(schema: Any) -> list[Problem]:
    """Everything that makes a schema unusable; pointers lead into the schema. Empty when it is fine.

    Besides the rules of draft 2020-12: references stay within the schema and lead somewhere, patterns
    compile, formats are among those that are checked, and there are no unknown keywords (they would do
    nothing) except those that begin with "x-".
    """
    if not isinstance(schema, dict):
        return [Problem("schema", "The schema must be an object.")]
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        message = f"$schema is {dialect!r}; only {DIALECT} is supported."
        return [Problem("schema", message, "/$schema")]
    problems = [
        Problem("schema", f"{error.message[:300]}.", pointer(list(error.absolute_path)))
        for error in metaschema_validator().iter_errors(schema)
    ]
    if problems:
        return problems
    return [
        Problem("schema", message, pointer(path))
        for path, part in _subschemas(schema, [])
        for message in _faults(part, path, schema)
    ]


def _subschemas(schema: Any, path: _Path) -> Iterator[tuple[_Path, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword in _ONE:
        yield from _subschemas(schema.get(keyword), [*path, keyword])
    for keyword in _LISTS:
        for number, part in enumerate(schema.get(keyword, [])):
            yield from _subschemas(part, [*path, keyword, number])
    for keyword in _MAPS:
        for name, part in schema.get(keyword, {}).items():
            yield from _subschemas(part, [*path, keyword, name])


def _faults(part: dict[str, Any], path: _Path, root: dict[str, Any]) -> Iterator[str]:
    for keyword in part:
        if keyword not in _KNOWN and not keyword.startswith("x-"):
            yield f"The keyword {keyword} is not known{did_you_mean(keyword, _KNOWN)}."
    if path and "$id" in part:
        yield "$id may stand at the top of the schema only."
    reference = part.get("$ref")
    if isinstance(reference, str) and not _leads_somewhere(reference, root):
        yield f"$ref {reference!r} must lead to a part of this schema, such as #/$defs/name."
    name = part.get("format")
    if name is not None and name not in FORMAT_EXAMPLES:
        yield f"The format {name!r} is not checked; known are {', '.join(FORMAT_EXAMPLES)}."
    if "unevaluatedProperties" in part and "patternProperties" in part:
        yield "unevaluatedProperties does not go with patternProperties: use additionalProperties."
    for pattern in [*filter(None, [part.get("pattern")]), *part.get("patternProperties", {})]:
        try:
            compiled(pattern)
        except ValueError as error:
            yield f"{error}."


def _leads_somewhere(reference: str, root: dict[str, Any]) -> bool:
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return False
    node: Any = root
    for raw in reference[2:].split("/"):
        part = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return False
    return isinstance(node, dict | bool)
