"""Job scripts as their owners wrote them: submitted once, and looked for where the outcome is unknown.

There is no wrapper and no claim as for pipelines, so at-most-once rests on never submitting twice: the
tag, given on the command line as the job's comment, finds a job whose submission gave no answer.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hpc.commands import Command, CommandResult
from hpc.errors import FileForbidden, FileMissing, IsADirectory, NotSupported
from hpc.jobs import JobSpec
from hpc.protocol import native_pbs
from hpc.protocol.native_dialects import DEFAULT_OUTPUT, details_of
from hpc.protocol.scripts import program
from hpc.protocol.submission import Answer
from hpc.schedulers.base import Scheduler
from hpc.schedulers.slurm_parse import format_duration

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_RESERVED = re.compile(r"(SBATCH|SLURM|SQUEUE|CENTRO)_.*")
_DEPENDENCY = re.compile(r"[0-9]+(_[0-9]+|(\[[0-9]*\])?(\.[A-Za-z0-9_.-]+)?)")
MAX_ENVIRONMENT = 256 * 1024
"""Bytes of all variables together; a single one may have half of it, which is what Linux allows."""


@dataclass(frozen=True, slots=True)
class NativeJob:
    """One job script to submit.

    ``tag`` is unique among all jobs. ``directory`` (absolute, or relative to the user's home) becomes the
    working directory; ``file`` is a name in it. With ``content`` the directory is made and the file
    written first, else the file must be there. ``environment`` is added to the job's. What else is given
    replaces directives of the script; ``stdout`` and ``stderr`` are relative to the directory and may hold
    %j (left out on PBS, which lacks it). ``after`` is the id of a job that must end well first.
    """

    tag: str
    directory: str
    file: str
    content: bytes | None = None
    account: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    queue: str | None = None
    walltime: timedelta | None = None
    tasks: int | None = None
    after: str | None = None
    stdout: str | None = None
    stderr: str | None = None

    def check(self) -> None:
        """Raises ``ValueError`` naming the field and what was expected."""
        if not self.file or "/" in self.file or self.file in (".", "..") or "\n" in self.file:
            raise ValueError(f"file is {self.file!r}, expected the name of a file")
        if "\n" in self.directory:
            raise ValueError("directory contains a line break")
        for name in self.environment:
            check_variable(name)
        if self.after is not None and not _DEPENDENCY.fullmatch(self.after):
            raise ValueError(f"after is {self.after!r}, expected a job id")


@dataclass(frozen=True, slots=True)
class NativePaths:
    """Where the job's files are, absolute; "" where it is not known. ``note`` says why."""

    directory: str
    script: str
    stdout: str = ""
    stderr: str = ""
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class NativeAnswer:
    """ID (with ``job_id``, ``submitted`` in epoch seconds of the system's clock and ``paths``), REJECT (``text``
    in the scheduler's words), STAGE (the script could not be written) or UNKNOWN. ``script`` is the beginning
    of a script that was on the system already."""

    answer: Answer
    job_id: str = ""
    submitted: int = 0
    text: str = ""
    paths: NativePaths | None = None
    script: bytes = b""


def check_variable(name: str) -> None:
    """Raises ``ValueError`` for what cannot be the name of a variable of a job."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not a name for an environment variable")
    if _RESERVED.fullmatch(name):
        raise ValueError(f"the variable {name} belongs to the scheduler")


def submit_native(
    scheduler: Scheduler, job: NativeJob, *, user: str, patience: int
) -> Command[NativeAnswer]:
    """Stage and submit one job and read what the scheduler made of it, in one round trip.

    ``patience`` is after how many seconds the submit command is given up. Raises ``ValueError`` and
    ``NotSupported`` for what cannot be asked; the command's result may be ``FileMissing``, ``FileForbidden``
    or ``IsADirectory`` for a script that is not there. Never to be run twice.
    """
    job.check()
    nonce = secrets.token_hex(8)
    words = _submit_words(scheduler, job, nonce)
    content = job.content if job.content is not None else b""
    stdin = content + f"{nonce}\n".encode() if job.content is not None else b""
    verb = "file" if job.content is None else "content"
    errors = scheduler.submit_errors
    argv = _argv(scheduler, nonce, verb, job.tag, job.directory, job.file)
    fixed = (str(patience), str(len(content)), errors.rejected)
    return Command(
        argv=(*argv, *fixed, *words),
        parse=lambda result: _parse(result, nonce, scheduler, job, user),
        stdin=stdin,
        timeout=patience + 25.0,
    )


def find_native(
    scheduler: Scheduler, job: NativeJob, *, since: int, user: str
) -> Command[NativeAnswer | None]:
    """Look for the job of an earlier submission: in the queue, then in accounting. ``since`` (epoch
    seconds) is when it was tried. None if a complete answer does not know it; UNKNOWN if it was not complete."""
    nonce = secrets.token_hex(8)
    argv = _argv(scheduler, nonce, "find", job.tag, job.directory, job.file)

    def parse(result: CommandResult) -> NativeAnswer | None:
        if f"{nonce} NONE\n".encode() in result.stdout:
            return None
        return _parse(result, nonce, scheduler, job, user)

    return Command(argv=(*argv, str(since)), parse=parse, timeout=120.0, read_only=True)


def _argv(scheduler: Scheduler, nonce: str, *words: str) -> tuple[str, ...]:
    text = f"{scheduler.find_functions}\n{details_of(scheduler).functions}\n{program('native')}"
    return ("/bin/sh", "-c", text, "centro-native", nonce, *words)


def _submit_words(scheduler: Scheduler, job: NativeJob, nonce: str) -> tuple[str, ...]:
    workdir, script = f"/{nonce}.W", f"/{nonce}.S"
    given = tuple(f"{name}={value}" for name, value in job.environment.items())
    if scheduler.name == "slurm":
        command: Sequence[str] = _sbatch(scheduler, job, workdir, script)
    elif scheduler.name == "pbs":
        return native_pbs.qsub(scheduler, job, nonce)
    else:
        if job.after is not None:
            raise NotSupported(f"the {scheduler.name} scheduler knows no dependencies between jobs")
        spec = JobSpec(
            name=job.name or job.file,
            script_path=script,
            workdir=workdir,
            account=job.account,
            walltime=job.walltime,
            tasks=job.tasks,
            stdout=job.stdout or DEFAULT_OUTPUT,
        )
        command = scheduler.submit_argv(spec)
    return ("env", *given, *command) if given else tuple(command)


def _sbatch(scheduler: Scheduler, job: NativeJob, workdir: str, script: str) -> tuple[str, ...]:
    """On the command line, so that directives in the script cannot replace them (sbatch(1))."""
    options = {
        "account": job.account,
        "job-name": job.name,
        "partition": job.queue,
        "time": format_duration(job.walltime) if job.walltime is not None else None,
        "ntasks": str(job.tasks) if job.tasks is not None else None,
        "dependency": f"afterok:{job.after}" if job.after is not None else None,
        "output": job.stdout,
        "error": job.stderr,
        # with variables of its own a script that asks for none would not get them
        "export": "ALL" if job.environment else None,
    }
    given = tuple(f"--{name}={value}" for name, value in options.items() if value is not None)
    fixed = (scheduler.executable("sbatch"), "--parsable", f"--comment={job.tag}")
    return (*fixed, *given, "--chdir", workdir, script)


def _parse(
    result: CommandResult,
    nonce: str,
    scheduler: Scheduler,
    job: NativeJob,
    user: str,
) -> NativeAnswer:
    sections = _sections(result.stdout, nonce)
    if "END" not in sections and "ID" not in sections:
        text = result.error_text[:1000] or "no answer"
        return NativeAnswer(Answer.UNKNOWN, text=text)
    if "ID" in sections:
        return _accepted(sections, scheduler, job, user)
    for word, error in _FILE_ERRORS.items():
        if word in sections:
            raise error(posixpath.join(job.directory, job.file), _text(sections[word][1]))
    for word in (Answer.REJECT, Answer.STAGE):
        if word in sections:
            return NativeAnswer(word, text=_text(sections[word][1]))
    return NativeAnswer(Answer.UNKNOWN, text=_text(sections.get("UNKNOWN", ("", b""))[1]))


_FILE_ERRORS = {"MISSING": FileMissing, "DIRECTORY": IsADirectory, "FORBIDDEN": FileForbidden}


def _sections(output: bytes, nonce: str) -> dict[str, tuple[str, bytes]]:
    """Name to arguments and body; a body's last line break is ours."""
    found = {}
    for piece in output.split(f"{nonce} ".encode())[1:]:
        head, _, body = piece.partition(b"\n")
        name, _, arguments = head.decode("utf-8", "replace").partition(" ")
        found[name] = (arguments, body.removesuffix(b"\n"))
    return found


def _accepted(
    sections: dict[str, tuple[str, bytes]],
    scheduler: Scheduler,
    job: NativeJob,
    user: str,
) -> NativeAnswer:
    job_id, _, submitted = sections["ID"][0].partition(" ")
    if not re.fullmatch(scheduler.job_id_pattern, job_id) or not submitted.isdecimal():
        return NativeAnswer(Answer.UNKNOWN, text=f"unreadable answer {sections['ID'][0][:80]!r}")
    job_id = job_id.partition(".")[0]  # PBS adds the name of its server
    dialect = details_of(scheduler)
    directory = _text(sections.get("AT", ("", b""))[1])
    known = dialect.read(
        _text(sections.get("DETAILS", ("", b""))[1]), job_id, directory, user
    )
    stdout, stderr = (
        posixpath.join(directory, dialect.output(given, job_id)) if given else told
        for given, told in ((job.stdout, known.stdout), (job.stderr, known.stderr))
    )
    paths = NativePaths(
        directory=directory,
        script=posixpath.join(directory, job.file),
        stdout=stdout,
        stderr=stderr,
        name=known.name or job.name or job.file,
        note=known.note,
    )
    script = sections["SCRIPT"][1] if "SCRIPT" in sections else b""
    return NativeAnswer(Answer.ID, job_id, int(submitted), paths=paths, script=script)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\n")
