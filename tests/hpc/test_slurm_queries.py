"""Slurm's tables in its own words: recorded answers of a real Slurm, and the program against a real one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hpc.commands import CommandResult
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerError, SchedulerSilent
from hpc.rows import NodeRow, PartitionRow, QueueRow, ReservationRow, ReservationSpec
from hpc.schedulers import slurm_queue
from hpc.schedulers.slurm import SlurmScheduler
from tests.hpc.recordings import recorded

if TYPE_CHECKING:
    from hpc.transports.ssh import SSHTransport
    from tests.lab.lab import Lab

SLURM = SlurmScheduler()
NONCE = "0" * 32
SPEC = ReservationSpec("r", 1, "f7t", "2030-01-01T00:00:00", "2030-01-02T00:00:00")


def queue(name: str, user: str | None = "test1", **changes: bytes) -> list[QueueRow]:
    """A recorded answer, read as the queue's command reads it."""
    return slurm_queue._parse(
        dataclasses.replace(recorded(name), **changes), NONCE, with_files=user is not None
    )


# ---------------------------------------------------------------- the queue


def test_jobs_in_all_states() -> None:
    rows = {row.job_id: row for row in queue("rows-queue")}
    live = {job: (row.state, row.tasks) for job, row in rows.items() if not row.is_over}
    assert live == {
        "11_[3-4%2]": ("PENDING", "3-4%2"), "12_[1,3,5-9]": ("PENDING", "1,3,5-9"),
        "11_1": ("RUNNING", "1"), "11_2": ("RUNNING", "2"), "13": ("RUNNING", ""),
        "14": ("RUNNING", ""), "15": ("RUNNING", ""), "18": ("RUNNING", ""), "19_7": ("RUNNING", "7"),
    }  # fmt: skip
    assert {rows[job].state for job in ("17", "16", "3")} == {"COMPLETED", "FAILED", "CANCELLED"}
    assert all(rows[job].is_over for job in ("17", "16", "3", "1_1"))
    waiting = rows["11_[3-4%2]"]
    assert (waiting.nodelist, waiting.start_time) == ("(JobArrayTaskLimit)", "N/A")
    running = rows["13"]
    assert (running.time_used, running.start_time, running.time_left) == (
        "0:02", "2026-11-22T07:46:34", "9:58"
    )  # fmt: skip
    assert (running.user, running.partition, running.nodes, running.nodelist) == (
        "test1", "part01", "1", "vm"
    )  # fmt: skip
    assert running.raw_id == "13"
    assert rows["11_1"].raw_id == "20"


def test_the_files_as_slurm_named_them() -> None:
    rows = {row.job_id: row for row in queue("rows-queue")}
    assert rows["11_1"].stdout == ("/home/test1/rec/a b|c-00020-11-1-test1-vm-0-0-batch-20-%-%q.o")
    assert rows["11_1"].stderr == "/home/test1/rec/e.20"
    assert rows["13"].stdout == "/home/test1/rec/none-4294967294.o"
    assert rows["18"].stdout == "/home/test1/rec/backslash-%j"
    assert (
        rows["19_7"].stdout == "/home/test1/rec/slurm-19_7.out"
    )  # squeue itself says slurm-19.out
    assert rows["13"].script == "/home/test1/rec/job.sh"
    assert rows["15"].script == ""  # --wrap


def test_the_ends_of_the_files() -> None:
    rows = {row.job_id: row for row in queue("rows-queue")}
    assert (rows["11_1"].stdout_tail, rows["11_1"].stderr_tail) == ("out", "err")
    assert rows["13"].stdout_tail == rows["13"].stderr_tail == "out\nerr"
    assert rows["15"].stdout_tail == "0" * 998 + "7"
    # a file that looks like the heading of another
    assert rows["15"].stderr_tail == "==> /etc/passwd <=="
    assert {rows[job].stdout_tail for job in ("11_[3-4%2]", "12_[1,3,5-9]", "17", "16")} == {""}


