"""Programs that the engines bring to a system, as files: they run there, with the system's own interpreters.

``files/`` is data, not code of this package: its Python runs in the environment of Jetstream or Snakemake (from
Python 3.6 on for Jetstream), its shell is POSIX.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["program"]


@cache
def program(name: str) -> bytes:
    """The content of one file, by its path below ``files/``. Raises ``FileNotFoundError`` for an unknown one."""
    return files("hpc.engines").joinpath("files", name).read_bytes()
