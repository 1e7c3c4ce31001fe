"""Results that a job takes away after its script has ended well: copied to a directory, or packed for the store."""

from __future__ import annotations

from collections.abc import Iterable

from hpc.protocol.scripts import program

PACKED = "results.tar.gz"
"""The archive in the run's directory, where results are packed."""


def result_files(patterns: Iterable[str], directory: str = "") -> dict[str, bytes]:
    """What lies in the run's directory for it: the program that the wrapper finds, and its list.

    ``patterns`` are the shell's, relative to where the pipeline works; a directory is taken whole. They are
    copied into ``directory`` on the system, or packed where that is "". Raises ``ValueError`` for a line end.
    """
    lines = [directory, *patterns]
    if any("\n" in line for line in lines):
        raise ValueError("neither a pattern nor the directory may have a line end")
    text = "".join(f"{line}\n" for line in lines)
    return {"results.sh": program("results").encode(), "results.list": text.encode()}