def test_odd_text_stays_one_row() -> None:
    row = {row.job_id: row for row in queue("rows-queue")}["14"]
    assert (row.name, row.stdout) == ("n\nl é", "/home/test1/rec/f\nl")
    assert row.stdout_tail == ""  # a heading has one line


def test_of_everybody_no_files_are_told() -> None:
    rows = queue("rows-queue-everybody", user=None)
    assert {row.job_id for row in rows} == {row.job_id for row in queue("rows-queue")}
    for row in rows:
        assert (row.script, row.stdout, row.stderr) == ("", "", "")
        assert (row.stdout_tail, row.stderr_tail) == ("", "")


@pytest.mark.parametrize("name", ["ctld-down-squeue", "ctld-hung-squeue", "munge-down-squeue"])
def test_trouble_is_never_an_empty_queue(name: str) -> None:
    with pytest.raises(SchedulerSilent):
        queue(name)


def test_an_unknown_user_is_never_an_empty_queue() -> None:
    assert recorded("rows-queue-unknown-user").exit_code == 0
    with pytest.raises(SchedulerSilent, match="Invalid user: nobodyatall"):
        queue("rows-queue-unknown-user")


def test_an_answer_cut_anywhere_is_refused() -> None:
    whole = recorded("rows-queue").stdout
    for length in range(0, len(whole) - 1, 7):
        with pytest.raises(IncompleteAnswer):
            queue("rows-queue", stdout=whole[:length])


def test_a_row_of_something_else_is_refused() -> None:
    end = f"\n@{NONCE} files\n\n@{NONCE} end\n"
    for row in ("motd\x1e\n", "x" + 16 * "a\x1f" + "\x1e\n", "1\x1f\x1e\n"):
        with pytest.raises(IncompleteAnswer):
            queue("rows-queue", stdout=(row + end).encode())


# ---------------------------------------------------------------- accounting


def accounting(name: str):
    return SLURM.accounting_rows("test1").parse(recorded(name))


def test_the_records_of_accounting() -> None:
    rows = {row.job_id: row for row in accounting("rows-accounting")}
    failed = rows["16"]
    assert (failed.state, failed.exit_code, failed.name) == ("FAILED", "3:0", "wrap")
    assert (failed.elapsed, failed.cpu_time, failed.nodes, failed.nodelist) == (
        "00:00:00", "00:00:00", "1", "vm"
    )  # fmt: skip
    assert (failed.user, failed.partition) == ("test1", "part01")
    assert (failed.start_time, failed.end_time) == ("2026-11-22T07:46:34", "2026-11-22T07:46:34")
    assert (rows["13"].state, rows["13"].end_time) == ("RUNNING", "Unknown")
    assert rows["14"].name == "n\nl é"
    assert rows["1_1"].state.startswith("CANCELLED by ")
    assert accounting("rows-accounting-unknown") == []


def test_refusals_and_outages_of_accounting() -> None:
    with pytest.raises(SchedulerError, match="Bad job/step specified: l") as refused:
        accounting("rows-accounting-garbage")
    assert not isinstance(refused.value, SchedulerSilent)
    for name in ("dbd-down-sacct", "db-down-sacct", "munge-down-sacct"):
        with pytest.raises(SchedulerSilent):
            accounting(name)
    with pytest.raises(NotSupported):
        accounting("noacct-sacct")
    whole = recorded("rows-accounting")
    for cut in (1, 30, 200):
        with pytest.raises(IncompleteAnswer):
            SLURM.accounting_rows("test1").parse(
                dataclasses.replace(whole, stdout=whole.stdout[:-cut])
            )


def test_what_goes_to_sacct() -> None:
    argv = SLURM.accounting_rows("u", ["1", "--help"], "2001-01-01", "12:00").argv
    assert "--jobs=1,--help" in argv
    assert {"--starttime=2001-01-01", "--endtime=12:00", "--user=u"} <= set(argv)
    assert not [word for word in SLURM.accounting_rows("u").argv if word.startswith("--jobs")]
    with pytest.raises(ValueError, match="'a,b' is no name"):
        SLURM.accounting_rows("a,b")


