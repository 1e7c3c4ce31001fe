"""Ending runs with all that they have submitted: one look, one command, and nobody else's job is touched."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.jobs import JobSpec
from hpc.protocol.cancellation import CancelAnswer, End, Ending, end_runs
from hpc.protocol.scripts import program
from hpc.schedulers.base import UNIT, SchedulerConfig
from hpc.schedulers.pbs import PbsScheduler
from hpc.schedulers.slurm import SlurmScheduler
from hpc.transports.pool import TransportPool
from tests.hpc.servers import SshServer

FAKE = r"""
centro_live() { [ -z "$LIVE_FAILS" ] || { echo "no contact" >&2; return 1; }; printf '%s' "$LIVE"; }
centro_end() { echo "end $*" >> "$LOG"; [ -z "$END_FAILS" ] || { echo "not taken" >&2; return 1; }; }
centro_term() { echo "term $*" >> "$LOG"; }
"""


def live(*jobs: tuple[str, str, str, str]) -> str:
    return "".join(f"{UNIT.join(job)}\n" for job in jobs)


class Fake:
    """cancel.sh on this machine with a scheduler that is a text."""

    def __init__(self, folder: str, local: SystemClient) -> None:
        self.folder, self.local = folder, local

    def end(
        self, text: str, *runs: Ending, **env: str
    ) -> tuple[dict[str, CancelAnswer], list[str]]:
        scheduler = SlurmScheduler()
        scheduler.find_functions = FAKE
        log = f"{self.folder}/log"
        self.local.write(log, b"")
        command = end_runs(scheduler, runs)
        given = {"LIVE": text, "LOG": log, **env}
        made = Command(command.argv, command.parse, stdin=command.stdin, env=tuple(given.items()))
        answers = self.local.run(made)
        return answers, self.local.read(log).decode().splitlines()


@pytest.fixture
def fake(local_system: SystemClient) -> Iterator[Fake]:
    folder = local_system.run(Command(("mktemp", "-d"), lambda r: r.text.strip()))
    yield Fake(folder, local_system)
    local_system.run(Command(("rm", "-rf", "--", folder), lambda r: r))


def test_a_run_ends_with_all_that_it_submitted(fake: Fake) -> None:
    listing = live(
        ("10", "/dev/null", "/w/r1", "ckey1"),
        ("11", "/w/r1/.stdin", "/elsewhere", "wrap"),
        ("12", "/dev/null", "/w/r1/deep/er", "wrap"),
        ("13_[2-4]", "/dev/null", "/", "reported"),
        ("14", "/dev/null", "/w/r10", "not ours"),
        ("15", "/w/r2/.stdin", "/w/r2", "of another run"),
        ("16", "/dev/null", "/project", "works there"),
        ("17", "/dev/null", "/w/r1", "a b"),
    )
    run = Ending("r1", "ckey1", "10", End.CANCEL, "/w/r1", "/project", ("13", "99"))
    answers, said = fake.end(listing, run)
    assert answers == {"r1": CancelAnswer(True, "", 6)}
    assert [line.split()[0] for line in said] == ["end"]
    assert sorted(said[0].split()[1:]) == ["10", "11", "12", "13_[2-4]", "16", "17"]


def test_many_runs_one_command(fake: Fake) -> None:
    rows = [(str(n), "", f"/w/r{n}", f"key{n}") for n in range(1, 201)]
    runs = [Ending(f"r{n}", f"key{n}", str(n), End.CANCEL, f"/w/r{n}") for n in range(1, 201)]
    answers, said = fake.end(live(*rows), *runs)
    assert len(said) == 1 and len(said[0].split()) == 201
    assert len(answers) == 200 and all(a.taken and a.left == 1 for a in answers.values())


def test_an_id_under_another_name_is_somebody_elses(fake: Fake) -> None:
    answers, said = fake.end(
        live(("10", "", "/home", "other")), Ending("r1", "ckey1", "10", End.CANCEL, "/w/r1")
    )
    assert (answers["r1"].taken, answers["r1"].left, said) == (True, 0, [])


def test_kick_ends_one_job_and_leaves_no_tombstone(fake: Fake) -> None:
    folder = f"{fake.folder}/r1"
    fake.local.run(Command(("mkdir", folder), lambda r: r))
    rows = live(("10", "", folder, "k1"), ("11", f"{folder}/.stdin", folder, "x"))
    _, said = fake.end(rows, Ending("r1", "k1", "10", End.KICK, folder))
    assert said == ["end 10"]
    assert [one.path for one in fake.local.listdir(folder)] == []


def test_term_asks_the_script_alone_and_leaves_a_tombstone(fake: Fake) -> None:
    folder = f"{fake.folder}/r1"
    fake.local.run(Command(("mkdir", folder), lambda r: r))
    rows = live(("10", "", folder, "k1"), ("11", f"{folder}/.stdin", folder, "x"))
    answers, said = fake.end(rows, Ending("r1", "k1", "10", End.TERM, folder))
    assert (answers["r1"].taken, said) == (True, ["term 10"])
    assert fake.local.stat(f"{folder}/cancel").size == 0


def test_sweep_counts_what_is_left(fake: Fake) -> None:
    rows = live(("11", "/w/r1/.stdin", "/", "x"), ("12", "", "/w/r1", "y"))
    ending = Ending("r1", "k1", "10", End.SWEEP, "/w/r1")
    assert fake.end(rows, ending)[0]["r1"].left == 2
    assert fake.end("", ending)[0]["r1"] == CancelAnswer(True, "", 0)


def test_silence_and_refusal_are_told(fake: Fake) -> None:
    rows = live(("10", "", "/w/r1", "k1"))
    ending = Ending("r1", "k1", "10", End.CANCEL, "/w/r1")
    assert fake.end(rows, ending, LIVE_FAILS="1")[0]["r1"] == CancelAnswer(False, "no contact", 0)
    answer = fake.end(rows, ending, END_FAILS="1")[0]["r1"]
    assert (answer.taken, answer.text, answer.left) == (False, "not taken", 1)


def test_a_locked_directory_is_left_for_later(fake: Fake) -> None:
    folder = f"{fake.folder}/r1"
    fake.local.run(Command(("mkdir", folder), lambda r: r))
    hold = 'exec 9>"$1/.lock"; flock 9; (sleep 8) >/dev/null 2>&1 </dev/null &'
    fake.local.run(Command(("/bin/sh", "-c", hold, "x", folder), lambda r: r))
    rows = live(("10", "", folder, "k1"), ("20", "", "/w/r2", "k2"))
    runs = (
        Ending("r1", "k1", "10", End.CANCEL, folder),
        Ending("r2", "k2", "20", End.CANCEL, "/w/r2"),
    )
    answers, said = fake.end(rows, *runs)
    assert (answers["r1"].taken, answers["r2"].taken, said) == (False, True, ["end 20"])


TORQUE = """\
Job Id: 12.srv
    Job_Name = wrap
    Job_Owner = test1@srv
    job_state = R
    Variable_List = PBS_O_HOME=/home/test1,PBS_O_WORKDIR=/w/r1,PBS_O_HOST=srv
    etime = Sun Nov 22 01:42:00 2026

