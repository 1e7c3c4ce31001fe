"""Text from configurations and clusters, made fit for a mail: it stays text and cannot be a header."""

from __future__ import annotations

import re

# What terminals take as commands: colours, cursor moves, window titles (ECMA-48, 5.4 and 5.6).
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def one_line(text: str, length: int) -> str:
    """The text in one line of at most ``length`` characters, without control characters."""
    shown = "".join(char if char.isprintable() else " " for char in _ESCAPES.sub("", text))
    line = " ".join(shown.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def last_lines(data: bytes, count: int, length: int) -> list[str]:
    """The last lines with something in them, at most ``count``, each of at most ``length`` characters.

    Of a line that was overwritten by carriage returns only what was seen last is kept.
    """
    text = _ESCAPES.sub("", data[-count * length * 4 :].decode("utf-8", "replace"))
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    kept = [line for line in lines if line.strip()][-count:]
    return [
        "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)[:length]
        for line in kept
    ]
