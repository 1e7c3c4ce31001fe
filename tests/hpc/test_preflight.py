"""The look at a system before a submission: its program on this machine, and answers of real systems as values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hpc.client import SystemClient
from hpc.commands import CommandResult
from hpc.errors import IncompleteAnswer
from hpc.jobs import JobSpec
from hpc.preflight import asking, reading
from hpc.preflight.asking import Part, look
from hpc.preflight.families import family_of
from hpc.schedulers.pbs_tables import SPLIT
from hpc.schedulers.registry import scheduler_for
from tests.hpc.recordings import recorded

SPEC = JobSpec(name="cx", script_path="job.sh", workdir="/x/y", queue="part01", account="acct1")


def asked(
    client: SystemClient, paths: list[str], workdir: str, seconds: float = 20
) -> dict[str, Part]:
    return client.run(look(client.scheduler, SPEC, paths=paths, workdir=workdir, seconds=seconds))


def test_paths_of_every_kind_and_the_space(local_system: SystemClient, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("x")
    (tmp_path / "empty").write_text("")
    hostile = tmp_path / "a '\"$(touch pwned) \n ü *"
    hostile.write_text("x")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    names = ["full", "empty", "missing", "", hostile.name, "broken"]
    parts = asked(local_system, [f"{tmp_path}/{name}" for name in names], f"{tmp_path}/not/yet")
    assert list(parts) == ["paths", "space", "quota"]  # plain processes have no more to say
    assert reading.path_states(parts["paths"].output) == [
        "readable", "empty", "missing", "directory", "readable", "missing",
    ]  # fmt: skip
    space = reading.space(parts["space"].output)
    assert space is not None and space.is_writable and space.place == str(tmp_path)
    assert space.total and space.free is not None and 0 < space.free < space.total
    assert not (tmp_path / "pwned").exists()


def test_thousands_of_paths_keep_their_order(local_system: SystemClient, tmp_path: Path) -> None:
    paths = [f"{tmp_path}/{'no' * (n % 3 == 0)}" for n in range(6000)]
    states = reading.path_states(asked(local_system, paths, "/")["paths"].output)
    assert states == ["missing" if n % 3 == 0 else "directory" for n in range(6000)]


def test_a_part_that_hangs_costs_its_own_answer_only(
    local_system: SystemClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = asking._program().replace(
        "quota() {", "quota() {\n  trap '' TERM; echo begun; sleep 30;", 1
    )
    monkeypatch.setattr(asking, "_program", lambda: slow)
    parts = asked(local_system, [str(tmp_path)], str(tmp_path), seconds=1)
    assert parts["quota"].code is None and parts["quota"].output == "begun\n"
    assert parts["paths"] == Part(0, "d", "") and parts["space"].code == 0


def answer(stdout: bytes, code: int = 0) -> CommandResult:
    return CommandResult(code, stdout, b"", 0.1)


@pytest.mark.parametrize(
    "stdout", [b"", b"wrong paths 0 1 0\nd", b"N paths 0 x 0\n", b"N paths 0 1 0\nd", b"no line"]
)
def test_an_answer_that_is_not_whole_is_none(stdout: bytes) -> None:
    with pytest.raises(IncompleteAnswer):
        asking._parse(answer(stdout), "N", ("paths", "space"))


def test_an_answer_is_split_by_its_sizes_and_not_by_its_text() -> None:
    stdout = b"N paths 0 5 3\nN\nx 0oh\nN space late 0 0\n"
    parts = asking._parse(answer(stdout), "N", ("paths", "space"))
    assert parts == {"paths": Part(0, "N\nx 0", "oh"), "space": Part(None, "", "")}
    with pytest.raises(IncompleteAnswer):
        asking._parse(answer(stdout, 73), "N", ("paths", "space"))


def test_slurm_is_tried_with_the_very_command_of_a_submission() -> None:
    from hpc.preflight.families import trial_files

    scheduler = scheduler_for("slurm", {"bin_dir": "/opt/slurm/bin"})
    files = trial_files(scheduler, replace(SPEC, account="a'b", walltime=timedelta(minutes=5)))
    words = files["submit.args"].decode()
    assert words.startswith("set -- /opt/slurm/bin/sbatch --test-only --parsable --no-requeue")
    assert "'--account=a'\"'\"'b'" in words and "--partition=part01" in words
    assert list(files) == ["submit.args", "job.sh"]
    assert trial_files(scheduler_for("pbs", {}), SPEC) == {}


# --- answers of real systems ------------------------------------------------------------------


def test_df() -> None:
    text = "open\n/home/test1\n/dev/vda         264212084 26894400  79496512      26% /\n"
    space = reading.space(text + "/dev/vda       16777216 534184 16243032    4% /\n")
    assert space == reading.Space(
        True, "/home/test1", "/", 264212084 * 1024, 79496512 * 1024, 16777216, 16243032
    )
    nfs = "closed\n/g\nserver:/export/with a blank 10 9 1 90% /g/my data\n-bad-\n"
    space = reading.space(nfs)
    assert space is not None and not space.is_writable
    assert (space.mount, space.free, space.inodes) == ("/g/my data", 1024, None)
    assert reading.space("open\n/x\n") == reading.Space(True, "/x", "", None, None, None, None)
    assert reading.space("") is None and reading.space("what\n/x") is None


def test_quota_of_quota_and_of_lustre() -> None:
    text = """Disk quotas for user test1 (uid 1001):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
      /dev/sda1  980000* 1000000 1100000 1795358036   120       0       0       0
