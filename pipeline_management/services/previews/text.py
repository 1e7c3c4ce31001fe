"""Bytes of a text file as readable text: which encoding, whole lines, no escape sequences."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from hpc.files.browsing import Peek
from pipeline_management.services import log_text

PART = 128 * 1024
"""Bytes of a text that are shown at once."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A part of a file as text; ``start`` and ``stop`` are its bytes, of ``size``.

    ``first_line`` is the number of the first line, None where it is not known.
    """

    text: str
    encoding: str
    start: int
    stop: int
    size: int
    first_line: int | None

    @property
    def before(self) -> int | None:
        """Where the part before this one begins; None at the beginning."""
        return max(0, self.start - PART) if self.start else None

    @property
    def after(self) -> int | None:
        """Where the part behind this one begins; None at the end."""
        return self.stop if self.stop < self.size else None

    @property
    def lines(self) -> int:
        """How many lines are shown."""
        return self.text.count("\n") + (not self.text.endswith("\n")) if self.text else 0


def looks_binary(data: bytes) -> bool:
    """Whether bytes from the beginning of a file are no text: NULs without a mark of UTF-16."""
    return b"\0" in data and _marked(data) is None


def decoded(data: bytes, *, more: bool = False) -> tuple[str, str]:
    """The text and the name of its encoding: by its mark, else UTF-8, else Windows-1252, which takes any byte.

    ``more``: the file goes on behind the data, whose last character may be torn.
    """
    mark = _marked(data)
    if mark is not None:
        return data[len(mark[0]) :].decode(mark[1], "replace"), mark[1]
    cut = log_text.whole_characters(data) if more else len(data)
    try:
        return data[:cut].decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), "windows-1252"


def part(peeked: Peek) -> Text:
    """What was read as text that begins and ends with a line where the part of the file has such."""
    piece = log_text.Piece(peeked.data, peeked.offset, starts_line=peeked.offset == 0)
    if peeked.offset:  # one byte more was asked for, to see whether a line begins here
        piece = log_text.begin_at_line(peeked.data, peeked.offset + 1, look_back=True, snap=True)
    wide = piece.offset == 0 and _marked(piece.data) not in (None, _MARKS[0])
    if peeked.end < peeked.size and not wide:
        piece = log_text.end_with_line(piece)
    text, encoding = decoded(piece.data, more=piece.end < peeked.size)
    shown = log_text.readable(text.encode("utf-8", "replace"))
    first = 1 if piece.offset == 0 else None
    return Text(shown, encoding, piece.offset, piece.end, peeked.size, first)


def _marked(data: bytes) -> tuple[bytes, str] | None:
    return next((mark for mark in _MARKS if data.startswith(mark[0])), None)
