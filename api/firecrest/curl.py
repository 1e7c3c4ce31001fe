"""The curl line that brings a file into the staging area.

The blocking client of pyfirecrest splits it with ``shlex.split`` and starts it without a shell, the asynchronous
one hands it to a shell, and people paste it: so it is made of plain and single-quoted words only.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

# curl takes "," and ";" in a file name of -F for the begin of something else, so such names are quoted for
# curl too (curl(1), -F: "If filename/path contains ',' or ';', it must be quoted by double-quotes").
_PLAIN = re.compile(r"[\w./@%+=:~-]+")


def form_upload(url: str, fields: Mapping[str, str], path: str) -> str:
    """A line that posts ``fields`` and then the file at ``path`` on the user's own computer.

    ``-f`` makes a refusal of the store a failure of the line, which is all that clients look at.
    """
    words = ["curl", "-f", "--show-error", "-s", "-i", "-X", "POST", url]
    for name, value in fields.items():
        words += ["-F", f"{name}={value}"]
    return shlex.join([*words, "-F", f"file=@{_file(path)}"])


def _file(path: str) -> str:
    """The path as -F reads it; "-" alone would be the standard input."""
    if path == "-":
        return "./-"
    return path if _PLAIN.fullmatch(path) else f'"{_escaped(path)}"'


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"')
