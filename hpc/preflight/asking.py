"""The command that looks, and its answer part by part."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer
from hpc.jobs import JobSpec
from hpc.preflight.families import family_of, trial_files
from hpc.schedulers.base import Scheduler

LIMIT = 512 * 1024
"""Bytes of one part's answer that are read."""
MOST_PATHS = 20_000

_ALWAYS = ("paths", "space", "quota")
_MARGIN = 12.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one part said. ``code`` is its exit code, None where the time ran out; ``output`` may then be cut."""

    code: int | None
    output: str
    errors: str


def look(
    scheduler: Scheduler,
    spec: JobSpec,
    *,
    paths: Sequence[str],
    workdir: str,
    seconds: float,
) -> Command[dict[str, Part]]:
    """Look at input paths (absolute, without NUL; at most ``MOST_PATHS`` are looked at), at the space in
    ``workdir`` (absolute, need not exist), and at what the scheduler would say to ``spec``.

    Every part has ``seconds`` at most; all run at once. The result has every part that was asked. Raises
    ``ValueError`` and ``NotSupported`` where the job cannot be put into words for the scheduler.
    """
    family = family_of(scheduler)
    parts = (*_ALWAYS, *family.parts)
    nonce = secrets.token_hex(8)
    listed = b"".join(
        path.encode("utf-8", "surrogateescape") + b"\0" for path in paths[:MOST_PATHS]
    )
    stdin = _archive({"paths": listed, **trial_files(scheduler, spec)})
    limits = (nonce, str(max(1, round(seconds))), workdir, str(LIMIT))
    text = _program().replace("#functions\n", family.functions, 1)
    return Command(
        argv=("/bin/sh", "-c", text, "centro-look", *limits, *parts),
        parse=lambda result: _parse(result, nonce, parts),
        stdin=stdin,
        timeout=seconds + _MARGIN,
        read_only=True,
    )


@cache
def _program() -> str:
    return files("hpc.preflight").joinpath("look.sh").read_text("utf-8")


def _archive(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _parse(result: CommandResult, nonce: str, parts: Sequence[str]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    rest = result.stdout
    while rest:
        head, _, rest = rest.partition(b"\n")
        words = head.decode("utf-8", "replace").split(" ")
        if len(words) != 5 or words[0] != nonce or not (words[3] + words[4]).isdecimal():
            raise IncompleteAnswer("the answer of the look at the system cannot be read")
        size, more = int(words[3]), int(words[4])
        output, errors, rest = rest[:size], rest[size : size + more], rest[size + more :]
        found[words[1]] = Part(
            _code(words[2]),
            output.decode("utf-8", "replace"),
            errors.decode("utf-8", "replace").strip(),
        )
    if result.exit_code != 0 or set(found) != set(parts):
        text = result.error_text[-300:] or f"it ended with exit code {result.exit_code}"
        raise IncompleteAnswer(f"the look at the system failed: {text}", result.exit_code)
    return found


def _code(word: str) -> int | None:
    """The exit code; None where the time ran out: 124 and 137 are ``timeout``'s own (timeout(1))."""
    return int(word) if word.isdecimal() and word not in ("124", "137") else None
