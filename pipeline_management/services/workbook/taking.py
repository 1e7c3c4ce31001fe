"""An uploaded workbook as a configuration: read, checked like every other one, problems named by their cells."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth.models import User
from openpyxl.utils.cell import column_index_from_string

from pipeline_management.errors import InvalidRequest, Problem, TooLarge
from pipeline_management.file_names import visible
from pipeline_management.models import PipelineVersion
from pipeline_management.services.documents import MAX_BODY
from pipeline_management.services.intake import PreparedRun, prepare
from pipeline_management.services.resolution import resolve
from pipeline_management.services.workbook import process
from pipeline_management.services.workbook.faults import CellProblem, Places
from pipeline_management.services.workbook.headers import Headers, tidy
from pipeline_management.services.workbook.layout import IDENTITY, SETTINGS, Document, layout_of
from pipeline_management.services.workbook.process import Book
from pipeline_management.services.workbook.reading import Reader
from pipeline_management.services.workbook.values import is_blank

_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")


@dataclass(frozen=True)
class Taken:
    """What a workbook says. ``problems`` hinder a run; without any, ``prepared`` is the run that it would be.

    ``text`` is the configuration as JSON, also while there are problems; ``cells`` the number of cells.
    """

    document: Document
    text: str
    places: Places
    cells: int
    problems: list[CellProblem] = field(default_factory=list)
    warnings: list[CellProblem] = field(default_factory=list)
    prepared: PreparedRun | None = None


def take(user: User, data: bytes, pipeline: str = "") -> Taken:
    """Read and check a workbook. ``pipeline`` is meant where the workbook names none.

    Raises ``InvalidRequest`` and ``TooLarge`` for files that are not read (``process.opened``) and for an unknown
    pipeline, ``NotAllowed`` for people who may not submit it.
    """
    book = process.opened(data)
    identity = _identity(book)
    reference = _named(book) or identity.reference or pipeline
    version = _version(user, reference)
    reader = Reader(layout_of(version.schema), book)
    reader.document.setdefault("pipeline", reference)
    document = reader.document
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if len(text.encode()) > MAX_BODY:
        message = (
            f"As JSON the workbook is over {MAX_BODY // 10**6} MB; split it into several runs."
        )
        raise TooLarge([Problem("too_large", message)])
    problems, run = list(reader.faults), None
    try:
        run = prepare(user=user, document=document)
    except InvalidRequest as error:
        problems += _others(reader.places.located(error.problems, document), reader.faults)
    warnings = [*reader.warnings, *identity.warnings(version)]
    if run is not None:
        warnings += reader.places.located(run.warnings, document)
    order = _order(book)
    return Taken(
        document,
        text,
        reader.places,
        book.cells,
        sorted(problems, key=order),
        sorted(warnings, key=order),
        None if problems else run,
    )


def prepared(user: User, data: bytes) -> PreparedRun:
    """The run that a workbook is about. Raises like ``take``, and ``InvalidRequest`` with all its problems."""
    taken = take(user, data)
    if taken.prepared is None:
        raise InvalidRequest(taken.problems)
    return replace(taken.prepared, warnings=list(taken.warnings))


def read(data: bytes, version: PipelineVersion) -> tuple[Document, Places, list[CellProblem]]:
    """The configuration in a workbook of a version, where its values stand, and what could not be read.

    Nothing is said of the pipeline's schema here. Raises like ``process.opened``.
    """
    reader = Reader(layout_of(version.schema), process.opened(data))
    reader.document.setdefault("pipeline", str(version))
    return reader.document, reader.places, reader.faults


def marked(data: bytes, problems: Sequence[CellProblem], cells: int) -> bytes:
    """The same file with the cells of the problems in red, a comment at each, and a sheet that lists them.

    Raises ``TooLarge`` for a workbook that is read but too large to be written again.
    """
    if cells > process.MAX_TO_MARK:
        most = process.MAX_TO_MARK
        message = (
            f"The workbook has {cells} cells, up to {most} can be marked; the list names them."
        )
        raise TooLarge([Problem("too_large", message)])
    faults = [
        {"sheet": problem.sheet, "cell": problem.cell, "message": visible(problem.message)}
        for problem in problems
    ]
    return process.marked(data, faults)


@dataclass(frozen=True)
class _Identity:
    """What the hidden sheet of the template says about where the workbook comes from."""

    pipeline: str = ""
    version: str = ""
    content: str = ""

    @property
    def reference(self) -> str:
        return f"{self.pipeline}@{self.version}" if self.pipeline and self.version else ""

    def warnings(self, version: PipelineVersion) -> list[CellProblem]:
        """A template of something else than what runs."""
        if not self.reference:
            return []
        if self.reference != str(version):
            text = f"The workbook was made for {self.reference[:140]}, and what runs is {version}."
        elif self.content and self.content != version.content_sha256:
            text = f"{version} has changed since this workbook was downloaded."
        else:
            return []
        return [CellProblem("workbook_version", text)]


def _identity(book: Book) -> _Identity:
    for sheet in book.sheets:
        if tidy(sheet.name) == IDENTITY:
            pairs = [(cells.get("A"), cells.get("B")) for _number, cells in sheet.rows[:20]]
            facts = {key: value for key, value in pairs if isinstance(key, str)}
            known = {name: facts.get(name) for name in ("pipeline", "version", "content")}
            return _Identity(**{k: v for k, v in known.items() if isinstance(v, str)})
    return _Identity()


def _named(book: Book) -> str:
    """The pipeline that the settings name; needed before it is known what the settings are."""
    sheet = next((sheet for sheet in book.sheets if tidy(sheet.name) == tidy(SETTINGS)), None)
    headers = Headers.of(sheet, ("key", "value")) if sheet else None
    if sheet is None or headers is None:
        return ""
    for _number, cells in headers.below(sheet):
        key, value = (cells.get(headers.letters[name]) for name in ("key", "value"))
        if isinstance(key, str) and tidy(key) == "pipeline":
            return value.strip() if isinstance(value, str) and not is_blank(value) else ""
    return ""


def _version(user: User, reference: str) -> PipelineVersion:
    if not reference:
        message = "The workbook does not say which pipeline it is for; start from the pipeline's template."
        raise InvalidRequest([Problem("pipeline", message, "/pipeline")])
    found = resolve(user, {"pipeline": reference})
    if found.version is None:
        wrong = [problem for problem in found.problems if problem.pointer == "/pipeline"]
        raise InvalidRequest(wrong or found.problems)
    return found.version


def _others(located: list[CellProblem], known: list[CellProblem]) -> list[CellProblem]:
    """Those that do not follow from a cell which could not be read at all."""
    unread = {(problem.sheet, problem.cell) for problem in known}
    return [
        problem
        for problem in located
        if not problem.cell or (problem.sheet, problem.cell) not in unread
    ]


def _order(book: Book) -> Any:
    """By sheet, row and column; what has no cell comes first within its sheet, what has no sheet at the end."""
    numbers = {sheet.name: number for number, sheet in enumerate(book.sheets)}

    def key(problem: CellProblem) -> tuple[int, int, int]:
        found = _CELL.fullmatch(problem.cell)
        row, column = (int(found[2]), column_index_from_string(found[1])) if found else (0, 0)
        return numbers.get(problem.sheet, len(numbers)), row, column

    return key
