"""Plain processes told in the words of a batch scheduler."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hpc.client import SystemClient
from hpc.errors import NotSupported, SchedulerError
from hpc.jobs import JobSpec
from hpc.schedulers.local_queries import _duration, _moment
from hpc.transports.local import LocalTransport

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def submit(system: SystemClient, folder: Path, body: str) -> str:
    """Submit a script; its id."""
    script = folder / "job.sh"
    script.write_text(f"#!/bin/sh\n{body}\n")
    spec = JobSpec(name="named", script_path=str(script), workdir=str(folder),
                   walltime=timedelta(minutes=2))  # fmt: skip
    with LocalTransport() as here:
        said = here.run(system.scheduler.submit_argv(spec), env=system._env)
    assert said.exit_code == 0, said.error_text
    return said.text.split()[-1]


def test_queue_and_accounting(local_system: SystemClient, tmp_path: Path) -> None:
    scheduler = local_system.scheduler
    long, short = (
        submit(local_system, tmp_path, "sleep 60"),
        submit(local_system, tmp_path, "exit 3"),
    )
    deadline = time.monotonic() + 20
    while True:
        rows = {row.job_id: row for row in local_system.run(scheduler.queue_rows("u"))}
        if rows[long].state == "RUNNING" and rows[short].is_over:
            break
        assert time.monotonic() < deadline, rows
        time.sleep(0.1)
    row = rows[long]
    assert (row.name, row.user, row.partition, row.nodes) == (
        "named", local_system.username, "local", "1"
    )  # fmt: skip
    assert STAMP.fullmatch(row.start_time)
    assert re.fullmatch(r"0:\d\d", row.time_used) and re.fullmatch(r"[12]:\d\d", row.time_left)
    (record,) = local_system.run(scheduler.accounting_rows("u", [short]))
    assert (record.job_id, record.state, record.exit_code) == (short, "FAILED", "3:0")
    assert STAMP.fullmatch(record.end_time) and record.elapsed.startswith("00:00:")
    today = local_system.run(scheduler.accounting_rows("u"))
    assert {r.job_id for r in today} == {long, short}
    assert {r.end_time for r in today if r.job_id == long} == {"Unknown"}
    assert local_system.run(scheduler.accounting_rows("u", [], "2001-01-01", "2001-01-02")) == []
    assert local_system.run(scheduler.accounting_rows("u", ["999"])) == []
    with pytest.raises(SchedulerError, match="Bad job/step specified: l"):
        scheduler.accounting_rows("u", ["l"])
    answers = local_system.run(scheduler.end_jobs([long, short, "999"]))
    assert {job: (a.is_taken, a.text) for job, a in answers.items()} == {
        long: (True, f"Terminating job {long}"),
        short: (False, "Job/step already completing or completed"),
        "999": (False, "Invalid job id specified"),
    }
    deadline = time.monotonic() + 20
    while local_system.run(scheduler.accounting_rows("u", [long]))[0].state != "CANCELLED":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_this_machine_as_a_cluster(local_system: SystemClient) -> None:
    (node,) = local_system.run(local_system.scheduler.node_rows())
    assert (node.states, node.partitions) == (("IDLE",), ("local",))
    (partition,) = local_system.run(local_system.scheduler.partition_rows())
    assert (partition.name, partition.state, partition.total_cpus, partition.is_default) == (
        "local", "UP", "2", True
    )  # fmt: skip
    with pytest.raises(NotSupported, match="does not offer reservations"):
        local_system.scheduler.reservation_rows()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10:30", (2026, 3, 4, 10, 30)), ("10:30:05", (2026, 3, 4, 10, 30, 5)),
        ("1122", (2026, 11, 22)), ("112225", (2025, 11, 22)), ("11/22", (2026, 11, 22)),
        ("11/22/25", (2025, 11, 22)), ("11.22", (2026, 11, 22)), ("11.22.25", (2025, 11, 22)),
        ("11/22-10:30", (2026, 11, 22, 10, 30)), ("11/22/25-10:30:05", (2025, 11, 22, 10, 30, 5)),
        ("2025-11-22", (2025, 11, 22)), ("2025-11-22T10:30", (2025, 11, 22, 10, 30)),
        ("2025-11-22T10:30:05", (2025, 11, 22, 10, 30, 5)), ("", None), ("yesterday", None),
        ("2025-13-01", None),
    ],
)  # fmt: skip
def test_times_as_sacct_takes_them(text: str, moment: tuple[int, ...] | None) -> None:
    now = datetime(2026, 3, 4, 5, 6, tzinfo=UTC).astimezone()
    expected = datetime(*moment).astimezone() if moment else None  # type: ignore[arg-type]  # parts
    assert _moment(text, now) == expected


def test_durations_as_squeue_writes_them() -> None:
    for seconds, text in ((5, "0:05"), (254, "4:14"), (3661, "1:01:01"), (93784, "1-02:03:04")):
        assert _duration(timedelta(seconds=seconds)) == text
