"""A configuration against the schema of its pipeline version: all problems at once, in plain sentences."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, cast

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from pipeline_management.errors import Problem
from pipeline_management.services import schema_rules, value_patterns
from pipeline_management.services.json_places import locate
from pipeline_management.services.schema_rules import Schema, TooManyFaults
from pipeline_management.services.schema_sentences import (
    did_you_mean,
    pointer,
    row,
    sentence,
    shown,
    subject,
)
from pipeline_management.services.value_patterns import PatternTooSlow

MAX_PROBLEMS = 100
"""Problems that are listed; the last of them says how many more there are."""

RESERVED = ("pipeline", "lab", "system", "holdConfig", "archive")
"""Keys of a configuration that Centro itself reads; every schema lets them pass."""

_COUNTED = 1000
_COMBINED = ("allOf", "anyOf", "oneOf")
_MOST_STEPS = 10
_IN_PLACE = ("allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas")


class _Compiled:
    """A schema ready for use. ``own`` are the reserved keys that it does not name itself."""

    def __init__(self, schema: Schema) -> None:
        self.validator: Validator = schema_rules.validator_for(schema)
        named = set(_named_keys(schema, schema, set()))
        self.own = tuple(key for key in RESERVED if key not in named)


_cache: OrderedDict[str, _Compiled] = OrderedDict()
_cache_lock = threading.Lock()
_CACHE_SIZE = 200


def _compiled(schema: Schema, cache_key: str | None) -> _Compiled:
    if cache_key is None:
        return _Compiled(schema)
    with _cache_lock:
        known = _cache.get(cache_key)
        if known is None:
            known = _cache[cache_key] = _Compiled(schema)
            if len(_cache) > _CACHE_SIZE:
                _cache.popitem(last=False)
        else:
            _cache.move_to_end(cache_key)
        return known


def _named_keys(schema: Any, root: Schema, seen: set[int]) -> Iterator[str]:
    """Keys of the document itself that the schema names, through references and combinations."""
    if not isinstance(schema, dict) or id(schema) in seen:
        return
    seen.add(id(schema))
    yield from schema.get("properties", {})
    yield from schema.get("required", [])
    for keyword in _IN_PLACE:
        value = schema.get(keyword)
        if isinstance(value, list):
            parts = value
        elif keyword == "dependentSchemas" and isinstance(value, dict):
            parts = list(value.values())
        else:
            parts = [value]
        for part in parts:
            yield from _named_keys(part, root, seen)
    yield from _named_keys(_target(schema.get("$ref"), root), root, seen)


def _target(reference: Any, root: Schema) -> Any:
    """What a local reference points to; nothing for other references."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = root
    for part in reference[1:].split("/")[1:]:
        node = (
            node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        )
    return node


def validate(
    document: dict[str, Any],
    schema: Schema,
    *,
    text: str | None = None,
    cache_key: str | None = None,
) -> list[Problem]:
    """Everything in which a configuration differs from its schema, in the order of the document.

    ``text``, when given, is the JSON that ``document`` was read from; problems then carry line and
    column. ``cache_key`` names the schema's content. At most ``MAX_PROBLEMS`` are listed.
    """
    ready = _compiled(schema, cache_key)
    visible = {key: value for key, value in document.items() if key not in ready.own}
    found: list[tuple[list[str | int], Problem]] = []
    gave_up: Problem | None = None
    schema_rules.start_counting()
    try:
        with value_patterns.limited():
            for error in islice(ready.validator.iter_errors(visible), _COUNTED + 1):
                path = _place(error)
                found.append((path, _problem(error, path)))
    except (PatternTooSlow, TooManyFaults, RecursionError) as error:
        gave_up = _reason_to_give_up(error)
    return _listed(found, gave_up, text)


def _reason_to_give_up(error: Exception) -> Problem:
    if isinstance(error, PatternTooSlow):
        message = (
            f"Checking the values against the pattern {error.pattern[:60]} takes too long; a value is "
            "far from its form, or the pipeline's author has to simplify the pattern."
        )
        return Problem("pattern_too_slow", message)
    if isinstance(error, RecursionError):
        message = "The pipeline's schema refers to itself without end; its author has to mend it."
        return Problem("schema_recursion", message)
    return Problem("too_many", "The configuration differs from the schema in thousands of places.")


def _place(error: ValidationError) -> list[str | int]:
    return list(error.absolute_path)


def _problem(error: ValidationError, path: list[str | int]) -> Problem:
    is_forbidden = error.validator in (None, "properties")  # a schema that is just ``false``
    code = "not_allowed" if is_forbidden else str(error.validator)
    return Problem(code, sentence(error, path), pointer(path), row(path))