# ---------------------------------------------------------------- nodes, partitions, reservations


def test_nodes() -> None:
    assert SLURM.node_rows().parse(recorded("rows-nodes")) == [
        NodeRow("vm", ("f7t",), ("part01", "part02", "closed"), ("MIXED",))
    ]
    (down,) = SLURM.node_rows().parse(recorded("scontrol-show-node-o-down"))
    assert (down.states, down.features) == (("DOWN",), ())
    flags = CommandResult(0, b"NodeName=n1 State=IDLE+DRAIN Reason=State=UP Partitions=x\n", b"", 0)
    (drained,) = SLURM.node_rows().parse(flags)
    assert drained.states == ("IDLE", "DRAIN")  # free text at the end changes nothing


def test_partitions() -> None:
    assert SLURM.partition_rows().parse(recorded("rows-partitions")) == [
        PartitionRow("part01", "UP", "64", "1", True),
        PartitionRow("part02", "UP", "64", "1", False),
        PartitionRow("closed", "DOWN", "64", "1", False),
    ]


def test_reservations() -> None:
    assert SLURM.reservation_rows().parse(recorded("scontrol-show-reservation-none")) == []
    assert SLURM.reservation_rows().parse(recorded("scontrol-show-reservation-o")) == [
        ReservationRow(
            "maint", "INACTIVE", "vm", "1", "2026-11-22T02:35:36", "2026-11-22T03:35:36", (), "", (),
            ("root",),
        )
    ]  # fmt: skip
    text = b"ReservationName=r Features=a&b Accounts=x,y PartitionName=p State=ACTIVE\n"
    (row,) = SLURM.reservation_rows().parse(CommandResult(0, text, b"", 0))
    assert (row.features, row.accounts) == (("a", "b"), ("x", "y"))


@pytest.mark.parametrize("name", ["ctld-down-scontrol", "ctld-down-sinfo"])
def test_without_a_controller_there_is_no_answer(name: str) -> None:
    for command in (SLURM.node_rows(), SLURM.partition_rows(), SLURM.reservation_rows()):
        with pytest.raises(SchedulerSilent):
            command.parse(recorded(name))


def test_accounts() -> None:
    assert SLURM.accounts_of("test1").parse(recorded("accounts-of")) == {"acct1", "acct2"}


def test_names_and_numbers_of_a_reservation_are_checked() -> None:
    for wrong in ("a b", "a;b", "", "a=b", "x" * 300):
        with pytest.raises(ValueError, match="is no name"):
            SLURM.create_reservation(dataclasses.replace(SPEC, name=wrong), "acct1")
        with pytest.raises(ValueError, match="is no name"):
            SLURM.create_reservation(SPEC, wrong)
        with pytest.raises(ValueError, match="is no name"):
            SLURM.delete_reservation(wrong)
    with pytest.raises(ValueError, match="nodes is 0"):
        SLURM.update_reservation(dataclasses.replace(SPEC, nodes=0))
    assert SLURM.create_reservation(SPEC, "acct1").argv[-6:] == (
        "ReservationName=r", "Accounts=acct1", "NodeCnt=1", "Features=f7t",
        "StartTime=2030-01-01T00:00:00", "EndTime=2030-01-02T00:00:00",
    )  # fmt: skip
    refused = CommandResult(1, b"", b"Error creating the reservation: Invalid user id\n", 0)
    with pytest.raises(SchedulerError, match="Invalid user id"):
        SLURM.create_reservation(SPEC, "acct1").parse(refused)


# ---------------------------------------------------------------- ending jobs


