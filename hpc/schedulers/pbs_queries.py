"""PBS told in Slurm's words, for clients who speak Slurm: queue, history, nodes, queues, ending jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import NotSupported, SchedulerError, SchedulerSilent
from hpc.rows import AccountingRow, EndAnswer, NodeRow, PartitionRow, QueueRow
from hpc.schedulers.base import Scheduler, checked_ids
from hpc.schedulers.pbs_parse import (
    default_queue,
    parse_nodes,
    parse_queues,
)
from hpc.schedulers.pbs_rows import WORDS, accounting_row, is_part, parse_rows, queue_row, ran
from hpc.schedulers.pbs_tables import LISTING, OUTAGE, QUEUES, SPLIT
from hpc.schedulers.sacct_times import sacct_time

T = TypeVar("T")

NO_HISTORY = 4
"""The exit code of ``LISTING`` where the server keeps no history."""
_ID = re.compile(r"[0-9]{1,18}(\[[0-9]{0,9}\])?")
_WHOLE_ID = re.compile(r"([0-9]{1,18}(?:\[[0-9]{0,9}\])?)(?:\.[A-Za-z0-9_.-]{1,255})?", re.ASCII)

_NODE_STATES = {
    "free": "IDLE", "job-busy": "ALLOCATED", "job-exclusive": "ALLOCATED", "resv-exclusive": "RESERVED",
    "offline": "DRAIN", "offline_by_mom": "DRAIN", "maintenance": "MAINT", "down": "DOWN", "stale": "DOWN",
    "unresolvable": "DOWN", "sleep": "POWERED_DOWN", "provisioning": "POWERING_UP", "wait-provisioning": "POWERING_UP",
}  # fmt: skip
"""pbs_node_attributes(7B)."""
_REFUSED = (
    (
        re.compile("has finished|invalid for state of job"),
        "Job/step already completing or completed",
        True,
    ),
    (re.compile("Unknown Job Id"), "Invalid job id specified", False),
    (re.compile("Unauthorized Request"), "Access/permission denied", False),
)


class PbsQueries(Scheduler):
    """The part of the PBS adapter that answers in Slurm's words. An array has a row of its own, "12[]", and one for
    each subjob that runs, "12[3]"; accounting also has those that ended."""

    _torque: bool

    def queue_rows(self, user: str | None) -> Command[list[QueueRow]]:
        def read(result: CommandResult) -> list[QueueRow]:
            _, jobs = parse_rows(_answer(result), self._family)
            rows = [job for job in jobs if not is_part(job) or job.state.is_active]
            return [queue_row(job, with_files=user is not None) for job in rows]

        argv = self._listing("rows", user or "", rows=WORDS)
        return Command(argv, read, timeout=90.0, read_only=True, max_output=64 * MIB)

    def accounting_rows(
        self, user: str, job_ids: Sequence[str] = (), start: str = "", end: str = ""
    ) -> Command[list[AccountingRow]]:
        ids = []
        for job_id in job_ids:
            if not (match := _WHOLE_ID.fullmatch(job_id)):
                raise SchedulerError(f"Bad job/step specified: {job_id}")
            ids.append(match[1])

        def read(result: CommandResult) -> list[AccountingRow]:
            now, jobs = parse_rows(_answer(result), self._family)
            since, until = sacct_time(start, now), sacct_time(end, now)
            if since is None and not ids:
                since = now.replace(hour=0, minute=0, second=0)
            own = [job for job in jobs if job.user == user]
            return [accounting_row(job, now) for job in own if ran(job, now, since, until)]

        argv = self._listing(
            "records", user, *(checked_ids(ids, _ID, "PBS") if ids else ()), rows=WORDS
        )
        return Command(argv, read, timeout=90.0, read_only=True, max_output=64 * MIB)

    def node_rows(self) -> Command[list[NodeRow]]:
        def read(text: str) -> list[NodeRow]:
            queues, nodes, _ = (*text.split(SPLIT), "", "", "")[:3]
            every = tuple(queue.name for queue in parse_queues(queues, nodes, ""))
            return [
                NodeRow(
                    node.name,
                    (),
                    node.queues or every,
                    node_states(node.state, node.cpus_idle, node.cpus_total),
                )
                for node in parse_nodes(nodes)
            ]

        return self._tables("nodes", read)

    def partition_rows(self) -> Command[list[PartitionRow]]:
        states = {"up": "UP", "closed": "DRAIN", "stopped": "DOWN"}

        def read(text: str) -> list[PartitionRow]:
            queues, nodes, server = (*text.split(SPLIT), "", "", "")[:3]
            return [
                PartitionRow(
                    name=queue.name,
                    state=states[queue.state],
                    total_cpus=str(queue.cpus_total),
                    total_nodes=str(queue.nodes_total),
                    is_default=queue.is_default,
                )
                for queue in parse_queues(queues, nodes, default_queue(server))
            ]

        return self._tables("queues", read)

    def end_jobs(self, job_ids: Sequence[str]) -> Command[dict[str, EndAnswer]]:
        short = {job_id: job_id.partition(".")[0] for job_id in job_ids}
        ids = checked_ids(list(short.values()), _ID, "PBS")
        argv = ("env", "LC_ALL=C", "timeout", "60", self.executable("qdel"), *ids)
        return Command(argv=argv, parse=lambda result: _ended(result, short), timeout=90.0)

    @property
    def _family(self) -> str:
        return "torque" if self._torque else "openpbs"

    @property
    def _prefix(self) -> str:
        """What stands before a command's name."""
        return self.executable("")

    def _listing(self, verb: str, *arguments: str, rows: str) -> tuple[str, ...]:
        return (
            "/bin/sh", "-c", LISTING, "centro-pbs", self._family, self._prefix, verb, rows, *arguments,
        )  # fmt: skip

    def _tables(self, what: str, read: Callable[[str], T]) -> Command[T]:
        """Queues, nodes and the server in one command. Raises ``NotSupported``: Torque has no JSON."""
        if self._torque:
            raise self._lacks(what)

        def parse(result: CommandResult) -> T:
            if result.exit_code != 0:
                raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
            return read(result.text)

        argv = ("/bin/sh", "-c", QUEUES, "centro-queues", self._prefix)
        return Command(argv=argv, parse=parse, read_only=True, timeout=200.0)