def _listed(
    found: list[tuple[list[str | int], Problem]], gave_up: Problem | None, text: str | None
) -> list[Problem]:
    unique = list({problem: path for path, problem in found}.items())
    unique.sort(
        key=lambda item: [
            (isinstance(p, str), p if isinstance(p, int) else 0, str(p)) for p in item[1]
        ]
    )
    problems = with_places([problem for problem, _ in unique], text)
    more = len(problems) - MAX_PROBLEMS
    if more > 0:
        count = f"{more}" if len(found) <= _COUNTED else f"more than {_COUNTED - MAX_PROBLEMS}"
        message = f"There are {count} further problems, which are not listed."
        problems = [*problems[:MAX_PROBLEMS], Problem("more", message)]
    return [*problems, gave_up] if gave_up else problems


def with_places(problems: list[Problem], text: str | None) -> list[Problem]:
    """The problems with the line and column of their pointers in the text, in that order."""
    if text is None or not problems:
        return problems
    places = locate(text, {problem.pointer for problem in problems})
    placed = [
        replace(problem, line=places[problem.pointer].line, column=places[problem.pointer].column)
        if problem.pointer in places
        else problem
        for problem in problems
    ]
    return sorted(placed, key=lambda p: (p.line or 0, p.column or 0))


def warnings_of(document: dict[str, Any], schema: Schema) -> list[Problem]:
    """What does not hinder a run: likely slips of known keys, and values that the schema calls deprecated.

    A part of a schema, or one form of a ``oneOf`` or ``anyOf``, that has ``"deprecated": true`` gives a
    warning with its ``description``.
    """
    warnings: list[Problem] = []
    root = schema_rules.validator_for(schema)
    schema_rules.start_counting()
    try:
        with value_patterns.limited():
            _compare(document, schema, [], warnings, root)
    except (PatternTooSlow, TooManyFaults, RecursionError):
        pass  # warnings are a help, not a promise; what was found so far is told
    return warnings[:MAX_PROBLEMS]


def _compare(
    value: Any, schema: Any, path: list[str | int], warnings: list[Problem], root: Validator
) -> None:
    schema = _resolved(schema, root)
    if not isinstance(schema, dict) or len(warnings) >= MAX_PROBLEMS:
        return
    _warn_of_deprecated(value, schema, path, warnings, root)
    if isinstance(value, list):
        for number, item in enumerate(value[:1000]):
            _compare(item, schema.get("items"), [*path, number], warnings, root)
    declared = _declared(schema, root) if isinstance(value, dict) else {}
    for name in list(value)[:1000] if declared else ():
        here = [*path, name]
        if name in declared:
            _compare(value[name], declared[name], here, warnings, root)
        elif path or name not in RESERVED:
            guess = did_you_mean(name, declared.keys() - value.keys())
            if path and not guess and _is_list_of_switches(declared, root):
                guess = did_you_mean(name, declared.keys()) or ", so nothing may come of it"
            if guess:
                message = f"{subject(here)} is not a known key{guess}. It is passed on as it is."
                warnings.append(Problem("unknown_key", message, pointer(here), row(here)))


def _is_list_of_switches(declared: dict[str, Any], root: Validator) -> bool:
    """Are all that an object names on or off? Then a key that it does not name switches nothing."""
    forms = [_resolved(form, root) for form in declared.values()]
    return all(isinstance(form, dict) and form.get("type") == "boolean" for form in forms)


def _resolved(schema: Any, root: Validator) -> Any:
    """The schema, or what its reference within the same document leads to."""
    for _ in range(_MOST_STEPS):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        target = _target(reference, cast(Schema, root.schema))
        if target is None:
            break
        schema = target
    return schema


def _declared(
    schema: Schema, root: Validator, seen: frozenset[int] = frozenset()
) -> dict[str, Any]:
    """The keys that a schema of an object names, those of its combined forms included."""
    declared: dict[str, Any] = {}
    for name in _COMBINED:
        for form in schema.get(name, []):
            resolved = _resolved(form, root)
            if isinstance(resolved, dict) and id(resolved) not in seen:
                seen |= {id(resolved)}
                declared |= _declared(resolved, root, seen)
    own = schema.get("properties")
    return declared | own if isinstance(own, dict) else declared


def _warn_of_deprecated(
    value: Any, schema: Schema, path: list[str | int], warnings: list[Problem], root: Validator
) -> None:
    forms = [form for name in ("oneOf", "anyOf") for form in schema.get(name, [])]
    for part in [schema, *forms]:
        if not isinstance(part, dict) or part.get("deprecated") is not True:
            continue
        if part is schema or root.evolve(schema=part).is_valid(value):
            why = str(part.get("description", "this should no longer be used")).rstrip(".")
            message = f"{subject(path)} is {shown(value)}: {why}."
            warnings.append(Problem("deprecated", message, pointer(path), row(path)))
