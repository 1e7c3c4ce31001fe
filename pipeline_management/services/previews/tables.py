"""CSV and TSV as rows: the delimiter is guessed, the number of rows, columns and characters is bounded."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from hpc.commands import MIB
from hpc.files.browsing import Peek
from pipeline_management.services import log_text
from pipeline_management.services.previews.text import decoded

READ = MIB
MOST_ROWS = 500
MOST_COLUMNS = 60
LONGEST_CELL = 300
_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Table:
    """The head and at most 500 rows; ``more_rows``, ``more_columns`` say that there are others."""

    head: list[str]
    rows: list[list[str]]
    delimiter: str
    more_rows: bool
    more_columns: bool


def table(peeked: Peek) -> Table | None:
    """The table in the first bytes of a file; None where they are none (one column, or not readable as CSV)."""
    data = peeked.data
    if peeked.end < peeked.size:
        data = log_text.end_with_line(log_text.Piece(data, 0, starts_line=True)).data
    text = decoded(data, more=peeked.end < peeked.size)[0].replace(
        "\0", "\N{REPLACEMENT CHARACTER}"
    )
    delimiter = _delimiter(text)
    if delimiter is None:
        return None
    rows: list[list[str]] = []
    # a comment before the head, as VCF and MultiQC write it, is not the head
    body = io.StringIO("".join(_without_comments(text)), newline="")
    try:
        for row in csv.reader(body, delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > MOST_ROWS + 1:
                break
    except csv.Error:
        return None
    if not rows:
        return None
    widest = max(len(row) for row in rows)
    width = min(widest, MOST_COLUMNS)
    shown = [[_cell(value) for value in row[:width]] for row in rows]
    shown = [row + [""] * (width - len(row)) for row in shown]
    more_rows = len(rows) > MOST_ROWS + 1 or peeked.end < peeked.size
    return Table(
        shown[0], shown[1 : MOST_ROWS + 1], _NAMES[delimiter], more_rows, widest > MOST_COLUMNS
    )


def _delimiter(text: str) -> str | None:
    """What divides the most lines of the first fifty into the same number of fields."""
    lines = [line for line in _without_comments(text[:65536]) if line.strip()][:50]
    best, score = None, 0
    for candidate in _NAMES:
        counts = [line.count(candidate) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        same = counts.count(usual) * (usual > 0)
        if same * usual > score:
            best, score = candidate, same * usual
    return best


def _without_comments(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    at = 0
    while at < len(lines) and lines[at].startswith("##"):
        at += 1
    return lines[at:]


def _cell(value: str) -> str:
    shown = log_text.readable(value.encode("utf-8", "replace"))
    return shown if len(shown) <= LONGEST_CELL else shown[:LONGEST_CELL] + "…"
