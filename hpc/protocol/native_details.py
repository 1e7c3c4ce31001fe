"""The form in which each scheduler family says what is special to it about job scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Details:
    """What the scheduler says of one job: its name and its output files, absolute paths."""

    name: str = ""
    stdout: str = ""
    stderr: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """``functions``: the shell functions of ``native_dialects``. ``read`` gets the text of ``centro_details``, the job
    id, the working directory and the user. ``output`` makes the name of an output file from a wished one, which may
    hold %j, and the job id."""

    functions: str
    read: Callable[[str, str, str, str], Details]
    output: Callable[[str, str], str] = lambda wished, job_id: wished.replace("%j", job_id)
