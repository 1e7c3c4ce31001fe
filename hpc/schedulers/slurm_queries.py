"""Slurm's own tables and reservations, for callers who speak Slurm: squeue, sacct, scontrol, scancel."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerError, SchedulerSilent
from hpc.rows import (
    AccountingRow,
    EndAnswer,
    NodeRow,
    PartitionRow,
    QueueRow,
    ReservationRow,
    ReservationSpec,
)
from hpc.schedulers.base import UNIT, Scheduler
from hpc.schedulers.slurm_queue import queue_command
from hpc.schedulers.slurm_tables import NO_ACCOUNTING, OUTAGE

T = TypeVar("T")

MAX_IDS = 1000
_RECORDS = "JobID,Partition,JobName,User,State,Start,CPUTime,Elapsed,End,NNodes,NodeList,ExitCode"
_JOB = re.compile(r"[0-9]+(\+[0-9]+|_[0-9]+|_\[[0-9,:%-]+\])?")
_PLAIN = re.compile(r"[A-Za-z0-9_.$:@+-]{1,200}")
_SAID = re.compile(r"scancel: error: (?:Kill job error on job id (\S+): )?(.*)")


class SlurmQueries(Scheduler):
    """The part of the Slurm adapter that answers with Slurm's own words."""

    def queue_rows(self, user: str | None) -> Command[list[QueueRow]]:
        return queue_command(self.executable("squeue"), user)

    def accounting_rows(
        self, user: str, job_ids: Sequence[str] = (), start: str = "", end: str = ""
    ) -> Command[list[AccountingRow]]:
        argv = ["sacct", "-X", "-n", "-P", f"--delimiter={UNIT}", f"--user={_checked(user)}"]
        argv += [f"--jobs={','.join(job_ids)}"] if job_ids else []
        argv += [f"--starttime={start}"] if start else []
        argv += [f"--endtime={end}"] if end else []
        return self._table((*argv, f"--format={_RECORDS}"), _records)

    def node_rows(self) -> Command[list[NodeRow]]:
        return self._table(("scontrol", "show", "node", "-o"), _nodes)

    def partition_rows(self) -> Command[list[PartitionRow]]:
        return self._table(("scontrol", "show", "partition", "-o"), _partitions)

    def reservation_rows(self) -> Command[list[ReservationRow]]:
        return self._table(("scontrol", "show", "reservation", "-o"), _reservations)

    def end_jobs(self, job_ids: Sequence[str]) -> Command[dict[str, EndAnswer]]:
        if not 0 < len(job_ids) <= MAX_IDS:
            raise ValueError(f"{len(job_ids)} job ids given, expected 1 to {MAX_IDS}")
        for job_id in job_ids:
            if not _JOB.fullmatch(job_id):
                raise ValueError(f"job id {job_id!r} is not a Slurm job id")
        # without -v scancel says nothing of jobs that are over or unknown (measured)
        argv = ("env", "LC_ALL=C", "timeout", "60", self.executable("scancel"), "-v", *job_ids)
        return Command(argv=argv, parse=lambda result: _ended(result, job_ids), timeout=90.0)

    def accounts_of(self, user: str) -> Command[frozenset[str]]:
        argv = ("sacctmgr", "-n", "-P", "show", "assoc", f"user={_checked(user)}", "format=account")
        return self._table(argv, lambda text: frozenset(text.split()))

    def create_reservation(self, spec: ReservationSpec, account: str) -> Command[None]:
        fields = (f"ReservationName={_checked(spec.name)}", f"Accounts={_checked(account)}")
        return self._reserve("create", "reservation", *fields, *_asked(spec))

    def update_reservation(self, spec: ReservationSpec) -> Command[None]:
        name = f"ReservationName={_checked(spec.name)}"
        return self._reserve("update", "reservation", name, *_asked(spec))

    def delete_reservation(self, name: str) -> Command[None]:
        return self._reserve("delete", f"ReservationName={_checked(name)}")

    def _table(self, argv: tuple[str, ...], read: Callable[[str], T]) -> Command[T]:
        env = ("env", "LC_ALL=C", "SLURM_TIME_FORMAT=standard", "SLURM_BITSTR_LEN=0")
        full = (*env, "timeout", "20", self.executable(argv[0]), *argv[1:])
        return Command(argv=full, parse=lambda result: read(_answer(result)), read_only=True)

    def _reserve(self, *arguments: str) -> Command[None]:
        argv = ("env", "LC_ALL=C", "timeout", "20", self.executable("scontrol"), *arguments)
        return Command(argv=argv, parse=lambda result: void(_answer(result)))


def void(_: object) -> None:
    """Forget an answer that has nothing to say."""


def _checked(word: str) -> str:
    if not _PLAIN.fullmatch(word):
        raise ValueError(f"{word[:80]!r} is no name, expected letters, digits and _ . $ : @ + -")
    return word


