"""What jobs have used, from recorded answers of sacct and qstat and from processes of this machine."""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc.client import SystemClient
from hpc.commands import Command
from hpc.errors import IncompleteAnswer, NotSupported, SchedulerSilent
from hpc.jobs import JobSpec
from hpc.schedulers.base import UNIT
from hpc.schedulers.local import LocalScheduler
from hpc.schedulers.pbs import PbsScheduler
from hpc.schedulers.pbs_usage import USAGE
from hpc.schedulers.pbs_usage import parse_usage as parse_pbs
from hpc.schedulers.slurm import SlurmScheduler
from hpc.schedulers.slurm_usage import FIELDS, parse_usage
from hpc.usage import JobUsage, mebibytes, seconds, total
from tests.hpc.recordings import recorded

COLUMNS = FIELDS.split(",")


def record(**given: str) -> str:
    """A line of sacct; columns that are not given are empty."""
    return UNIT.join(given.get(name, "") for name in COLUMNS) + "\n"


def recorded_usage() -> dict[str, list[JobUsage]]:
    return SlurmScheduler().usage(["1", "16", "19", "20", "99"]).parse(recorded("sacct-usage"))


def test_memory_and_processor_time_come_from_the_steps() -> None:
    (job,) = recorded_usage()["1"]
    assert job == JobUsage(
        job_id="1", is_over=True, wait_seconds=1, elapsed_seconds=5, cpus=2, gpus=0, nodes=1,
        memory_mb=200, cpu_seconds=6.115, max_memory_mb=101, user="test1",
    )  # fmt: skip
    assert (job.core_seconds, job.gpu_seconds) == (10, 0)


def test_an_array_is_its_tasks_and_one_that_never_started_is_nothing() -> None:
    found = recorded_usage()
    assert [job.job_id for job in found["16"]] == ["16_1", "16_2", "16_3"]
    assert total(found["16"]).core_seconds == 6
    assert total(found["16"]).elapsed_seconds == 3
    assert set(found) == {
        "1",
        "16",
        "20",
    }  # 19 was cancelled before its tasks existed, 99 is unknown


def test_a_head_job_and_the_jobs_it_has_submitted_are_added_up() -> None:
    head = JobUsage("1", True, wait_seconds=5, elapsed_seconds=100, cpus=1, gpus=0, memory_mb=1000,
                    walltime_seconds=3600, cpu_seconds=2.5, max_memory_mb=40)  # fmt: skip
    child = JobUsage("2", True, wait_seconds=50, elapsed_seconds=60, cpus=8, gpus=2,
                     memory_mb=64000, cpu_seconds=400.0, max_memory_mb=9000)  # fmt: skip
    lost = JobUsage("3", False, cpus=4)
    both = total([head], [child, lost])
    assert (both.jobs, both.is_over) == (3, False)
    assert (both.core_seconds, both.gpu_seconds, both.cpu_seconds) == (580, 120, 402.5)
    assert (both.elapsed_seconds, both.wait_seconds, both.walltime_seconds) == (100, 5, 3600)
    assert both.of is child, "what was asked for is told of the job whose memory is told"


def test_nothing_known_adds_up_to_nothing_known() -> None:
    assert total([]).core_seconds is None
    assert total([JobUsage("1", True)]).core_seconds is None
    assert total([], [JobUsage("2", True, elapsed_seconds=3, cpus=2)]).wait_seconds is None


@pytest.mark.parametrize(
    ("columns", "memory"),
    [
        ({"ReqTRES": "cpu=4,mem=8G,node=2", "NNodes": "2"}, 4096),
        ({"ReqMem": "100M"}, 100),
        ({"ReqMem": "2Gn", "NNodes": "3"}, 2048),
        ({"ReqMem": "1000Mc", "AllocCPUS": "6", "NNodes": "2"}, 3000),
        ({"ReqMem": "0", "AllocTRES": "cpu=4,mem=16000M,node=1"}, 16000),
        ({"ReqMem": "plenty"}, None),
    ],
)
def test_requested_memory_is_told_per_node(columns: dict[str, str], memory: int | None) -> None:
    row = record(JobID="7", JobIDRaw="7", State="COMPLETED", **columns)
    assert parse_usage(row)["7"][0].memory_mb == memory


