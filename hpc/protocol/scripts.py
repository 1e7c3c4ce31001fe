"""The protocol's shell programs, read once; in test builds with fault points armed.

``CENTRO_TEST_FAULT=S5,W3`` makes the shell that reaches one of these points kill itself, once per run directory.
Without it the points are comments.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib.resources import files

_POINT = re.compile(r"^( *)#fault (\w+)$", re.MULTILINE)


@lru_cache(maxsize=8)
def program(name: str) -> str:
    """The text of one program: submit, wrapper, observe, probe or cancel."""
    text = (files("hpc.protocol") / f"{name}.sh").read_text("utf-8")
    armed = set(os.environ.get("CENTRO_TEST_FAULT", "").split(","))

    def arm(match: re.Match[str]) -> str:
        indent, point = match.groups()
        if point not in armed:
            return ""
        return f"{indent}if [ ! -e .fault.{point} ]; then echo > .fault.{point}; kill -9 $$; sleep 1; fi"

    return _POINT.sub(arm, text)