def _answer(result: CommandResult) -> str:
    if result.exit_code == NO_HISTORY:
        raise NotSupported("this PBS keeps no job history (job_history_enable is off)")
    if result.exit_code != 0:
        raise SchedulerSilent(result.error_text or "no answer", result.exit_code)
    return result.text


def node_states(text: str, idle: int, total: int) -> tuple[str, ...]:
    """Slurm's words for the states of a node, like "offline,job-busy". A free node whose processors are used in part
    is mixed."""
    words = [_NODE_STATES.get(word, "UNKNOWN") for word in text.split(",") if word]
    if words == ["IDLE"] and idle < total:
        words = ["MIXED"]
    if words == ["DRAIN"]:
        words = ["IDLE", "DRAIN"]
    return tuple(dict.fromkeys(words)) or ("UNKNOWN",)


def _ended(result: CommandResult, short: dict[str, str]) -> dict[str, EndAnswer]:
    text = result.error_text
    if any(word in text for word in OUTAGE) or result.exit_code in (124, 126, 127):
        raise SchedulerSilent(text or "qdel gave no answer within 60 s", result.exit_code)
    if result.exit_code != 0 and not text:
        raise SchedulerError(f"qdel ended with exit code {result.exit_code}", result.exit_code)
    said: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.search(r"([0-9]+(?:\[[0-9]*\])?)(?:\.[A-Za-z0-9_.-]+)?\s*$", line):
            said[match[1]] = line
        elif line.strip():  # about the whole command
            raise SchedulerError(line.strip(), result.exit_code)
    return {job_id: _end_answer(number, said.get(number)) for job_id, number in short.items()}


def _end_answer(number: str, line: str | None) -> EndAnswer:
    if line is None:
        return EndAnswer(True, f"Terminating job {number}")
    for pattern, words, is_over in _REFUSED:
        if pattern.search(line):
            return EndAnswer(False, words, is_over=is_over)
    return EndAnswer(False, line.removeprefix("qdel:").strip())
