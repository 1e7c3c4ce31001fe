"""What a scheduler adapter must offer. An adapter is stateless and does no I/O: each verb is a ``Command``."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from hpc.commands import Command
from hpc.errors import NotSupported
from hpc.jobs import JobInfo, JobSpec, NodeInfo, QueueInfo, SubmitErrorPatterns, WaitingJob
from hpc.rows import (
    AccountingRow,
    EndAnswer,
    NodeRow,
    PartitionRow,
    QueueRow,
    ReservationRow,
    ReservationSpec,
)
from hpc.usage import JobUsage

MAX_IDS = 500
"""Job ids in one command line."""
UNIT = "\x1f"
"""The field separator asked of every scheduler command: a byte that no field of ours can hold."""


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """Site settings of one scheduler: where its commands are, and options of the adapter."""

    bin_dir: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


class Scheduler(ABC):
    """One scheduler family.

    Callers may assume: no method does I/O; every returned ``Command.parse`` raises only ``HpcError``; an
    unknown native state becomes ``JobState.UNKNOWN``; an answer that is not complete raises
    ``SchedulerSilent`` (or its subclass ``IncompleteAnswer``) and is never read as "no jobs".

    ``find_functions`` is constant POSIX sh text that defines these functions, used by the submission
    protocol on the system (``$CENTRO_BIN`` is ``bin_dir`` or empty, ``$CENTRO_USER`` the cluster user):

    * ``centro_find KEY`` prints the ids of jobs in the queue whose name is exactly KEY, one a line;
      exit 0 only if the scheduler gave a complete answer.
    * ``centro_find_past KEY`` the same from accounting, finished jobs included; exit 0 with nothing
      printed where there is no accounting.
    * ``centro_cancel KEY ID`` asks for the end of that job only if it bears that name; exit 0 if the
      scheduler took the request or the job is gone.
    * ``centro_live`` prints a line "ID MARK DIRECTORY NAME" (separated by ``UNIT``) for every job of the
      user that has not ended: where it was submitted from, and the mark that it has from the job that
      submitted it, as far as the scheduler keeps one; exit 0 only if the answer was complete.
    * ``centro_end ID...`` asks for the end of these jobs in one command; those gone count as ended.
    * ``centro_term ID...`` sends SIGTERM to the batch scripts alone, so that they can end what they have
      started; where a scheduler cannot do that it is the same as ``centro_end``.
    """

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[str]] = frozenset()
    job_id_pattern: ClassVar[str]
    """Full-match regular expression (both Python and grep -E) of a job id as printed by the submit command."""
    record_end: ClassVar[str] = ""
    """What ends a job in the answer of ``active_argv``, before the line break; "" where each has one line."""
    job_id_variable: ClassVar[str]
    restart_variable: ClassVar[str]
    submit_errors: ClassVar[SubmitErrorPatterns]
    find_functions: str
    option_names: ClassVar[frozenset[str]] = frozenset()
    """Site options that this family understands, besides ``bin_dir``."""

    def __init__(self, config: SchedulerConfig | None = None) -> None:
        self.config = config or SchedulerConfig()

    @abstractmethod
    def submit_argv(self, spec: JobSpec) -> tuple[str, ...]:
        """The submit command line; it prints the job id alone on its last line and nothing else on stdout.

        Name, comment, working directory and "never requeue" are always given on the command line, so that
        directives in the script cannot replace them. Raises ``NotSupported`` for an option of ``spec``
        that this scheduler lacks and ``ValueError`` for one outside its allow-list.
        """

    @abstractmethod
    def active_argv(self, user: str) -> tuple[str, ...]:
        """The command that lists every job of ``user`` in the queue, recently ended ones included.

        One line a job, fields separated by ``UNIT``; field 1 is the job id, field 2 the native state,
        field 3 the job name, field 4 the reason.
        """

    @abstractmethod
    def parse_active(self, text: str, exit_code: int, error_text: str) -> list[JobInfo]:
        """Read the answer of ``active_argv``. Raises ``SchedulerSilent`` or ``IncompleteAnswer``."""

    @abstractmethod
    def history(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobInfo]]]:
        """What accounting knows of these jobs (at most 500 ids): id -> all records, the current one last.

        Raises ``SchedulerSilent`` where accounting does not answer and ``NotSupported`` where it is off.
        """

    @abstractmethod
    def queues(self) -> Command[list[QueueInfo]]:
        """All queues with their free and total resources."""

    @abstractmethod
    def ping(self) -> Command[str]:
        """The scheduler's name and version in one line, if its controller answers."""

    def active(self, user: str) -> Command[list[JobInfo]]:
        """Every job of ``user`` in the queue, as a command of its own."""
        return Command(
            argv=self.active_argv(user),
            parse=lambda r: self.parse_active(r.text, r.exit_code, r.error_text),
            read_only=True,
        )

    def usage(self, job_ids: Sequence[str]) -> Command[dict[str, list[JobUsage]]]:
        """What these jobs (1 to 500 ids) have used: the number of each that is known -> the records of its parts
        (tasks of an array, earlier lives of a requeued job). Capability "usage".

        Raises ``SchedulerSilent`` where accounting does not answer and ``NotSupported`` where it is off.
        """
        raise self._lacks("what jobs have used")

    def nodes(self) -> Command[list[NodeInfo]]:
        """All nodes; capability "nodes"."""
        raise self._lacks("nodes")

    def waiting(self, user: str) -> Command[list[WaitingJob]]:
        """Every job of ``user`` that has not started, and when it may; capability "waiting"."""
        raise self._lacks("why jobs wait")

    def hold(self, job_ids: Sequence[str]) -> Command[None]:
        """Keep waiting jobs from starting; capability "hold"."""
        raise self._lacks("hold")

    def release(self, job_ids: Sequence[str]) -> Command[None]:
        """Undo ``hold``; capability "hold"."""
        raise self._lacks("release")

    def cancel(self, job_ids: Sequence[str]) -> Command[None]:
        """End these jobs; one that is already gone counts as success; capability "cancel"."""
        raise self._lacks("cancel")

    def queue_rows(self, user: str | None) -> Command[list[QueueRow]]:
        """The queue in the scheduler's words: the jobs of ``user`` with their files, or everybody's without.

        Jobs that ended a moment ago are included. Capability "rows", as for the next four.
        """
        raise self._lacks("the rows of its queue")

    def accounting_rows(
        self, user: str, job_ids: Sequence[str] = (), start: str = "", end: str = ""
    ) -> Command[list[AccountingRow]]:
        """Accounting's rows of the user's jobs: of these ids, or between two times; else today's.

        Times are in one of sacct's forms. Ids go to the scheduler as they are; raises ``SchedulerError``
        where it refuses one.
        """
        raise self._lacks("the rows of its accounting")

    def node_rows(self) -> Command[list[NodeRow]]:
        """All nodes in the scheduler's words."""
        raise self._lacks("the rows of its nodes")

    def partition_rows(self) -> Command[list[PartitionRow]]:
        """All partitions in the scheduler's words."""
        raise self._lacks("the rows of its partitions")

    def end_jobs(self, job_ids: Sequence[str]) -> Command[dict[str, EndAnswer]]:
        """Ask for the end of each job, and what the scheduler said; unlike ``cancel`` also of those gone."""
        raise self._lacks("ending jobs one by one")

    def reservation_rows(self) -> Command[list[ReservationRow]]:
        """All reservations in the scheduler's words; capability "reservations", as for the rest."""
        raise self._lacks("reservations")

    def accounts_of(self, user: str) -> Command[frozenset[str]]:
        """The scheduler accounts that the user may charge."""
        raise self._lacks("accounts")

    def create_reservation(self, spec: ReservationSpec, account: str) -> Command[None]:
        """Reserve nodes for an account. Raises ``SchedulerError`` with the scheduler's reason."""
        raise self._lacks("reservations")

    def update_reservation(self, spec: ReservationSpec) -> Command[None]:
        """Change nodes and times of the reservation with that name."""
        raise self._lacks("reservations")

    def delete_reservation(self, name: str) -> Command[None]:
        """Remove a reservation."""
        raise self._lacks("reservations")

    def executable(self, name: str) -> str:
        """The command's path on this site: ``bin_dir`` joined with its name, or the bare name."""
        return f"{self.config.bin_dir.rstrip('/')}/{name}" if self.config.bin_dir else name

    def _lacks(self, verb: str) -> NotSupported:
        return NotSupported(f"the {self.name} scheduler does not offer {verb}")


def checked_ids(job_ids: Sequence[str], form: re.Pattern[str], scheduler: str) -> list[str]:
    """The ids of one command, 1 to ``MAX_IDS`` of them. ``ValueError`` for another number, and for an id that has
    not the form of the ``scheduler`` (its name): none of them can be taken for an option."""
    if not 0 < len(job_ids) <= MAX_IDS:
        raise ValueError(f"{len(job_ids)} job ids given, expected 1 to {MAX_IDS}")
    for job_id in job_ids:
        if not form.fullmatch(job_id):
            raise ValueError(f"job id {job_id!r} is not a {scheduler} job id")
    return list(job_ids)
