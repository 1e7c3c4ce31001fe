"""Problems of a workbook, with their sheet and cell, and where each value of the configuration came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline_management.errors import Problem
from pipeline_management.services.schema_sentences import pointer
from pipeline_management.services.workbook.layout import SETTINGS, Document, Layout, Table
from pipeline_management.services.workbook.shape import Path

MAX_FAULTS = 200
_ROWS = r"\d+(?:, \d+)*(?: and \d+(?!\d| more))?"


@dataclass(frozen=True, slots=True)
class CellProblem(Problem):
    """A problem with the place in the workbook; both "" where there is none, ``cell`` "" for a whole sheet."""

    sheet: str = ""
    cell: str = ""

    @property
    def place(self) -> str:
        """For people: ``dataFiles!C7``."""
        return f"{self.sheet}!{self.cell}" if self.cell else self.sheet


@dataclass
class TablePlaces:
    """Of the rows of a table, in their order: ``rows`` their numbers, ``columns`` letters by path within a row.
    For names with values ``names`` has the row of each."""

    sheet: str
    rows: list[int] = field(default_factory=list)
    columns: dict[Path, str] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)

    def renumbered(self, said: re.Match[str]) -> str:
        """What a pattern with two groups, words and numbers of rows, has found, in rows of the sheet."""
        words, numbers = said.groups()
        return words + re.sub(r"\d+", lambda found: self._row(int(found[0])), numbers)

    def _row(self, number: int) -> str:
        return str(self.rows[number - 1] if 0 < number <= len(self.rows) else number)


@dataclass
class Places:
    """Where what was read. ``settings`` are cells by path, ``keys`` the cells beside which a value is missing."""

    layout: Layout
    settings_sheet: str = SETTINGS
    settings: dict[Path, str] = field(default_factory=dict)
    keys: dict[Path, str] = field(default_factory=dict)
    tables: dict[Path, TablePlaces] = field(default_factory=dict)

    def located(self, problems: Sequence[Problem], document: Document) -> list[CellProblem]:
        """The problems with their places; line and column are those of no text that anybody has seen."""
        return [self._located(problem, document) for problem in problems]

    def _located(self, problem: Problem, document: Document) -> CellProblem:
        if isinstance(problem, CellProblem):
            return problem
        path = _parts(problem.pointer)
        if problem.code == "required":
            path = (*path, *self._missing(problem, path))
        sheet, cell = self._find(path)
        text = self._in_rows_of_sheet(problem.message, path)
        return CellProblem(
            problem.code, text, problem.pointer, problem.row, None, None, sheet, cell
        )

    def _in_rows_of_sheet(self, text: str, path: Path) -> str:
        """The sentence with the numbers that the rows have in their sheet, below its heads and with its gaps."""
        for table_path, table in self.tables.items():
            if path[: len(table_path)] != table_path or table.names:
                continue
            subject = re.escape(".".join(map(str, table_path)))
            text = re.sub(rf"^({subject} rows? )({_ROWS})", table.renumbered, text)
            text = re.sub(r"(is the same as row )(\d+)", table.renumbered, text, count=1)
        return text

    def _missing(self, problem: Problem, path: Path) -> Path:
        """The key that a sentence of "required" is about: one that the layout has, below the path."""
        known = [row.path for row in self.layout.settings] + [t.path for t in self.layout.tables]
        for table in self.layout.tables:
            if path[: len(table.path)] == table.path and len(path) > len(table.path):
                inside = path[: len(table.path) + 1]
                known += [(*inside, *column.path) for column in table.fields]
        below = {p[len(path) :][:1] for p in known if p[: len(path)] == path and len(p) > len(path)}
        named = [name for name in below if name[0] in problem.message]
        return max(named, key=lambda name: len(name[0]), default=())

    def _find(self, path: Path) -> tuple[str, str]:
        """The nearest place on the way to a value."""
        for end in range(len(path), 0, -1):
            here = path[:end]
            for cells in (self.settings, self.keys):
                if here in cells:
                    return self.settings_sheet, cells[here]
            for table_path, table in self.tables.items():
                if here[: len(table_path)] == table_path:
                    return table.sheet, _in_table(table, here[len(table_path) :])
        for part in self.layout.tables:
            if path and part.path[: len(path)] == path:
                return self.tables[part.path].sheet if part.path in self.tables else "", ""
        return "", ""


def _in_table(table: TablePlaces, path: Path) -> str:
    if not path:
        return ""
    if table.names:
        number = table.names.get(path[0])
        return "" if number is None else f"{table.columns[('value',)]}{number}"
    number = int(path[0]) if path[0].isdigit() else len(table.rows)
    if number >= len(table.rows) or not table.columns:
        return ""
    for end in range(len(path), 0, -1):
        column = table.columns.get(path[1:end])
        if column is not None:
            return f"{column}{table.rows[number]}"
    below = [letter for key, letter in table.columns.items() if key[: len(path) - 1] == path[1:]]
    first = below[0] if below and len(path) > 1 else next(iter(table.columns.values()))
    return f"{first}{table.rows[number]}"


def _parts(text: str) -> Path:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def pointer_of(table: Table, *rest: str | int) -> str:
    """The JSON pointer of something in a table."""
    return pointer([*table.path, *rest])
