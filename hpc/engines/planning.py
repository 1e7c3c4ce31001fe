"""Planning on a system: a program with its files in a throw-away directory, bounded in time and output."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

from hpc.commands import Command, CommandResult
from hpc.engines import program

MAX_OUTPUT = 4 * 1024 * 1024
"""Bytes of an answer that are read; a longer one is cut, and can then not be read."""

_MARGIN = 10.0


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What came back. ``exit_code`` 124: the time ran out; ``errors`` is the end of what the programs said."""

    exit_code: int
    output: bytes
    errors: str


def run_plan(
    script: str, files: Mapping[str, bytes], *, root: str, seconds: float, work: str = ""
) -> Command[PlanAnswer]:
    """Run ``script`` with POSIX sh beside ``files``, in a new directory in ``root`` (absolute) that is removed
    afterwards. ``work`` is an existing run's directory that the plan may read, or ""."""
    argv = ("/bin/sh", "-c", program("plan_run.sh").decode(), "centro-plan")
    limits = (root, str(max(1, round(seconds))), str(MAX_OUTPUT), work)
    return Command(
        argv=(*argv, *limits),
        parse=_parse,
        stdin=_archive({**files, "plan.sh": script.encode()}),
        timeout=seconds + _MARGIN,
    )


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _parse(result: CommandResult) -> PlanAnswer:
    return PlanAnswer(result.exit_code, result.stdout, result.error_text)
