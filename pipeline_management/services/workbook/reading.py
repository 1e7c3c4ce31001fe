"""The cells of a workbook put together to a configuration, tolerant of what people do to sheets."""

from __future__ import annotations

from typing import Any

from pipeline_management.services.schema_sentences import did_you_mean, pointer, shown
from pipeline_management.services.workbook.faults import (
    MAX_FAULTS,
    CellProblem,
    Places,
)
from pipeline_management.services.workbook.headers import Columns, Headers, tidy
from pipeline_management.services.workbook.layout import (
    FAULTS,
    IDENTITY,
    README,
    SETTINGS,
    Document,
    Layout,
    Table,
)
from pipeline_management.services.workbook.process import Book, Sheet
from pipeline_management.services.workbook.shape import Field, Path, label_of, path_of
from pipeline_management.services.workbook.tables import read_table
from pipeline_management.services.workbook.values import Unreadable, is_blank, read


class Reader:
    """One reading: ``document``, ``places``, and what is wrong (``faults``) or looks so (``warnings``)."""

    def __init__(self, layout: Layout, book: Book) -> None:
        self.layout = layout
        self.document: Document = {}
        self.places = Places(layout)
        self.faults: list[CellProblem] = []
        self.warnings: list[CellProblem] = []
        self._sheets = self._assigned(book)
        settings = self._sheets.get(SETTINGS)
        if settings is None:
            self.fault("", "", f"The workbook has no sheet “{SETTINGS}”; start from the template.")
        else:
            self.places.settings_sheet = settings.name
            self._settings(settings)
        for table in layout.tables:
            sheet = self._sheets.get(table.sheet)
            if sheet is not None:
                self._table(table, sheet)
            elif table.required and not self.has(table.path):
                text = f"The workbook has no sheet “{table.sheet}”, which holds {table.label}."
                self.fault("", "", text, pointer(table.path))

    def fault(
        self, sheet: str, cell: str, message: str, at: str = "", row: int | None = None
    ) -> None:
        """Note something wrong, as long as there is not too much."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(CellProblem("workbook", message, at, row, None, None, sheet, cell))

    def value(
        self, column: Field, cell: Any, where: tuple[str, str], at: str, row: int | None = None
    ) -> Any:
        """The value of a cell; None and a fault where it has none. ``where`` is (sheet, cell)."""
        try:
            return read(column, cell)
        except Unreadable as error:
            self.fault(*where, f"{column.label or 'The cell'} {error}.", at, row)
            return None

    def set(self, path: Path, value: Any, where: tuple[str, str]) -> bool:
        """Put a value into the configuration; a fault where something else is in the way."""
        return self.put(self.document, path, value, where, pointer(path))

    def put(
        self, target: Document, path: Path, value: Any, where: tuple[str, str], at: str
    ) -> bool:
        """Put a value into an object, making the objects on the way."""
        for part in path[:-1]:
            below = target.setdefault(part, {})
            if not isinstance(below, dict):
                self.fault(*where, f"{label_of(path)} is given in two ways.", at)
                return False
            target = below
        if path[-1] in target:
            self.fault(*where, f"{label_of(path)} is given twice.", at)
            return False
        target[path[-1]] = value
        return True

    def has(self, path: Path) -> bool:
        """Whether the configuration has something at a path by now."""
        node: Any = self.document
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True

    def _assigned(self, book: Book) -> dict[str, Sheet]:
        """The sheets by the names of the layout; case and blanks do not matter, slips are told."""
        wanted = [SETTINGS, *(table.sheet for table in self.layout.tables)]
        by_name = {tidy(name): name for name in wanted}
        aside = {tidy(name) for name in (README, IDENTITY, FAULTS)}
        found: dict[str, Sheet] = {}
        others = []
        for sheet in book.sheets:
            name = by_name.get(tidy(sheet.name))
            if name is not None and name not in found:
                found[name] = sheet
            elif tidy(sheet.name) not in aside and not sheet.hidden:
                others.append(sheet)
        missing = [name for name in wanted if name not in found]
        for sheet in others:
            meant = did_you_mean(sheet.name.strip(), missing)
            if meant and sheet.rows:
                text = f"The template has no sheet {shown(sheet.name)}{meant}; rename or delete it."
                self.fault(sheet.name, "", text)
            elif sheet.rows:
                text = f"The sheet {shown(sheet.name)} is not of the template and was not read."
                self.warnings.append(
                    CellProblem("workbook_sheet", text, "", None, None, None, sheet.name, "")
                )
        return found

    def _settings(self, sheet: Sheet) -> None:
        headers = Headers.of(sheet, ("key", "value"))
        if headers is None:
            text = "The first row must have the headers “Key” and “Value”, as in the template."
            self.fault(sheet.name, "A1", text)
            return
        known: Columns = {row.label: row for row in self.layout.settings}
        tables = {table.label: table for table in self.layout.tables}
        given = _Keys(known, tables)
        key_column, value_column = headers.letters["key"], headers.letters["value"]
        unknown = []
        for number, cells in headers.below(sheet):
            key, cell = cells.get(key_column), cells.get(value_column)
            where = (sheet.name, f"{value_column}{number}")
            if key is None or is_blank(key):
                if cell is not None and not is_blank(cell):
                    self.fault(sheet.name, f"{key_column}{number}", "There is a value, but no key.")
                continue
            if not isinstance(key, str):
                self.fault(sheet.name, f"{key_column}{number}", "The key is no text.")
                continue
            field = given.field(key)
            empty = cell is None or is_blank(cell)
            if field is None:
                if not empty:
                    unknown.append((key, cell, where, number))
                continue
            self.places.keys.setdefault(field.path, where[1])
            if not empty:
                self._setting(field, cell, where)
        for key, cell, where, number in unknown:
            self._unknown(key, cell, where, f"{key_column}{number}", list(known))

    def _setting(self, field: Field, cell: Any, where: tuple[str, str]) -> None:
        before = len(self.faults)
        value = self.value(field, cell, where, pointer(field.path))
        if len(self.faults) == before and self.set(field.path, value, where):
            self.places.settings[field.path] = where[1]

    def _unknown(
        self, key: str, cell: Any, where: tuple[str, str], key_cell: str, known: list[str]
    ) -> None:
        """A key that the template has not: a slip of one that has no value, or a key of its own."""
        missing = [label for label in known if not self.has(path_of(label))]
        holds_some = any(label.startswith(f"{key.strip()}.") for label in known)  # an object, told as JSON
        meant = "" if holds_some else did_you_mean(key.strip(), missing)
        if meant:
            self.fault(where[0], key_cell, f"There is no key {shown(key.strip())}{meant}.")
        else:
            path = path_of(key.strip())
            if all(path):
                self._setting(Field(path), cell, where)
            else:
                self.fault(where[0], key_cell, f"{shown(key.strip())} is no key.")

    def _table(self, table: Table, sheet: Sheet) -> None:
        if self.has(table.path):
            if len(sheet.rows) > 1:
                text = (
                    f"{table.label} is given in the sheet “{SETTINGS}” too; take one of them away."
                )
                self.fault(sheet.name, "", text, pointer(table.path))
            return
        value, places = read_table(self, table, sheet)
        self.places.tables[table.path] = places
        if value or table.required:
            self.set(table.path, value, (sheet.name, ""))


class _Keys:
    """The keys of the settings, whatever their case; a table may be given there as JSON."""

    def __init__(self, known: Columns, tables: dict[str, Table]) -> None:
        whole = {label: Field(table.path, is_json=True) for label, table in tables.items()}
        self._exact = {**whole, **known}
        self._lower = {tidy(label): field for label, field in reversed(self._exact.items())}

    def field(self, key: str) -> Field | None:
        for name in (key, key.strip(), key.strip().removesuffix("*").rstrip()):
            if name in self._exact:
                return self._exact[name]
        return self._lower.get(tidy(key))
