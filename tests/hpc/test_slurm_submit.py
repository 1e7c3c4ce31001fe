"""Submitting to Slurm and its other verbs, on recorded answers of a real Slurm."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta

import pytest

from hpc.commands import CommandResult
from hpc.errors import SchedulerError, SchedulerSilent
from hpc.jobs import JobSpec
from hpc.schedulers.registry import scheduler_for
from hpc.schedulers.slurm import SlurmScheduler
from hpc.schedulers.slurm_tables import SUBMIT_ERRORS
from tests.hpc.recordings import names, recorded

SLURM = SlurmScheduler()


def outcome(text: str) -> str:
    if not re.search(SUBMIT_ERRORS.rejected, text):
        return "unknown"
    return "transient" if re.search(SUBMIT_ERRORS.transient, text) else "rejected"


TRANSIENT = {"sbatch-err-conf"}


@pytest.mark.parametrize("name", names("sbatch-err-"))
def test_a_refused_submission_is_known_as_refused(name: str) -> None:
    if name == "sbatch-err-notfound":
        assert recorded(name).exit_code == 127  # which the submission script knows by itself
        return
    expected = "transient" if name in TRANSIENT else "rejected"
    assert outcome(recorded(name).error_text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sbatch: error: Invalid directive found in batch script: one", "rejected"),
        ("sbatch: fatal: stdin: line 2: Unmatched `'` in ['unterminated]", "rejected"),
        ('sbatch: error: "abc" is not a valid node count', "rejected"),
        ('sbatch: error: unrecognized --mem-bind argument "x"', "rejected"),
        ("sbatch: error: invalid --profile=foo option", "rejected"),
        ("sbatch: option '--wait' doesn't allow an argument", "rejected"),
        ("sbatch: error: --uid only permitted by root user", "rejected"),
        ("sbatch: error: Could not open user environment file /none", "rejected"),
        ("sbatch: error: No cluster 'none' known by database.", "rejected"),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job "
         "violates accounting/QOS policy (job submit limit, user's size and/or time limits)", "transient"),
        ("sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job "
         "violates accounting/QOS policy (job submit limit, user's size and/or time limits)", "transient"),
        ("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy", "rejected"),
        ("Batch job submission failed: Resource temporarily unavailable", "transient"),
        ("Batch job submission failed: Socket timed out on send/recv operation", "unknown"),
        ("Batch job submission failed: Zero Bytes were transmitted or received", "unknown"),
        ("Batch job submission failed: Transport endpoint is not connected", "unknown"),
        ("Batch job submission failed: Unable to contact slurm controller (receive failure)", "unknown"),
        ("Batch job submission failed: Unable to contact slurm controller (send failure)", "unknown"),
        ("Batch job submission failed: Unexpected message received", "unknown"),
        ("Batch job submission failed: Protocol authentication error", "unknown"),
        ("Slurm temporarily unable to accept job, sleeping and retrying.\nsbatch: error: Batch job "
         "submission failed: Socket timed out on send/recv operation", "unknown"),
        ("", "unknown"), ("Killed", "unknown"), ("Segmentation fault", "unknown"),
    ],
)
def test_only_sure_refusals_count_as_refused(text: str, expected: str) -> None:
    assert outcome(text) == expected


def test_what_recorded_outages_say_about_a_submission() -> None:
    assert outcome(recorded("ctld-hung-sbatch").error_text) == "unknown"  # it had submitted the job
    assert outcome(recorded("ctld-down-sbatch").error_text) == "transient"
    assert outcome(recorded("munge-down-sbatch").error_text) == "transient"


@pytest.mark.parametrize("name", names("sbatch-err-"))
def test_grep_reads_the_patterns_as_python_does(name: str) -> None:
    text = recorded(name).stderr
    for pattern in (SUBMIT_ERRORS.rejected, SUBMIT_ERRORS.transient):
        grep = subprocess.run(["grep", "-Eq", pattern], input=text, check=False)
        assert (grep.returncode == 0) == bool(re.search(pattern, text.decode()))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("11637", True), ("11637;ci", True), ("Submitted batch job 11637", False), ("", False),
        ("11637 ", False), ("-1", False), ("11637;c i", False), ("Stampede3", False),
    ],
)
def test_what_counts_as_a_job_id(text: str, matches: bool) -> None:
    assert bool(re.fullmatch(SLURM.job_id_pattern, text)) is matches
    grep = subprocess.run(["grep", "-Eqx", SLURM.job_id_pattern], input=text.encode(), check=False)
    assert (grep.returncode == 0) is matches


def spec(**fields: object) -> JobSpec:
    given: dict = {"name": "ckey", "script_path": "job.sh", "workdir": "/w", **fields}
    return JobSpec(**given)


def test_the_submit_command() -> None:
    argv = SLURM.submit_argv(spec(
        queue="part01", account="acct1", walltime=timedelta(hours=25), nodes=2, tasks=3, cpus=4,
        memory_mb=500, gpus=1, qos="normal", reservation="r", comment="run 1",
        native=(("constraint", "haswell&ib"), ("exclusive", "")),
    ))
    assert argv == (
        "sbatch", "--parsable", "--no-requeue", "--job-name=ckey", "--comment=run 1", "--chdir=/w",
        "--output=job.%j.out", "--partition=part01", "--account=acct1", "--qos=normal",
        "--reservation=r", "--time=1-01:00:00", "--nodes=2", "--ntasks=3", "--cpus-per-task=4",
        "--mem=500M", "--gres=gpu:1", "--constraint=haswell&ib", "--exclusive", "job.sh",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"native": (("wrap", "rm -rf /"),)}, {"native": (("uid", "0"),)},
        {"native": (("constraint", "a b"),)}, {"native": (("constraint", ""),)},
        {"native": (("exclusive", "all"),)}, {"native": (("output", "/etc/x"),)},
        {"native": (("constraint", "x\n--uid=0"),)}, {"native": (("--wrap", "x"),)},
        {"native": (("dependency", "afterok:1"),)}, {"native": (("requeue", ""),)},
        {"name": "a\nb"}, {"name": "x" * 1001}, {"comment": "\x1f"}, {"queue": "a\0"},
        {"script_path": "--wrap=x"}, {"script_path": ""}, {"walltime": timedelta(0)},
        {"nodes": 0}, {"memory_mb": -1},
    ],
)
def test_hostile_or_senseless_requests_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError):
        SLURM.submit_argv(spec(**fields))


def test_a_value_cannot_become_an_option() -> None:
    argv = SLURM.submit_argv(spec(name="--uid=0", queue="--wrap=x", workdir="-x", comment="-h"))
    assert argv[-1] == "job.sh"
    assert all(word.startswith("--") and "=" in word for word in argv[3:-1])


# ---------------------------------------------------------------- the other verbs


def test_queues() -> None:
    found = {queue.name: queue for queue in SLURM.queues().parse(recorded("queues"))}
    assert found["part01"].is_default and not found["part02"].is_default
    assert found["part02"].walltime_limit == timedelta(minutes=10)
    assert (found["closed"].state, found["part01"].cpus_total) == ("down", 64)
    assert found["part01"].memory_mb == 200000


def test_rows_of_one_queue_are_added_up() -> None:
    rows = "a*\x1fup\x1f1:00:00\x1f1/2/3/6\x1f4/8/0/12\x1f1000\n" \
           "a*\x1fup\x1f1:00:00\x1f0/1/0/1\x1f0/2/0/2K\x1f2000+\n"
    (queue,) = SLURM.queues().parse(CommandResult(0, rows.encode(), b"", 0.1))
    assert (queue.name, queue.nodes_total, queue.nodes_idle) == ("a", 7, 3)
    assert (queue.cpus_total, queue.memory_mb) == (12 + 2048, 2000)


def test_nodes() -> None:
    (node,) = SLURM.nodes().parse(recorded("nodes"))
    assert (node.name, node.cpus_total, node.memory_mb, node.reason) == ("vm", 64, 200000, "")
    assert node.queues == ("part01", "part02", "closed")


def test_ping() -> None:
    assert SLURM.ping().parse(recorded("ping")) == (
        "slurm-wlm 22.05.8, Slurmctld(primary) at vm is UP"
    )
    with pytest.raises(SchedulerSilent, match="DOWN"):
        SLURM.ping().parse(recorded("ctld-down-ping"))


@pytest.mark.parametrize("name", ["ctld-down-sinfo", "munge-down-squeue"])
def test_no_answer_about_queues(name: str) -> None:
    for command in (SLURM.queues(), SLURM.nodes()):
        with pytest.raises(SchedulerSilent):
            command.parse(recorded(name))


@pytest.mark.parametrize("name", [
    "scancel-ok", "scancel-ok-pending", "scancel-err-unknown", "scancel-err-finished",
    "scancel-two-unknown",
])
def test_cancelled_or_gone_is_success(name: str) -> None:
    SLURM.cancel(["1"]).parse(recorded(name))


@pytest.mark.parametrize("name", ["ctld-down-scancel", "munge-down-scancel"])
def test_a_cancel_that_nobody_heard(name: str) -> None:
    with pytest.raises(SchedulerSilent):
        SLURM.cancel(["1"]).parse(recorded(name))


def test_other_peoples_jobs() -> None:
    with pytest.raises(SchedulerError, match="denied") as caught:
        SLURM.cancel(["22"]).parse(recorded("scancel-err-other"))
    assert not caught.value.retryable
    assert not isinstance(caught.value, SchedulerSilent)


def test_commands_stand_where_the_site_says() -> None:
    there = scheduler_for("slurm", {"bin_dir": "/opt/slurm/bin/"})
    assert there.submit_argv(spec())[0] == "/opt/slurm/bin/sbatch"
    assert "/opt/slurm/bin/squeue" in there.active_argv("u")
    assert "/opt/slurm/bin/sacct" in there.history(["1"]).argv
    assert "/opt/slurm/bin/scancel" in there.cancel(["1"]).argv
    assert "/opt/slurm/bin/sinfo" in there.queues().argv


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lsf", {}, "known are local, pbs, slurm"),
        ("slurm", {"dialect": "x"}, "'dialect' is not known to slurm; known are bin_dir"),
        ("slurm", {"bin_dir": "bin"}, "absolute"),
        ("slurm", {"bin_dir": "/opt/$(id)"}, "absolute"),
        ("local", {"slots": "0"}, "slots"),
        ("local", {"slots": "many"}, "slots"),
        ("local", {"spool": "here"}, "absolute"),
        ("local", {"bindir": "/x"}, "known are bin_dir, slots, spool"),
    ],
)
def test_wrong_scheduler_settings(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scheduler_for(name, options)