Job Id: 13.srv
    Job_Name = over
    job_state = C
    Variable_List = PBS_O_WORKDIR=/w/r1

"""
DSV = (
    "Job Id: 7120.pbs01|~|Job_Name=a b|~|job_state=H|~|Variable_List=PBS_O_HOME=/home/test1,"
    r"PBS_O_WORKDIR=/w/with\,comma,A=x|y,C=p\|~|q,CENTRO_RUN_DIR=/w/r1,PBS_O_HOST=p|~|project=x"
    "\nJob Id: 7121[].pbs01|~|Job_Name=array|~|job_state=B|~|Variable_List=PBS_O_WORKDIR=/w/r2\n"
)


@pytest.mark.parametrize(
    ("dialect", "printed", "rows"),
    [
        ("torque", TORQUE, [["12", "", "/w/r1", "wrap"]]),
        ("openpbs", DSV, [["7120", "", "/w/with,comma", "a b"], ["7121[]", "", "/w/r2", "array"]]),
    ],
)
def test_where_a_job_of_pbs_was_submitted(
    local_system: SystemClient, dialect: str, printed: str, rows: list[list[str]]
) -> None:
    functions = PbsScheduler(SchedulerConfig(options={"dialect": dialect})).find_functions
    text = (
        "timeout() { shift; \"$@\"; }\nqselect() { printf '12.srv\\n7120.pbs01\\n7121[].pbs01\\n'; }\n"
        f'qstat() {{ echo "$@" >&2; cat; }}\n{functions}\n'
    )
    # the stand-in qstat reads its answer where the real one has nothing to read
    listing = '"${centro_bin}qstat"'
    before, found, after = text.partition(listing)
    assert found
    text = before + found + after.replace("</dev/null 2>&1", "2>/dev/null", 1) + "centro_live\n"
    answer = local_system.run(Command(("/bin/sh", "-c", text), lambda r: r, stdin=printed.encode()))
    assert [line.split(UNIT) for line in answer.text.splitlines()] == rows


def until(check: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def pbs_folder(pbs_system: SystemClient) -> Iterator[str]:
    folder = pbs_system.run(Command(("mktemp", "-d"), lambda r: r.text.strip()))
    yield folder
    pbs_system.run(Command(("rm", "-rf", "--", folder), lambda r: r))


def test_children_on_pbs(pbs_system: SystemClient, pbs_folder: str) -> None:
    scheduler, folder = pbs_system.scheduler, pbs_folder
    pbs_system.write(f"{folder}/job.sh", b"sleep 300\n", 0o700)
    submit = 'cd "$1" && shift && "$@"'
    ids = []
    for name in ("ckey", "child", "child"):
        spec = JobSpec(name=name, script_path=f"{folder}/job.sh", workdir=folder)
        argv = ("/bin/sh", "-c", submit, "x", folder, *scheduler.submit_argv(spec))
        ids.append(pbs_system.run(Command(argv, lambda r: r.text.strip())).split(".")[0])
    other = JobSpec(name="other", script_path=f"{folder}/job.sh", workdir=folder)
    argv = ("/bin/sh", "-c", submit, "x", "/tmp", *scheduler.submit_argv(other))
    stays = pbs_system.run(Command(argv, lambda r: r.text.strip())).split(".")[0]
    ending = Ending("r1", "ckey", ids[0], End.CANCEL, folder)
    answers = pbs_system.run(end_runs(scheduler, [ending]))
    assert answers == {"r1": CancelAnswer(True, "", 3)}
    until(
        lambda: [j.job_id for j in pbs_system.run(scheduler.active(pbs_system.username))] == [stays]
    )
    assert pbs_system.run(end_runs(scheduler, [ending]))["r1"].left == 0
    pbs_system.run(scheduler.cancel([stays]))


def test_the_mark_is_not_given_where_sbatch_would_read_a_pattern() -> None:
    assert "*[%\\\\]*) ;;" in program("wrapper")


CHILDREN = r"""#!/bin/sh
: > .stdin; SBATCH_INPUT=$PWD/.stdin; export SBATCH_INPUT
sbatch --wrap 'sleep 300'
sbatch -J named --comment own --chdir=/tmp -o /dev/null --wrap 'sleep 300'
sbatch -a 1-2 --export=NONE --chdir=/tmp -o /dev/null --wrap 'sleep 300'
env -u SBATCH_INPUT sbatch --wrap 'sleep 300'
nested='sbatch --chdir=/tmp -o /dev/null --wrap "sleep 300"; sleep 300'
sbatch --chdir=/tmp -o /dev/null --wrap "$nested"
sleep 300
"""


@pytest.mark.lab
@pytest.mark.xdist_group("lab")
def test_children_on_slurm(pool: TransportPool, ssh_server: SshServer) -> None:
    """By mark, by directory, arrays, and the children of children; a stranger's job stays."""
    client = SystemClient.open(pool, ssh_server.spec("slurm"))
    folder = client.run(
        Command(("mktemp", "-d", "/tmp/centro-far-XXXXXX"), lambda r: r.text.strip())
    )
    key = "c" + secrets.token_hex(6)
    client.write(f"{folder}/job.sh", CHILDREN.encode(), 0o700)
    spec = JobSpec(name=key, script_path=f"{folder}/job.sh", workdir=folder)
    command = 'cd "$1" && shift && "$@"'
    argv = ("/bin/sh", "-c", command, "x", folder, *client.scheduler.submit_argv(spec))
    head = client.run(Command(argv, lambda r: r.text.strip()))
    stays = client.run(
        Command(
            (
                "sbatch",
                "--parsable",
                f"-Jstay{key}",
                "--chdir=/tmp",
                "-o/dev/null",
                "--wrap",
                "sleep 300",
            ),
            lambda r: r.text.strip(),
        )
    )

    def listed() -> CommandResult:
        return client.run(
            Command(("squeue", "-h", "-a", "-r", "-u", client.username, "-o", "%i"), lambda r: r)
        )

    try:
        until(lambda: len(listed().text.split()) >= 8)
        ending = Ending("r1", key, head, End.CANCEL, folder)
        answer = client.run(end_runs(client.scheduler, [ending]))["r1"]
        assert answer.taken and answer.left >= 6, answer

        def swept() -> bool:
            one = Ending("r1", key, head, End.SWEEP, folder)
            return client.run(end_runs(client.scheduler, [one]))["r1"].left == 0

        until(swept, 60)
        assert listed().text.split() == [stays]
    finally:
        client.run(client.scheduler.cancel([stays, head]))
        client.run(Command(("rm", "-rf", "--", folder), lambda r: r))
