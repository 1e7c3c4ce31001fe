"""Staging and submitting runs: one round trip for a whole batch."""

from __future__ import annotations

import hashlib
import io
import secrets
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer
from hpc.jobs import JobSpec
from hpc.protocol.scripts import program
from hpc.quoting import shell_words
from hpc.schedulers.base import Scheduler

DEADLINE = 150.0
"""Seconds for one batch: sbatch itself retries for up to two minutes when the controller is busy."""


class Answer(StrEnum):
    """What is known about a run after a submit."""

    ID = "ID"
    REJECT = "REJECT"
    UNKNOWN = "UNKNOWN"
    WAIT = "WAIT"
    BUSY = "BUSY"
    STAGE = "STAGE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Submission:
    """One run to submit. ``key`` is its job name; ``files`` go into its directory (readable by their owner only),
    those named ``….sh`` or ``bin/…`` ready to run.

    With ``cancel`` nothing is submitted any more; the answer tells whether a job exists already.
    """

    key: str
    directory: str
    files: Mapping[str, bytes]
    spec: JobSpec
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class SubmitAnswer:
    """``job_id`` and ``submitted`` (epoch seconds, the system's clock) go with ID; ``how`` is new,
    recorded, claim, found or past; ``text`` is the scheduler's or system's sentence; ``wait`` in seconds."""

    answer: Answer
    job_id: str = ""
    how: str = ""
    submitted: int = 0
    text: str = ""
    wait: int = 0


def job_script(environment: Mapping[str, str]) -> bytes:
    """The wrapper that every job runs: it claims the run, runs ``script.sh`` and writes the result.

    ``environment`` is what it exports, CENTRO_RUN_DIR (the run's directory) at least; the folder ``bin`` of that
    directory comes first in the job's PATH.
    """
    head = "\n".join(
        f"export {shell_words([f'{name}={value}'])}" for name, value in environment.items()
    )
    path = shell_words([f"{environment['CENTRO_RUN_DIR']}/bin"])
    return f'#!/bin/sh\n{head}\nexport PATH={path}:"$PATH"\n{program("wrapper")}'.encode()


def submit(
    scheduler: Scheduler, submissions: Iterable[Submission], *, settle: int
) -> Command[dict[str, SubmitAnswer]]:
    """Stage and submit runs, each at most once. ``settle`` is how long (seconds) an earlier try of
    unknown outcome is given before the job counts as never submitted.

    The result maps every key to its answer; a key without an answer line is UNKNOWN.
    """
    batch = list(submissions)
    nonce = secrets.token_hex(8)
    stdin = io.BytesIO()
    for one in batch:
        archive = b"" if one.cancel else _archive(scheduler, one)
        head = f"{one.key} {len(archive)} {int(one.cancel)} {one.directory}\n"
        stdin.write(head.encode("utf-8", "surrogateescape"))
        stdin.write(archive)
    stdin.write(b"END\n")
    errors = scheduler.submit_errors
    text = f"{scheduler.find_functions}\n{program('submit')}"
    argv = ("/bin/sh", "-c", text, "centro-submit", nonce, str(settle), scheduler.job_id_pattern)
    return Command(
        argv=(*argv, errors.rejected),
        parse=lambda result: _parse(result, nonce, [one.key for one in batch]),
        stdin=stdin.getvalue(),
        timeout=DEADLINE,
    )


def _archive(scheduler: Scheduler, one: Submission) -> bytes:
    """The run's files with a manifest of their checksums, as a tar archive of whole records."""
    content = dict(one.files)
    content["submit.args"] = f"set -- {shell_words(scheduler.submit_argv(one.spec))}\n".encode()
    content["manifest"] = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in content.items()
    ).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            runs = name.endswith(".sh") or name.startswith("bin/")
            member.mode = 0o700 if runs else 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _parse(result: CommandResult, nonce: str, keys: list[str]) -> dict[str, SubmitAnswer]:
    silent = SubmitAnswer(Answer.UNKNOWN, text=result.error_text[:300] or "no answer")
    answers = dict.fromkeys(keys, silent)
    for line in result.text.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == nonce:
            key, word, text = (rest.split(" ", 2) + ["", ""])[:3]
            if key not in answers:
                raise IncompleteAnswer(f"an answer for the unknown key {key!r}")
            answers[key] = _answer(word, text)
    return answers


def _answer(word: str, text: str) -> SubmitAnswer:
    try:
        answer = Answer(word)
    except ValueError:
        return SubmitAnswer(Answer.UNKNOWN, text=f"unreadable answer {word[:40]!r}")
    if answer is Answer.ID:
        fields = text.split()
        if len(fields) != 3 or not fields[2].isdecimal():
            return SubmitAnswer(Answer.UNKNOWN, text=f"unreadable answer {text[:80]!r}")
        return SubmitAnswer(answer, job_id=fields[0], how=fields[1], submitted=int(fields[2]))
    wait = int(text) if answer is Answer.WAIT and text.isdecimal() else 0
    return SubmitAnswer(answer, text=text.strip(), wait=wait)
