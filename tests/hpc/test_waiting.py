"""When waiting jobs may start: what squeue and qstat print, whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerSilent
from hpc.jobs import WaitingJob
from hpc.schedulers.base import UNIT
from hpc.schedulers.local import LocalScheduler
from hpc.schedulers.pbs_parse import parse_waiting as parse_pbs
from hpc.schedulers.pbs_tables import WAITING
from hpc.schedulers.slurm import SlurmScheduler
from hpc.schedulers.slurm_parse import RECORD_END

SLURM = SlurmScheduler()


def printed(*rows: tuple[str, ...], code: int = 0, errors: str = "") -> CommandResult:
    text = "".join(f"{UNIT.join(row)}{RECORD_END}\n" for row in rows)
    return CommandResult(code, text.encode(), errors.encode(), 0.1)


def test_slurm() -> None:
    # measured: 34 waits behind a job without a limit, 32 is held, 36_1 is a task of an array
    answer = printed(
        ("34", "4294901728", "1795258939", "Resources"),
        ("32", "0", "N/A", "JobHeldUser"),
        ("36_1", "7", "N/A", "None"),
    )
    assert SLURM.waiting("u").parse(answer) == [
        WaitingJob("34", "Resources", 4294901728, datetime.fromtimestamp(1795258939, UTC)),
        WaitingJob("32", "JobHeldUser", 0, None),
        WaitingJob("36_1", "", 7, None),
    ]
    assert SLURM.waiting("u").parse(printed()) == []


@pytest.mark.parametrize(
    "answer",
    [printed(code=1), printed(errors="squeue: error: Invalid user: u")],
)
def test_slurm_that_does_not_answer(answer: CommandResult) -> None:
    with pytest.raises(SchedulerSilent):
        SLURM.waiting("u").parse(answer)


def test_slurm_cut_short() -> None:
    for text in (f"34{UNIT}1", f"34{UNIT}1{RECORD_END}\n"):
        with pytest.raises(IncompleteAnswer):
            SLURM.waiting("u").parse(CommandResult(0, text.encode(), b"", 0.1))


DSV = (
    "Job Id: 1.pbs01|~|Job_Name=a|~|job_state=Q|~|Priority=5|~|comment=Not Running: Queue not started.|~|"
    "estimated.start_time=Sun Nov 22 12:00:00 2026|~|substate=10\n"
    "Job Id: 2.pbs01|~|job_state=R|~|Priority=0\n"
    "Job Id: 3.pbs01|~|job_state=H|~|Hold_Types=u|~|Priority=0\n"
)


def test_pbs(local_system: SystemClient) -> None:
    argv = ("awk", "-v", "split_by=[|]~[|]", WAITING)
    text = local_system.run(Command(argv, lambda r: r.text, stdin=DSV.encode()))
    assert parse_pbs(text) == [
        WaitingJob(
            "1", "Not Running: Queue not started.", 5, datetime(2026, 11, 22, 12, tzinfo=UTC)
        ),
        WaitingJob("3", "held by its user", 0, None),
    ]
    with pytest.raises(IncompleteAnswer):
        parse_pbs(text[:-3])


def test_plain_processes_have_no_plan() -> None:
    with pytest.raises(NotSupported):
        LocalScheduler().waiting("u")
