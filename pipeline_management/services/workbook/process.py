"""The process in which uploaded workbooks are opened.

Measured with openpyxl 3.1.5: a workbook of 100,000 rows takes seconds of processor time, and files of a few
megabytes can be made that need gigabytes. In a web process either would hold up everybody else; a process of its own
costs a quarter of a second, has limits (``child/main.py``), and gives its memory back whatever was in the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_management.errors import InvalidRequest, Problem, TooLarge, Unavailable

MAX_FILE = 10_000_000
"""Bytes of the largest workbook that is read."""
MAX_TO_MARK = 150_000
"""Cells of the largest workbook that is marked: writing keeps all of them in memory at once."""
SECONDS = 20
AT_ONCE = 2
"""Workbooks that one web process has opened at a time; who finds no place for ``_PATIENCE`` seconds is told so."""

_PATIENCE = 15.0
_REFUSED = 3
_MAIN = Path(__file__).parent / "child" / "main.py"
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Sheet:
    """``rows`` are (number, {column letters: cell}), as ``child.cells`` describes them."""

    name: str
    hidden: bool
    rows: list[tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class Book:
    """Everything that stands in a workbook."""

    sheets: list[Sheet]
    cells: int


def opened(data: bytes) -> Book:
    """The cells of an xlsx file. Raises ``TooLarge``, ``InvalidRequest`` with what is wrong with the file as a
    whole (codes ``workbook_…``), ``Unavailable`` while too many others are being read."""
    answer = json.loads(_run("read", b"", data))
    sheets = [
        Sheet(sheet["name"], sheet["state"] != "visible", sheet["rows"])
        for sheet in answer["sheets"]
    ]
    return Book(sheets, answer["cells"])


def marked(data: bytes, faults: list[dict[str, str]]) -> bytes:
    """The file with ``faults`` (``sheet``, ``cell``, ``message``) marked in it. Raises like ``opened``."""
    return _run("mark", json.dumps(faults).encode() + b"\n", data)


def _run(what: str, head: bytes, data: bytes) -> bytes:
    if len(data) > MAX_FILE:
        message = f"The workbook is over {MAX_FILE // 10**6} MB; a configuration has no such size."
        raise TooLarge([Problem("too_large", message)])
    with _place():
        try:
            done = subprocess.run(  # noqa: S603  our own script, by its full path
                [sys.executable, "-I", "-B", str(_MAIN), what],
                input=head + data,
                capture_output=True,
                timeout=SECONDS,
                env={"LC_ALL": "C.UTF-8"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _refused("workbook_slow", f"Reading takes over {SECONDS} seconds.") from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode == _REFUSED:
        why = json.loads(done.stdout)
        raise _refused(why["code"], why["message"])
    raise _refused(
        "workbook_slow", "Reading the workbook takes more time or memory than one may have."
    )


def _refused(code: str, message: str) -> InvalidRequest:
    return InvalidRequest([Problem(code, message)])


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(timeout=_PATIENCE):
        raise Unavailable("Other workbooks are being read; try again in some seconds.")
    try:
        yield
    finally:
        _places.release()