def test_what_scancel_says_of_each_job() -> None:
    ended = SLURM.end_jobs(["99999"]).parse(recorded("end-unknown"))["99999"]
    assert (ended.is_taken, ended.text) == (False, "Invalid job id specified")
    other = SLURM.end_jobs(["22"]).parse(recorded("scancel-err-other"))["22"]
    assert (other.is_taken, other.text) == (False, "Access/permission denied")
    good = SLURM.end_jobs(["28"]).parse(recorded("scancel-ok"))["28"]
    assert good.is_taken
    with pytest.raises(SchedulerError, match="Invalid job id abc"):
        SLURM.end_jobs(["28"]).parse(recorded("scancel-err-garbage"))
    for name in ("ctld-down-scancel", "munge-down-scancel"):
        with pytest.raises(SchedulerSilent):
            SLURM.end_jobs(["28"]).parse(recorded(name))


@pytest.mark.parametrize("wrong", ["", "-1", "--user=root", "a", "1;2", "1 2", "1_", "1_[2"])
def test_only_job_ids_go_to_scancel(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a Slurm job id"):
        SLURM.end_jobs(["1", wrong])


# ---------------------------------------------------------------- against a real Slurm


@pytest.fixture
def far(lab: Lab, ssh: SSHTransport) -> Iterator[str]:
    """A directory of the user who is logged in; his jobs are cancelled at the end."""
    path = ssh.run(["mktemp", "-d", "/tmp/centro-queue-XXXXXX"]).text.strip()
    yield path
    ssh.run(["sh", "-c", "scancel --me --name=queue-test"])
    ssh.run(["rm", "-rf", "--", path])


@pytest.mark.lab
def test_the_paths_are_those_of_the_files_that_slurm_makes(far: str, ssh: SSHTransport) -> None:
    script = "#!/bin/sh\necho here; sleep 60\n"
    patterns = ["%x.%j.%A.%a", "%%-%03j-%N-%u", "%10j", "back\\slash%j", "plain", "%q%n%t%s%J"]
    submit = 'cd "$1" && printf "%s" "$2" > job.sh && shift 2 && for name; do sbatch --parsable -t 5 ' \
        '-J queue-test -o "$name.out" -e "$name.err" job.sh; done; ' \
        "sbatch --parsable -t 5 -J queue-test --array=3-4 job.sh"  # fmt: skip
    ssh.run(["sh", "-c", submit, "submit", far, script, *patterns])
    user = ssh.run(["id", "-un"]).text.strip()
    deadline = time.monotonic() + 30
    while True:
        rows = [r for r in ssh.execute(SLURM.queue_rows(user)) if r.name == "queue-test"]
        if len(rows) == 8 and all(row.stdout_tail == "here" for row in rows):
            break
        assert time.monotonic() < deadline, rows
        time.sleep(0.5)
    made = {str(path) for path in Path(far).iterdir()} - {f"{far}/job.sh"}
    assert {path for row in rows for path in (row.stdout, row.stderr)} == made
    assert {row.script for row in rows} == {f"{far}/job.sh"}


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_program_in_other_shells(shell: str, tmp_path: Path) -> None:
    """With a stand-in for squeue; the patterns need no more than POSIX."""
    (tmp_path / "o 7").write_text("o" * 1500)
    fields = [
        "7",
        "7",
        "7",
        "N/A",
        "RUNNING",
        "p",
        "n",
        "u",
        "0:01",
        "now",
        "1:00",
        "1",
        "vm",
        "/s",
    ]
    row = "".join(
        f"{f}\x1f" for f in (*fields, f"{tmp_path}/o %j", f"{tmp_path}/fifo", "/", "vm.x")
    )
    (tmp_path / "rows").write_text(row + "\x1e\n")
    os.mkfifo(tmp_path / "fifo")  # reading it would never end
    said = subprocess.run(
        [shell, "-c", slurm_queue.PROGRAM, "q", NONCE, "10", "1000", "cat", f"{tmp_path}/rows"],
        capture_output=True, timeout=10, check=True,
    )  # fmt: skip
    result = CommandResult(0, said.stdout, said.stderr, 0)
    (found,) = slurm_queue._parse(result, NONCE, with_files=True)
    assert found.stdout == f"{tmp_path}/o 7"
    assert found.stdout_tail == "o" * 1000
    assert found.stderr_tail == ""