Disk quotas for usr test1 (uid 1001):
     Filesystem  kbytes   quota   limit   grace   files   quota   limit   grace
        /lustre     512       0       0       -   90000  100000  110000       -
"""
    assert [(q.filesystem, q.unit, q.used, q.limit) for q in reading.quotas(text)] == [
        ("/dev/sda1", "bytes", 980000 * 1024, 1000000 * 1024),
        ("/lustre", "files", 90000, 100000),
    ]
    assert reading.quotas("Disk quotas for user test1 (uid 1001): none\n") == []


def test_associations() -> None:
    text = "acct1||normal\nacct2|gpu|normal,long\nbroken\n||\n"
    assert reading.associations(text) == [
        reading.Association("acct1", "", ("normal",)),
        reading.Association("acct2", "gpu", ("normal", "long")),
    ]


def test_partitions() -> None:
    text = (
        "PartitionName=part01 AllowAccounts=ALL AllowQos=ALL Default=YES MaxTime=UNLIMITED State=UP\n"
        "PartitionName=part02 AllowAccounts=a,b AllowQos=long Default=NO MaxTime=00:10:00 State=DRAIN\n"
        "slurm_load_partitions: nothing\n"
    )
    assert reading.slurm_queues(text) == [
        reading.Queue("part01", True, "UP", True),
        reading.Queue(
            "part02", False, "DRAIN", False, timedelta(minutes=10), ("a", "b"), ("long",)
        ),
    ]


def test_pbs_queues() -> None:
    text = (
        "Queue: workq\n    queue_type = Execution\n    enabled = True\n    started = True\n\n"
        "Queue: short\n    resources_max.walltime = 01:30:00\n    enabled = True\n    started = False\n"
        "Queue: off\n    enabled = False\n    started = True\n"
    )
    assert reading.pbs_queues(text) == [
        reading.Queue("workq", True, "enabled"),
        reading.Queue("short", False, "enabled, not started", walltime=timedelta(minutes=90)),
        reading.Queue("off", False, "not enabled"),
    ]


def test_recorded_queues_of_openpbs() -> None:
    text = recorded("qstat-Qf-json", "openpbs").text + SPLIT + recorded("qstat-Bf-json", "openpbs").text
    queues = {queue.name: queue for queue in reading.pbs_queues(text)}
    assert queues["workq"] == reading.Queue("workq", True, "enabled", is_default=True)
    assert queues["short"].walltime == timedelta(minutes=10)
    assert (queues["disabled"].is_up, queues["disabled"].state) == (False, "not enabled")
    # PBS takes a job for a queue that is not started, and lets it wait (qsub-ok-stopped)
    assert (queues["stopped"].is_up, queues["stopped"].state) == (False, "enabled, not started")
    # a job of anybody else is refused (qsub-err-acl)
    assert (queues["priv"].lets_in("test2"), queues["priv"].lets_in("test1")) == (True, False)
    for cut in (text[:500], "{", '{"Queue": 5}', "{}" + SPLIT + "[]", '{"Queue": {"a": 1}}'):
        assert reading.pbs_queues(cut) == []
    without_server = recorded("qstat-Qf-json", "openpbs").text
    assert [queue.is_default for queue in reading.pbs_queues(without_server)] == [False] * 5


def test_folded_lines_and_the_default_queue_of_torque() -> None:
    text = (
        "Queue: batch\n    queue_type = Execution\n    acl_user_enable = True\n"
        "    acl_users = anna@login.example,berta@*,-carla@login.example,\n\t+dora\n"
        "    enabled = True\n    started = True\n\n"
        "Server: torque\n    server_state = Active\n    default_queue = batch\n"
    )
    (queue,) = reading.pbs_queues(text)
    assert queue.is_default and queue.users == ("anna", "berta", "-carla", "+dora")
    assert [queue.lets_in(name) for name in ("berta", "carla", "dora", "emma")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_what_is_asked_of_each_dialect() -> None:
    assert "-F json" in family_of(scheduler_for("pbs", {})).functions
    torque = family_of(scheduler_for("pbs", {"dialect": "torque"}))
    assert torque.parts == ("queues",) and "json" not in torque.functions


def test_a_trial() -> None:
    line = "sbatch: Job 5 to start at 1795358036 using 1 processors on nodes vm in partition part01"
    assert reading.trial(0, line) == reading.Trial(
        "", datetime(2026, 11, 22, 14, 33, 56, tzinfo=UTC), 1, "vm", "part01"
    )
    unreadable = reading.trial(0, line.replace("1795358036", "Unknown"))
    assert unreadable is not None and unreadable.start is None
    refused = (
        "sbatch: error: invalid partition specified: nowhere\n"
        "allocation failure: Invalid partition name specified"
    )
    assert reading.trial(1, refused) == reading.Trial("Invalid partition name specified")
    assert reading.trial(1, "") is None and reading.trial(0, "what") is None
