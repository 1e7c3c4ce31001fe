"""How many jobs wait and run in each queue, as the schedulers count them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hpc.commands import CommandResult
from hpc.schedulers.pbs_parse import parse_queues as parse_pbs
from hpc.schedulers.registry import scheduler_for
from hpc.schedulers.slurm_parse import parse_queues
from tests.hpc.recordings import recorded

SINFO = (
    "part01*\x1fup\x1finfinite\x1f1/3/0/4\x1f8/24/0/32\x1f64000\n"
    "part02\x1fup\x1f1:00:00\x1f0/1/0/1\x1f0/8/0/8\x1f32000\n"
)


def test_jobs_are_counted_by_partition() -> None:
    found = {
        queue.name: queue
        for queue in parse_queues(
            f"{SINFO}\x1e12 PD part01\n3 R part01\n1 CG part01\n2 PD part02,part01\n"
        )
    }
    assert (found["part01"].jobs_waiting, found["part01"].jobs_running) == (14, 4)
    assert (found["part02"].jobs_waiting, found["part02"].jobs_running) == (2, 0)
    assert found["part01"].cpus_idle == 24


def test_an_empty_queue_has_no_jobs_and_an_unanswered_question_none_known() -> None:
    assert [queue.jobs_waiting for queue in parse_queues(f"{SINFO}\x1e")] == [0, 0]
    assert [queue.jobs_waiting for queue in parse_queues(SINFO)] == [None, None]


def test_lines_that_are_no_counts_are_left_out() -> None:
    (first, _) = parse_queues(f"{SINFO}\x1eslurm is tired\nx PD part01\n1 PD part01\n")
    assert first.jobs_waiting == 1


@pytest.mark.parametrize("answers", [True, False])
def test_the_command_counts_on_the_system(tmp_path: Path, answers: bool) -> None:
    rows = "".join("PD part01\\n" for _ in range(500)) + "R part02\\n"
    (tmp_path / "sinfo").write_text(f"#!/bin/sh\nprintf '%s' '{SINFO}'\n")
    (tmp_path / "squeue").write_text(f"#!/bin/sh\nprintf '{rows}'\nexit {0 if answers else 1}\n")
    for name in ("sinfo", "squeue"):
        (tmp_path / name).chmod(0o755)
    command = scheduler_for("slurm", {"bin_dir": str(tmp_path)}).queues()
    done = subprocess.run(command.argv, capture_output=True, check=False)  # noqa: S603  the command under test
    found = command.parse(CommandResult(done.returncode, done.stdout, done.stderr, 0.1))
    assert [queue.jobs_waiting for queue in found] == ([500, 0] if answers else [None, None])
    assert len(done.stdout) < 300


def test_pbs_counts_its_jobs_itself() -> None:
    queues = recorded("qstat-Qf-json", "openpbs").text
    nodes = recorded("pbsnodes-a-json", "openpbs").text
    found = parse_pbs(queues, nodes, "")
    assert {queue.jobs_waiting for queue in found} == {5, 1, 0}
    assert {queue.jobs_running for queue in found} == {0}
    assert all(
        queue.jobs_waiting is None
        for queue in parse_pbs(queues.replace("state_count", "other"), nodes, "")
    )
