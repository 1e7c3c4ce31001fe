"""A configuration taken apart into the cells of a layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline_management.services.workbook.layout import Document, Kind, Layout, Table
from pipeline_management.services.workbook.shape import Field, Path, is_scalar, types_of
from pipeline_management.services.workbook.values import Scalar, Unwritable, written

Columns = dict[Path, Scalar]


@dataclass
class Filled:
    """What stands in the cells. ``settings`` and each row by path; ``lost`` says what found no place."""

    settings: Columns = field(default_factory=dict)
    rows: dict[Path, list[Columns]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def filled(layout: Layout, document: Document) -> Filled:
    """The cells of a configuration; what has no sheet or row of its own is JSON among the settings."""
    result = Filled()
    tables = {table.path: table for table in layout.tables}
    settings = {row.path: row for row in layout.settings}
    inner = _prefixes([*tables, *settings])
    for path, value in _leaves(document, (), inner):
        table = tables.get(path)
        try:
            rows = _rows(table, value) if table else None
            if rows is None:
                row = settings.get(path) or Field(path, is_json=isinstance(value, dict | list))
                result.settings[path] = written(row, value)
            else:
                result.rows[path] = rows
        except Unwritable as error:
            result.lost.append(str(error))
    return result


def _prefixes(paths: list[Path]) -> set[Path]:
    return {path[:end] for path in paths for end in range(1, len(path))}


def _leaves(value: Document, path: Path, inner: set[Path]) -> Iterator[tuple[Path, Any]]:
    """Every value with its path, going into the objects that have dotted keys."""
    for name, part in value.items():
        here = (*path, name)
        if here in inner and isinstance(part, dict) and part:
            yield from _leaves(part, here, inner)
        else:
            yield here, part


def _rows(table: Table, value: Any) -> list[Columns] | None:
    """The rows of a table; None where the value is no such table."""
    if table.kind is Kind.NAMES:
        return _names(table, value)
    if not isinstance(value, list) or (not value and not table.required):
        return None
    if table.kind is Kind.LIST:
        if not all(_fits(table.fields[0], item) for item in value):
            return None
        return [{(): written(table.fields[0], item)} for item in value]
    if not all(isinstance(item, dict) and item for item in value):
        return None
    columns = {column.path: column for column in table.fields}
    inner = _prefixes(list(columns))
    return [
        {
            path: written(
                columns.get(path) or Field(path, is_json=isinstance(part, dict | list)), part
            )
            for path, part in _leaves(item, (), inner)
        }
        for item in value
    ]


def _names(table: Table, value: Any) -> list[Columns] | None:
    if not isinstance(value, dict) or (not value and not table.required):
        return None
    if not all(name and name == name.strip() for name in value):
        return None
    if not all(_fits(table.fields[0], item) for item in value.values()):
        return None
    name_of = Field(("name",), frozenset({"string"}))
    return [
        {("name",): written(name_of, name), ("value",): written(table.fields[0], item)}
        for name, item in value.items()
    ]


def _fits(column: Field, value: Any) -> bool:
    return is_scalar({"const": value}) and (
        not column.types or bool(types_of({"const": value}) & _wider(column.types))
    )


def _wider(types: frozenset[str]) -> frozenset[str]:
    return types | {"integer"} if "number" in types else types
