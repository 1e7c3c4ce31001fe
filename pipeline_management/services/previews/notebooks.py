"""Jupyter notebooks as cells of plain text, code and pictures. Nothing of them runs, and no mark-up of theirs is kept.

Format: nbformat 3 and 4 (https://nbformat.readthedocs.io). Text is a string or a list of strings there.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from pipeline_management.services.log_text import readable

MOST_CELLS = 300
LONGEST_TEXT = 100_000
MOST_PICTURES = 8 * 1024 * 1024
"""Bytes of all pictures together, in base64."""
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
}


@dataclass(frozen=True, slots=True)
class Output:
    """What a cell gave: text, or a picture as a ``data:`` address that was checked to be one."""

    text: str = ""
    picture: str = ""
    error: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``kind`` is "code", "markdown" or "raw", ``number`` the execution count or ""."""

    kind: str
    number: str
    source: str
    outputs: list[Output] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Notebook:
    """``left_out`` counts cells beyond the most that are shown."""

    language: str
    cells: list[Cell]
    left_out: int


def notebook(data: bytes) -> Notebook | None:
    """The notebook in a file; None where it is none."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    found = document.get("cells")
    if found is None:  # nbformat 3 had worksheets
        sheets = document.get("worksheets")
        first = sheets[0] if isinstance(sheets, list) and sheets else {}
        found = first.get("cells") if isinstance(first, dict) else None
    if not isinstance(found, list):
        return None
    room = [MOST_PICTURES]
    cells = [_cell(cell, room) for cell in found[:MOST_CELLS] if isinstance(cell, dict)]
    return Notebook(_language(document), cells, max(0, len(found) - MOST_CELLS))


def _language(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    info = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = info.get("display_name") if isinstance(info, dict) else None
    return _text(name)[:60]


def _cell(cell: dict[str, Any], room: list[int]) -> Cell:
    kind = cell.get("cell_type")
    count = cell.get("execution_count", cell.get("prompt_number"))
    outputs = cell.get("outputs") if kind == "code" else None
    shown = [
        found
        for output in (outputs if isinstance(outputs, list) else [])[:100]
        if isinstance(output, dict) and (found := _output(output, room)) is not None
    ]
    return Cell(
        kind if kind in ("code", "markdown") else "raw",
        str(count) if isinstance(count, int) else "",
        _text(cell.get("source", cell.get("input"))),
        shown,
    )


def _output(output: dict[str, Any], room: list[int]) -> Output | None:
    kind = output.get("output_type")
    if kind in ("error", "pyerr"):
        trace = output.get("traceback")
        lines = trace if isinstance(trace, list) else []
        said = "\n".join(line for line in lines if isinstance(line, str))
        return Output(text=_text(said or output.get("evalue")), error=True)
    if kind == "stream":
        return Output(text=_text(output.get("text")), error=output.get("name") == "stderr")
    data = output.get("data")
    bundle = data if isinstance(data, dict) else {}
    for name in _PICTURES:
        picture = _picture(name, bundle.get(name, output.get(name.partition("/")[2])), room)
        if picture:
            return Output(picture=picture)
    text = _text(bundle.get("text/plain", output.get("text")))
    return Output(text=text) if text else None


def _picture(name: str, value: Any, room: list[int]) -> str:
    joined = _joined(value)
    if not joined or len(joined) > room[0]:
        return ""
    try:
        content = base64.b64decode("".join(joined.split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    if not content.startswith(_BEGINNINGS[name]):
        return ""
    room[0] -= len(joined)
    return f"data:{name};base64,{base64.b64encode(content).decode()}"


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _text(value: Any) -> str:
    return readable(_joined(value)[:LONGEST_TEXT].encode("utf-8", "replace"))
