"""One step of a check of a system, and the way in which a step asks something there."""

from __future__ import annotations

from dataclasses import dataclass

from hpc.commands import Command, CommandResult
from hpc.errors import HpcError


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was found, and where it failed what to do about it."""

    name: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True
    """Whether nothing works without it; else its failure is a warning."""

    @property
    def outcome(self) -> str:
        """ "ok", "warning" or "failed"."""
        if self.ok:
            return "ok"
        return "failed" if self.needed else "warning"


class StepFailed(HpcError):
    """A command of ours ended with an error; the text is its own."""


def shell(script: str, *arguments: str, timeout: float = 30.0) -> Command[str]:
    """A POSIX sh script with ``$1`` and so on; its output. Raises ``HpcError`` where it ends otherwise than with 0."""

    def parse(result: CommandResult) -> str:
        if result.exit_code != 0:
            raise StepFailed(result.error_text or f"ended with exit code {result.exit_code}")
        return result.text

    argv = ("/bin/sh", "-c", script, "centro-check", *arguments)
    return Command(argv=argv, parse=parse, timeout=timeout)