@pytest.mark.parametrize(
    ("tres", "gpus"),
    [
        ("cpu=4,gres/gpu=2,gres/gpu:a100=2,node=1", 2),
        ("cpu=4,gres/gpu:a100=1,gres/gpu:v100=3", 4),
        ("cpu=1,node=1", 0),
        ("", None),
    ],
)
def test_gpus_are_counted_once(tres: str, gpus: int | None) -> None:
    row = record(JobID="7", JobIDRaw="7", State="COMPLETED", AllocTRES=tres, ElapsedRaw="10")
    (job,) = parse_usage(row)["7"]
    assert job.gpus == gpus
    assert job.gpu_seconds == (None if gpus is None else gpus * 10)


def test_every_life_of_a_requeued_job_counts_with_its_own_steps() -> None:
    def life(state: str, elapsed: str, used: str) -> str:
        own = {"State": state, "JobIDRaw": "5", "ElapsedRaw": elapsed, "AllocCPUS": "2"}
        return record(JobID="5", **own) + record(JobID="5.batch", TotalCPU=used, MaxRSS="3M")

    found = parse_usage(life("REQUEUED", "10", "00:08.000") + life("COMPLETED", "20", "00:30.000"))
    assert [job.cpu_seconds for job in found["5"]] == [8.0, 30.0]
    assert total(found["5"]).core_seconds == 60


@pytest.mark.parametrize(
    "name", ["ctld-down-sacct", "db-down-sacct", "dbd-down-sacct", "munge-down-sacct"]
)
def test_accounting_that_is_down_is_no_answer(name: str) -> None:
    result = recorded(name)
    command = SlurmScheduler().usage(["1"])
    if result.exit_code == 0:  # the controller alone is down: accounting answers without it
        pytest.raises(IncompleteAnswer, command.parse, result)
    else:
        pytest.raises(SchedulerSilent, command.parse, result)


def test_accounting_that_is_off_says_so() -> None:
    with pytest.raises(NotSupported):
        SlurmScheduler().usage(["1"]).parse(recorded("noacct-sacct"))


@pytest.mark.parametrize(
    "text",
    [
        "1\n",
        "1" + UNIT * (len(COLUMNS) - 1),
        record(JobID="1.batch", JobIDRaw="1.batch"),
        record(JobID="1", JobIDRaw="1") + record(JobID="2.batch", JobIDRaw="2.batch"),
        record(JobID="rm -rf", JobIDRaw="1"),
    ],
)
def test_a_cut_or_mixed_answer_is_refused(text: str) -> None:
    with pytest.raises(IncompleteAnswer):
        parse_usage(text)


@pytest.mark.parametrize("ids", [[], ["1;rm"], ["--help"], ["1"] * 501])
def test_only_job_ids_are_asked_about(ids: list[str]) -> None:
    for scheduler in (SlurmScheduler(), PbsScheduler()):
        with pytest.raises(ValueError):
            scheduler.usage(ids)


@given(st.lists(st.tuples(st.sampled_from(["5", "5.batch", "5_1", "5_[2-9]", "6+1", "6+1.0"]),
                          st.lists(st.text("0123456789:.-KMGTncx=/,", max_size=12), min_size=15,
                                   max_size=15))))  # fmt: skip
