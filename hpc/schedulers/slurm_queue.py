"""The rows of squeue with the ends of the running jobs' output files, in one command."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from itertools import zip_longest

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import IncompleteAnswer, SchedulerSilent
from hpc.rows import QueueRow
from hpc.schedulers.base import UNIT
from hpc.schedulers.slurm_parse import RECORD_END, job_state
from hpc.schedulers.slurm_tables import NO_OUTPUT_YET

PROGRAM = resources.files("hpc.schedulers").joinpath("slurm_queue.sh").read_text(encoding="utf-8")

TAIL_BYTES = 1000
MAX_FILES = 2000
"""Files whose ends are read in one listing; jobs after that are listed without."""

FIELDS = (
    *("JobArrayID", "JobID", "ArrayJobID", "ArrayTaskID", "State", "Partition", "Name", "UserName"),
    *("TimeUsed", "StartTime", "TimeLeft", "NumNodes", "ReasonList", "Command", "StdOut", "StdErr"),
    *("WorkDir", "BatchHost"),
)
"""squeue -O fields in order. With ":" and a suffix but no width nothing is cut or padded (22.05.8)."""
_PRINTED = FIELDS[:16]
_HEADING = re.compile(rb"(?:\A|\n)==> (/[^\n]*) <==\n")
_ROW_ID = re.compile(r"[0-9]+(\+[0-9]+|_[0-9]+|_\[[0-9,:%-]+\])?")


def queue_command(squeue: str, user: str | None) -> Command[list[QueueRow]]:
    """All jobs of ``user`` with the ends of their files, or everybody's without; ended ones included.

    Raises ``SchedulerSilent`` or ``IncompleteAnswer``. Array tasks that wait are one row, like "40_[2-5%2]".
    """
    nonce = secrets.token_hex(16)
    layout = ",".join(f"{field}:{UNIT}" for field in FIELDS) + RECORD_END
    ask = ["env", "LC_ALL=C", "SLURM_TIME_FORMAT=standard", "SLURM_BITSTR_LEN=0", "timeout", "20"]
    ask += [squeue, "-h", "-a", "-t", "all", "-O", layout]
    ask += ["-u", user] if user is not None else []
    most = str(MAX_FILES if user is not None else 0)
    return Command(
        argv=("/bin/sh", "-c", PROGRAM, "centro-queue", nonce, most, str(TAIL_BYTES), *ask),
        env=(("LC_ALL", "C"),),
        parse=lambda result: _parse(result, nonce, with_files=user is not None),
        max_output=64 * MIB,
        read_only=True,
    )


def _parse(result: CommandResult, nonce: str, *, with_files: bool) -> list[QueueRow]:
    # a user name that cannot be resolved is an empty list with exit code 0 (measured)
    if result.exit_code != 0 or "squeue: error:" in result.error_text:
        text = result.error_text or f"squeue ended with exit code {result.exit_code}"
        raise SchedulerSilent(text, result.exit_code)
    files, end = (f"\n@{nonce} {word}\n".encode("ascii") for word in ("files", "end"))
    table, _, rest = result.stdout.partition(files)
    tails, found, after = rest.rpartition(end)
    if not found or after:
        raise IncompleteAnswer("the answer of squeue ends before its mark")
    records = table.decode("utf-8", "surrogateescape").split(RECORD_END + "\n")
    if records.pop() != "":
        raise IncompleteAnswer("the answer of squeue ends within a row")
    rows = [_row(record, with_files) for record in records]
    return _with_tails(rows, tails) if tails else [_clean(row) for row in rows]


def _row(record: str, with_files: bool) -> QueueRow:
    fields = record.split(UNIT)
    # the program ends each field, so that the last one is empty
    if len(fields) != len(_PRINTED) + 1 or not _ROW_ID.fullmatch(fields[0]):
        raise IncompleteAnswer(f"a row of squeue has {len(fields)} fields: {record[:200]!r}")
    job_id, raw_id, _, tasks, state, partition, name, user, used, start, left = fields[:11]
    nodes, nodelist, command, stdout, stderr = fields[11:16]
    script = command.split(" ", 1)[0]
    return QueueRow(
        job_id=job_id,
        raw_id=raw_id,
        tasks="" if tasks == "N/A" else tasks,
        partition=partition,
        name=name,
        user=user,
        state=state,
        is_over=job_state(state).is_final,
        time_used=used,
        start_time=start,
        time_left=left,
        nodes=nodes,
        nodelist=nodelist,
        script=script if with_files and script.startswith("/") else "",
        stdout=stdout if with_files and stdout.startswith("/") else "",
        stderr=stderr if with_files and stderr.startswith("/") else "",
    )


def _with_tails(rows: Sequence[QueueRow], text: bytes) -> list[QueueRow]:
    """Give each row the ends of its files. tail prints each under a heading with its path; a file without
    one was not there. A file that imitates a heading can only do so for files of the same user."""
    wanted = {
        os.fsencode(path)
        for row in rows
        if row.state not in NO_OUTPUT_YET and not row.is_over
        for path in (row.stdout, row.stderr)
    }
    found: dict[bytes, str] = {}
    headings = [match for match in _HEADING.finditer(text) if match[1] in wanted]
    for heading, following in zip_longest(headings, headings[1:]):
        body = text[heading.end() : following.start() if following else len(text)]
        found.setdefault(
            heading[1], body[:TAIL_BYTES].decode("utf-8", "replace").removesuffix("\n")
        )

    def tail(row: QueueRow, path: str) -> str:
        return "" if row.state in NO_OUTPUT_YET or row.is_over else found.get(os.fsencode(path), "")

    return [
        _clean(replace(row, stdout_tail=tail(row, row.stdout), stderr_tail=tail(row, row.stderr)))
        for row in rows
    ]


def _clean(row: QueueRow) -> QueueRow:
    """The same with U+FFFD for bytes that are no UTF-8."""
    if (row.name + row.script + row.stdout + row.stderr).isascii():
        return row
    name, script, stdout, stderr = (
        os.fsencode(text).decode("utf-8", "replace")
        for text in (row.name, row.script, row.stdout, row.stderr)
    )
    return replace(row, name=name, script=script, stdout=stdout, stderr=stderr)
