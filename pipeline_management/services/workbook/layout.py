"""Which sheets, rows and columns the workbook of a schema has. The same layout is written and read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline_management.services.validation import RESERVED
from pipeline_management.services.workbook.shape import (
    MAX_DEPTH,
    Field,
    Path,
    Schema,
    field_at,
    is_scalar,
    kind_of,
    label_of,
    simple,
)

SETTINGS = "Settings"
README = "README"
IDENTITY = "centro"
FAULTS = "Faults"

MAX_FIELDS = 2_000
MAX_TABLES = 50

_LONGEST_NAME = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]+")
_SWITCH = frozenset({"boolean"})


class Kind(StrEnum):
    """What one row of a table is."""

    ROWS = "rows"
    LIST = "list"
    NAMES = "names"


@dataclass(frozen=True)
class Table:
    """A sheet of its own. ROWS: ``fields`` are the columns, with paths within a row. LIST: one column, its only
    field has the path (). NAMES: a name and a value per row; the field is the value's, ``names`` are known ones."""

    kind: Kind
    path: Path
    sheet: str
    fields: tuple[Field, ...]
    names: tuple[str, ...] = ()
    schema: Schema | None = None
    required: bool = False

    @property
    def label(self) -> str:
        return label_of(self.path)


@dataclass(frozen=True)
class Layout:
    """``settings`` are the rows of the first sheet, ``tables`` the other sheets."""

    settings: tuple[Field, ...]
    tables: tuple[Table, ...]


def layout_of(schema: Schema) -> Layout:
    """The layout for configurations that the schema describes; the same schema gives the same one."""
    settings: list[Field] = []
    tables: list[Table] = []
    taken = {name.lower() for name in (SETTINGS, README, IDENTITY, FAULTS)}
    for path, part, required in _parts(simple(schema, schema), schema, (), depth=0):
        if len(settings) >= MAX_FIELDS:
            break
        table = _table(path, part, schema, required) if len(tables) < MAX_TABLES else None
        if table is None:
            settings.append(field_at(path, part, required=required))
        else:
            tables.append(_named(table, taken))
    own = {field.path for field in settings}
    known = [name for name in RESERVED if name in _RESERVED_FIELDS]
    reserved = [_RESERVED_FIELDS[name] for name in known if (name,) not in own]
    return Layout(settings=(*reserved, *settings), tables=tuple(tables))


_RESERVED_HELP = {
    "pipeline": "The pipeline and version that runs: name@version.",
    "lab": "The lab in whose name it runs; needed by members of several.",
    "system": "The system it runs on; the pipeline's first one where this is left out.",
    "holdConfig": "TRUE: the run waits until somebody releases it.",
}
_RESERVED_FIELDS = {
    name: field_at(
        (name,),
        {"type": "boolean" if name == "holdConfig" else "string", "description": text},
    )
    for name, text in _RESERVED_HELP.items()
}


def _parts(
    schema: Schema, root: Schema, path: Path, depth: int
) -> Iterator[tuple[Path, Schema, bool]]:
    """The leaves of an object: (path, its simple schema, whether every object on the way needs it)."""
    properties = schema.get("properties")
    required = schema.get("required", [])
    for name, given in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(name, str) or not name:
            continue
        part = simple(given, root)
        here = (*path, name)
        needed = isinstance(required, list) and name in required
        if _is_nested(part, root) and depth < MAX_DEPTH:
            for below, leaf, leaf_needed in _parts(part, root, here, depth + 1):
                yield below, leaf, needed and leaf_needed
        else:
            yield here, part, needed


def _is_nested(schema: Schema, root: Schema) -> bool:
    """An object whose keys become dotted ones: it names some, and is no set of switches."""
    return (
        kind_of(schema) == "object"
        and bool(schema.get("properties"))
        and _switches(schema, root) is None
    )


def _table(path: Path, schema: Schema, root: Schema, required: bool) -> Table | None:
    kind = kind_of(schema)
    if kind == "array":
        return _array(path, schema, root, required)
    if kind == "object":
        value = _switches(schema, root)
        if value is not None:
            names = tuple(schema.get("properties", {}))
            field = field_at((), value)
            return Table(Kind.NAMES, path, label_of(path), (field,), names, schema, required)
    return None


def _switches(schema: Schema, root: Schema) -> Schema | None:
    """The schema of the values of a dictionary: any names with values of one kind, or only switches."""
    rest = schema.get("additionalProperties")
    properties = schema.get("properties")
    named = (
        [simple(part, root) for part in properties.values()] if isinstance(properties, dict) else []
    )
    other = simple(rest, root) if isinstance(rest, dict) else None
    if not named:
        return other if other is not None and is_scalar(other) else None
    all_values = [*named, *([other] if other is not None else [])]
    if len(named) >= 2 and all(part.get("type") == "boolean" for part in all_values):
        return {"type": "boolean"}
    return None


def _array(path: Path, schema: Schema, root: Schema, required: bool) -> Table | None:
    if "prefixItems" in schema or "object" in (schema.get("type") or ""):
        return None
    items = simple(schema.get("items"), root)
    if kind_of(items) == "object" and items.get("properties"):
        leaves = list(_parts(items, root, (), depth=1))
        fields = tuple(field_at(below, part, required=need) for below, part, need in leaves)
        return Table(Kind.ROWS, path, label_of(path), fields[:MAX_FIELDS], (), schema, required)
    if is_scalar(items):
        return Table(Kind.LIST, path, label_of(path), (field_at((), items),), (), schema, required)
    return None


def _named(table: Table, taken: set[str]) -> Table:
    """The table with a name for its sheet that Excel allows and no other has."""
    base = _NOT_IN_NAMES.sub("_", table.sheet).strip("' ")[:_LONGEST_NAME] or "Table"
    name, number = base, 2
    while name.lower() in taken or name.lower() == "history":  # Excel keeps that one for itself
        suffix = f"_{number}"
        name, number = base[: _LONGEST_NAME - len(suffix)] + suffix, number + 1
    taken.add(name.lower())
    return Table(
        table.kind, table.path, name, table.fields, table.names, table.schema, table.required
    )


def column_of_list(table: Table) -> str:
    """The header of a LIST's only column."""
    return table.path[-1] if table.path else "value"


Document = dict[str, Any]