def _asked(spec: ReservationSpec) -> tuple[str, ...]:
    if spec.nodes < 1:
        raise ValueError(f"nodes is {spec.nodes}, expected at least 1")
    times = (f"StartTime={_checked(spec.start_time)}", f"EndTime={_checked(spec.end_time)}")
    feature = (f"Features={_checked(spec.feature)}",) if spec.feature else ()
    return (f"NodeCnt={spec.nodes}", *feature, *times)


def _answer(result: CommandResult) -> str:
    """What a command printed. Raises ``SchedulerSilent``, ``NotSupported`` or ``SchedulerError``."""
    errors = result.error_text
    if NO_ACCOUNTING in errors:
        raise NotSupported(
            "this Slurm keeps no accounting records (accounting storage is disabled)"
        )
    if OUTAGE.search(errors) or result.exit_code in (124, 126, 127):
        raise SchedulerSilent(errors or "Slurm gave no answer within 20 s", result.exit_code)
    if result.exit_code != 0:
        text = errors or result.text.strip() or f"Slurm ended with exit code {result.exit_code}"
        raise SchedulerError(text, result.exit_code)
    return result.text


def _records(text: str) -> list[AccountingRow]:
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the answer of sacct ends within a line")
    width = _RECORDS.count(",") + 1
    rows: list[AccountingRow] = []
    held = ""
    for line in text.split("\n")[:-1]:  # a job name may contain a newline
        held = f"{held}\n{line}" if held else line
        fields = held.split(UNIT)
        if len(fields) > width:
            raise IncompleteAnswer(f"a record of sacct has {len(fields)} fields: {held[:200]!r}")
        if len(fields) == width:
            rows.append(AccountingRow(*fields))
            held = ""
    if held:
        raise IncompleteAnswer(f"the last record of sacct is cut: {held[:200]!r}")
    return rows


def _lines(text: str, first: str) -> list[dict[str, str]]:
    """The words KEY=VALUE of scontrol's one-line form. Values with blanks are cut; none is asked for."""
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the answer of scontrol ends within a line")
    lines = [line for line in text.splitlines() if line.startswith(f"{first}=")]
    return [
        {
            key: "" if value == "(null)" else value
            for key, _, value in (word.partition("=") for word in reversed(line.split(" ")))
        }
        for line in lines
    ]  # reversed: of a key that appears again inside free text, the first one counts


def _nodes(text: str) -> list[NodeRow]:
    return [
        NodeRow(
            name=row["NodeName"],
            features=_split(row.get("ActiveFeatures", "")),
            partitions=_split(row.get("Partitions", "")),
            states=_split(row.get("State", ""), "+"),
        )
        for row in _lines(text, "NodeName")
    ]


def _partitions(text: str) -> list[PartitionRow]:
    return [
        PartitionRow(
            name=row["PartitionName"],
            state=row.get("State", ""),
            total_cpus=row.get("TotalCPUs", ""),
            total_nodes=row.get("TotalNodes", ""),
            is_default=row.get("Default") == "YES",
        )
        for row in _lines(text, "PartitionName")
    ]


def _reservations(text: str) -> list[ReservationRow]:
    return [
        ReservationRow(
            name=row["ReservationName"],
            state=row.get("State", ""),
            nodes=row.get("Nodes", ""),
            node_count=row.get("NodeCnt", ""),
            start_time=row.get("StartTime", ""),
            end_time=row.get("EndTime", ""),
            features=_split(row.get("Features", ""), "&"),
            partition=row.get("PartitionName", ""),
            accounts=_split(row.get("Accounts", "")),
            users=_split(row.get("Users", "")),
        )
        for row in _lines(text, "ReservationName")
    ]


def _split(text: str, separator: str = ",") -> tuple[str, ...]:
    return tuple(part for part in text.split(separator) if part)


def _ended(result: CommandResult, job_ids: Sequence[str]) -> dict[str, EndAnswer]:
    errors = result.error_text
    if OUTAGE.search(errors) or result.exit_code in (124, 126, 127):
        raise SchedulerSilent(errors or "scancel gave no answer within 60 s", result.exit_code)
    refused: dict[str, str] = {}
    for match in map(_SAID.fullmatch, errors.splitlines()):
        if match is None:
            continue
        if match[1] is None:  # about the whole command: nothing was ended
            raise SchedulerError(match[2], result.exit_code)
        refused[match[1]] = match[2]
    if result.exit_code != 0 and not refused:
        text = errors or f"scancel ended with exit code {result.exit_code}"
        raise SchedulerError(text, result.exit_code)
    answers = {job_id: EndAnswer(True, f"scancel: Terminating job {job_id}") for job_id in job_ids}
    for job_id, text in refused.items():
        answers[job_id] = EndAnswer(False, text, is_over="already completing" in text)
    return answers