def test_no_answer_of_the_right_width_breaks_the_reader(
    rows: list[tuple[str, list[str]]],
) -> None:
    text = "".join(UNIT.join([job_id, *fields]) + "\n" for job_id, fields in rows)
    try:
        found = parse_usage(text)
    except IncompleteAnswer:
        return
    for records in found.values():
        assert total(records).jobs == len(records)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1.52M", 2), ("932704K", 911), ("7212kb", 8), ("2G", 2048), ("300", 300), ("-1M", None), ("M", None),
     ("9" * 15 + "P", None)],
)  # fmt: skip
def test_sizes(text: str, size: int | None) -> None:
    assert mebibytes(text) == size


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("00:06.115", 6.115),
        ("01:02:03", 3723.0),
        ("2-00:00:01", 172801.0),
        ("x", None),
        ("12", None),
    ],
)
def test_times(text: str, length: float | None) -> None:
    assert seconds(text) == length


# --- PBS ----------------------------------------------------------------------------------------


def by_our_awk(text: bytes, split_by: str) -> dict[str, list[JobUsage]]:
    argv = ["awk", "-v", f"split_by={split_by}", USAGE]
    answer = subprocess.run(argv, input=text, capture_output=True, check=True)
    return parse_pbs(answer.stdout.decode(errors="surrogateescape"))


def test_recorded_jobs_of_openpbs() -> None:
    found = by_our_awk(recorded("end-all-dsv", "openpbs").stdout, "[|]~[|]")
    (job,) = found["5"]
    assert (job.is_over, job.cpus, job.gpus, job.nodes) == (True, 2, 0, 1)
    assert job.elapsed_seconds is not None and job.wait_seconds == 0
    assert any(jobs[0].max_memory_mb for jobs in found.values())
    assert any((jobs[0].elapsed_seconds or 0) > 60 for jobs in found.values())


def test_torque_says_it_in_its_own_words() -> None:
    text = b"""Job Id: 12.server
    Job_Name = x
    Job_Owner = test2@login1
    job_state = C
    resources_used.cput = 01:00:00
    resources_used.mem = 4194304kb
    resources_used.walltime = 00:31:00
    ctime = 1795310000
    start_time = 1795310060
    Resource_List.nodect = 2
    Resource_List.nodes = 2:ppn=4
    Resource_List.mem = 8gb
    Resource_List.walltime = 02:00:00

"""
    (job,) = by_our_awk(text, "")["12"]
    assert job == JobUsage(
        job_id="12", is_over=True, wait_seconds=60, elapsed_seconds=1860, cpus=8, gpus=0, nodes=2,
        memory_mb=4096, walltime_seconds=7200, cpu_seconds=3600.0, max_memory_mb=2048, user="test2",
    )  # fmt: skip


def test_a_row_of_pbs_that_is_cut_is_refused() -> None:
    for text in ("1", "1\x1fF\n", UNIT * 15 + ".\n"):
        with pytest.raises(IncompleteAnswer):
            parse_pbs(text)


# --- plain processes ----------------------------------------------------------------------------


def test_a_process_has_used_the_processor_for_as_long_as_it_says(
    local_system: SystemClient, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\ni=0; while [ $i -lt 300000 ]; do i=$((i+1)); done\n")
    spec = JobSpec("c1", str(script), str(tmp_path), cpus=2, walltime=timedelta(minutes=1))
    scheduler = local_system.scheduler
    argv = scheduler.submit_argv(spec)
    job_id = local_system.run(Command(argv, parse=lambda answer: answer.text.strip()))
    for _ in range(200):
        (job,) = local_system.run(scheduler.usage([job_id]))[job_id]
        if job.is_over:
            break
        time.sleep(0.05)
    assert job.is_over and job.cpus == 2 and job.walltime_seconds == 60 and job.nodes == 1
    assert job.cpu_seconds is not None and job.cpu_seconds > 0.05
    assert job.max_memory_mb is None and job.core_seconds == 2 * (job.elapsed_seconds or 0)


def test_an_unknown_process_is_left_out(local_system: SystemClient) -> None:
    assert local_system.run(LocalScheduler(local_system.scheduler.config).usage(["77"])) == {}
