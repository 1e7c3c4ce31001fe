"""A sheet of rows, of single values, or of names with values, read as its table says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline_management.services.schema_sentences import did_you_mean, shown
from pipeline_management.services.workbook.faults import TablePlaces, pointer_of
from pipeline_management.services.workbook.headers import Headers, header_row, tidy
from pipeline_management.services.workbook.layout import Kind, Table
from pipeline_management.services.workbook.process import Sheet
from pipeline_management.services.workbook.shape import Field, path_of
from pipeline_management.services.workbook.values import is_blank, unescaped

if TYPE_CHECKING:
    from pipeline_management.services.workbook.reading import Reader

_AS_TEXT = Field(("name",), frozenset({"string"}))


def read_table(reader: Reader, table: Table, sheet: Sheet) -> tuple[Any, TablePlaces]:
    """The value of the table, and where its parts stand; faults go to the reader."""
    places = TablePlaces(sheet.name)
    if table.kind is Kind.ROWS:
        return _rows(reader, table, sheet, places), places
    if table.kind is Kind.LIST:
        return _list(reader, table, sheet, places), places
    return _names(reader, table, sheet, places), places


def _rows(reader: Reader, table: Table, sheet: Sheet, places: TablePlaces) -> list[dict[str, Any]]:
    first = header_row(sheet)
    if first is None:
        return []
    columns = _columns(reader, table, sheet, first[1], first[0])
    places.columns = {field.path: letter for letter, field in columns.items()}
    rows: list[dict[str, Any]] = []
    for number, cells in sheet.rows:
        filled = {letter: cell for letter, cell in cells.items() if not is_blank(cell)}
        if number <= first[0] or not filled:
            continue
        places.rows.append(number)
        rows.append(_row(reader, table, places, columns, filled))
    return rows


def _row(
    reader: Reader,
    table: Table,
    places: TablePlaces,
    columns: dict[str, Field],
    cells: dict[str, Any],
) -> dict[str, Any]:
    """One entry. ``places`` has its row as the last one."""
    number = len(places.rows)
    entry: dict[str, Any] = {}
    for letter, cell in cells.items():
        where = (places.sheet, f"{letter}{places.rows[-1]}")
        field = columns.get(letter)
        if field is None:
            message = "There is a value, but the column has no header."
            reader.fault(*where, message, pointer_of(table, number - 1), number)
            continue
        at = pointer_of(table, number - 1, *field.path)
        before = len(reader.faults)
        value = reader.value(field, cell, where, at, number)
        if len(reader.faults) == before:
            reader.put(entry, field.path, value, where, at)
    return entry


def _columns(
    reader: Reader, table: Table, sheet: Sheet, cells: dict[str, Any], row: int
) -> dict[str, Field]:
    """The field of each column, by its header."""
    exact = {field.label: field for field in table.fields}
    loose = {tidy(label): field for label, field in reversed(exact.items())}
    found: dict[str, Field] = {}
    unknown: dict[str, str] = {}
    for letter, cell in cells.items():
        if is_blank(cell):
            continue
        if not isinstance(cell, str):
            reader.fault(sheet.name, f"{letter}{row}", "The header of the column is no text.")
            continue
        name = unescaped(cell).strip()
        field = (
            exact.get(name) or exact.get(name.removesuffix("*").rstrip()) or loose.get(tidy(name))
        )
        if field is None:
            unknown[letter] = name
        elif field in found.values():
            reader.fault(sheet.name, f"{letter}{row}", f"There is another column {field.label}.")
        else:
            found[letter] = field
    missing = [field.label for field in table.fields if field not in found.values()]
    for letter, name in unknown.items():
        meant = did_you_mean(name, missing)
        if meant or not all(path_of(name)):
            reader.fault(sheet.name, f"{letter}{row}", f"There is no column {shown(name)}{meant}.")
            found[letter] = _meant(table, name) if meant else Field((name or "?",))
        else:
            found[letter] = Field(path_of(name))
    return found


def _meant(table: Table, name: str) -> Field:
    """The field that a slip stands for, so that its cells are not faults as well."""
    for field in table.fields:
        if did_you_mean(name, [field.label]):
            return field
    return Field((name,))


def _list(reader: Reader, table: Table, sheet: Sheet, places: TablePlaces) -> list[Any]:
    first = header_row(sheet)
    if first is None:
        return []
    letter = next(letter for letter, cell in first[1].items() if not is_blank(cell))
    places.columns = {(): letter}
    values: list[Any] = []
    for number, cells in sheet.rows:
        cell = cells.get(letter)
        if number <= first[0] or cell is None or is_blank(cell):
            continue
        places.rows.append(number)
        at = pointer_of(table, len(values))
        values.append(
            reader.value(
                table.fields[0], cell, (sheet.name, f"{letter}{number}"), at, len(values) + 1
            )
        )
    return values


def _names(reader: Reader, table: Table, sheet: Sheet, places: TablePlaces) -> dict[str, Any]:
    headers = Headers.of(sheet, ("name", "value"))
    if headers is None:
        if sheet.rows:
            text = "The first row must have the headers “Name” and “Value”, as in the template."
            reader.fault(sheet.name, "A1", text, pointer_of(table))
        return {}
    name_column, value_column = headers.letters["name"], headers.letters["value"]
    places.columns = {("name",): name_column, ("value",): value_column}
    values: dict[str, Any] = {}
    for number, cells in headers.below(sheet):
        name, cell = cells.get(name_column), cells.get(value_column)
        if cell is None or is_blank(cell):
            continue
        where = (sheet.name, f"{name_column}{number}")
        if name is None or is_blank(name):
            reader.fault(*where, "There is a value, but no name.", pointer_of(table))
            continue
        key = reader.value(_AS_TEXT, name, where, pointer_of(table))
        if not isinstance(key, str):
            continue
        if key in values:
            reader.fault(*where, f"{shown(key)} is there twice.", pointer_of(table, key))
            continue
        places.names[key] = number
        at = pointer_of(table, key)
        before = len(reader.faults)
        value = reader.value(table.fields[0], cell, (sheet.name, f"{value_column}{number}"), at)
        if len(reader.faults) == before:
            values[key] = value
    return values
