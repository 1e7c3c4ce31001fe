"""Bytes of output cut so that no line and no character is torn, and made readable. Nothing here reads anything."""

from __future__ import annotations

import re
from dataclasses import dataclass

# ECMA-48: control sequences (colours, cursor), operating system commands (window titles), single escapes
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes from ``offset`` on; ``starts_line``: the first of them is the first of a line."""

    data: bytes
    offset: int
    starts_line: bool

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + len(self.data)


def whole_characters(data: bytes) -> int:
    """How many bytes of ``data`` end with a whole UTF-8 character; at most three are left over."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 != 0b1000_0000:
            length = (
                1 if byte < 0x80 else 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4
            )
            return len(data) - back if length > back and byte >= 0xC0 else len(data)
    return len(data)


def begin_at_line(data: bytes, offset: int, *, look_back: bool, snap: bool) -> Piece:
    """``data`` of which the first byte is only a look back at what stands before ``offset``.

    ``look_back`` False: there is no such byte, ``offset`` is the file's beginning. ``snap``: move on to the
    first line that begins there; where none does, to the first whole character.
    """
    if not look_back:
        return Piece(data, offset, starts_line=True)
    before, data = data[:1], data[1:]
    if before == b"\n" or not snap:
        return Piece(data, offset, starts_line=before == b"\n")
    begin = data.find(b"\n") + 1
    if 0 < begin < len(data):
        return Piece(data[begin:], offset + begin, starts_line=True)
    torn = next((at for at, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
    return Piece(data[torn:], offset + torn, starts_line=False)


def end_with_line(piece: Piece) -> Piece:
    """The piece up to its last newline; where it has none, up to its last whole character."""
    end = piece.data.rfind(b"\n") + 1 or whole_characters(piece.data)
    return Piece(piece.data[:end], piece.offset, piece.starts_line)


def end_with_character(piece: Piece) -> Piece:
    """The piece up to its last whole character."""
    return Piece(piece.data[: whole_characters(piece.data)], piece.offset, piece.starts_line)


def readable(data: bytes) -> str:
    """Text without escape sequences and other control characters.

    A line that was overwritten with carriage returns (progress bars) shows what was written last;
    bytes that are not UTF-8 show as replacement characters.
    """
    text = _ESCAPES.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))
