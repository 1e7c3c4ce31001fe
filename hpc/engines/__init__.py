"""Programs that the engines bring to a system, as files: they run there, with the system's own interpreters.

``files/`` is data, not code of this package: its Python runs in the environment of Jetstream or Snakemake (from
Python 3.6 on for Jetstream), its shell is POSIX.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["head", "program"]


@cache
def program(name: str) -> bytes:
    """The content of one file, by its path below ``files/``. Raises ``FileNotFoundError`` for an unknown one."""
    return files("hpc.engines").joinpath("files", name).read_bytes()


def head(name: str) -> bytes:
    """The program that leads an engine's run: what all of them begin with, and the engine's own ("jetstream")."""
    return program("head_start.sh") + b"\n" + program(f"{name}_head.sh")
