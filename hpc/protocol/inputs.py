"""Inputs that a job brings into its run's directory before its script runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hpc.protocol.scripts import program

ARRIVES_IN = "inputs"
"""The folder of the run's directory in which they lie."""
FAILED = 94
"""The exit code of a job whose inputs could not be brought."""


@dataclass(frozen=True, slots=True)
class BroughtFile:
    """One of them: from ``url``, else from ``file`` on the system; ``place`` is below ``ARRIVES_IN``.

    ``sha256``: 64 lower-case hexadecimal digits, or "" where nothing is compared.
    """

    place: str
    url: str = ""
    file: str = ""
    sha256: str = ""


def input_files(files: Iterable[BroughtFile]) -> dict[str, bytes]:
    """What lies in the run's directory for it: the program that the wrapper finds, and its list.

    The list is readable by the run's owner only: addresses may hold signatures. Raises ``ValueError`` for a
    line end in a place or source, which the list cannot say.
    """
    lines = []
    for one in files:
        source = one.url or one.file
        if "\n" in one.place + source or not one.place:
            raise ValueError(f"{one.place!r} cannot be brought from {source!r}")
        lines += [f"{one.sha256 or '-'} {'url' if one.url else 'file'}", source, one.place]
    text = "".join(f"{line}\n" for line in lines)
    return {"inputs.sh": program("inputs").encode(), "inputs.list": text.encode()}
