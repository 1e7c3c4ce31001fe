"""The contract of ``Scheduler``, on every real one (Slurm of the lab, plain processes) and on PBS's stand-in."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.errors import HpcError, NotSupported
from hpc.jobs import JobInfo, JobSpec, JobState
from hpc.transports.pool import TransportPool
from tests.hpc.servers import SshServer


@dataclass
class System:
    """A system with a directory for one test; job names carry a tag of the test's own."""

    client: SystemClient
    folder: str
    tag: str

    def command(self, script: str, *arguments: str) -> CommandResult:
        return self.client.run(Command(("/bin/sh", "-c", script, "x", *arguments), lambda r: r))

    def functions(self, text: str) -> CommandResult:
        return self.command(self.client.scheduler.find_functions + text)

    def ask(self, script: str, **fields: object) -> CommandResult:
        path = f"{self.folder}/job.sh"
        self.client.write(path, script.encode(), 0o700)
        given: dict = {"name": self.tag, "script_path": path, "workdir": self.folder, **fields}
        argv = self.client.scheduler.submit_argv(JobSpec(**given))
        return self.client.run(Command(argv, lambda r: r))

    def submit(self, script: str, **fields: object) -> str:
        answer = self.ask(script, **fields)
        assert answer.exit_code == 0, answer.error_text
        line = answer.text.strip().splitlines()[-1]
        assert re.fullmatch(self.client.scheduler.job_id_pattern, line)
        return re.split("[;.]", line)[0]

    def active(self) -> dict[str, JobInfo]:
        found = self.client.run(self.client.scheduler.active(self.client.username))
        return {job.job_id: job for job in found}

    def wait(self, job_id: str, check: Callable[[JobInfo], bool]) -> JobInfo:
        until = time.monotonic() + 90
        while True:
            job = self.active().get(job_id) or self._ended(job_id)
            if job is not None and check(job):
                return job
            assert time.monotonic() < until, job
            time.sleep(0.1)

    def _ended(self, job_id: str) -> JobInfo | None:
        """PBS lists no ended jobs; what its history says stands for it."""
        if self.client.scheduler.name != "pbs":
            return None
        records = self.client.run(self.client.scheduler.history([job_id])).get(job_id, [])
        return replace(records[-1], source="queue") if records else None

    def past(self, job_id: str) -> list[JobInfo]:
        """From accounting, which lags behind."""
        until = time.monotonic() + 90
        while True:
            records = self.client.run(self.client.scheduler.history([job_id])).get(job_id, [])
            if records and records[-1].state.is_final and records[-1].end_time:
                return records
            assert time.monotonic() < until, records
            time.sleep(0.3)


@pytest.fixture(params=["local", "pbs", pytest.param("slurm", marks=pytest.mark.lab)])
def system(
    request: pytest.FixtureRequest, pool: TransportPool
) -> Iterator[System]:
    client: SystemClient
    if request.param == "local":
        client = request.getfixturevalue("local_system")
    elif request.param == "pbs":
        client = request.getfixturevalue("pbs_system")
    else:
        request.getfixturevalue("lab")
        server: SshServer = request.getfixturevalue("ssh_server")
        client = SystemClient.open(pool, server.spec("slurm"))
    made = Command(("mktemp", "-d", "/tmp/centro-far-XXXXXX"), lambda r: r.text.strip())
    system = System(client, client.run(made), "c" + secrets.token_hex(6))
    yield system
    mine = [job.job_id for job in system.active().values() if job.name.startswith(system.tag)]
    if mine:
        client.run(client.scheduler.cancel(mine))
    system.command('rm -rf -- "$1"', system.folder)


def test_a_job_from_submission_to_accounting(system: System) -> None:
    began = datetime.now(UTC)
    variable, restarts = system.client.scheduler.job_id_variable, system.client.scheduler.restart_variable
    is_pbs = system.client.scheduler.name == "pbs"  # its jobs start in the home directory
    go = f"cd {system.folder}; " if is_pbs else ""
    job_id = system.submit(
        f"#!/bin/sh\n{go}echo id ${{{variable}%%.*}} ${{{restarts}:-0}}; pwd; exit 3\n",
        stdout="out.%j", walltime=timedelta(minutes=5), cpus=1,
    )
    job = system.wait(job_id, lambda job: job.state.is_final)
    assert (job.state, job.name, job.user, job.source) == (
        JobState.FAILED, system.tag, system.client.username, "queue"
    )
    assert job.workdir == ("" if is_pbs else system.folder)
    assert job.walltime == timedelta(minutes=5)
    assert job.submit_time and job.start_time and job.end_time
    assert abs(job.submit_time - began) < timedelta(minutes=2)
    record = system.past(job_id)[-1]
    assert (record.state, record.exit_code, record.name) == (JobState.FAILED, 3, system.tag)
    assert record.source == "accounting"
    assert record.submit_time == job.submit_time
    output = "out" if is_pbs else f"out.{job_id}"
    text = system.client.read(f"{system.folder}/{output}").decode()
    assert text == f"id {job_id} 0\n{system.folder}\n"


def test_success_is_an_exit_code_of_zero(system: System) -> None:
    job_id = system.submit("#!/bin/sh\ntrue\n")
    assert system.wait(job_id, lambda job: job.state.is_final).state is JobState.COMPLETED
    assert system.past(job_id)[-1].exit_code == 0


def test_find_and_cancel_only_by_the_whole_name(system: System) -> None:
    job_id = system.submit("#!/bin/sh\nexec sleep 300\n")
    other = system.submit("#!/bin/sh\nexec sleep 300\n", name=f"{system.tag}x")
    for job in (job_id, other):
        system.wait(job, lambda seen: seen.state is JobState.RUNNING)
    assert system.functions(f"centro_find {system.tag}").text == f"{job_id}\n"
    nothing = system.functions("centro_find cnosuchkey")
    assert (nothing.exit_code, nothing.text) == (0, "")
    assert system.functions(f"centro_cancel wrong {job_id}").exit_code == 0
    assert system.functions(f"centro_cancel {system.tag} {other}").exit_code == 0
    assert system.active()[job_id].state is JobState.RUNNING
    assert system.active()[other].state is JobState.RUNNING
    assert system.functions(f"centro_cancel {system.tag} {job_id}").exit_code == 0
    system.wait(job_id, lambda job: job.state is JobState.CANCELLED)
    for gone in (job_id, "99999999"):
        again = system.functions(f"centro_cancel {system.tag} {gone}")
        assert (again.exit_code, again.error_text) == (0, "")
    assert system.past(job_id)[-1].state is JobState.CANCELLED


def test_what_find_functions_print_is_nothing_but_ids(system: System) -> None:
    job_id = system.submit("#!/bin/sh\ntrue\n")
    system.past(job_id)
    for verb in ("centro_find", "centro_find_past"):
        answer = system.functions(f"{verb} {system.tag}")
        assert (answer.exit_code, answer.error_text) == (0, "")
        assert answer.text in ("", f"{job_id}\n")
    hostile = system.functions("centro_find '*'; centro_find ''; centro_find '-h'")
    assert job_id not in hostile.text.split()


def test_cancel_twice_and_unknown(system: System) -> None:
    job_id = system.submit("#!/bin/sh\nexec sleep 300\n")
    system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    for _ in range(2):
        system.client.run(system.client.scheduler.cancel([job_id, "99999999"]))
    system.wait(job_id, lambda job: job.state is JobState.CANCELLED)
    system.client.run(system.client.scheduler.cancel([job_id]))


def test_unknown_ids_have_no_history(system: System) -> None:
    assert system.client.run(system.client.scheduler.history(["99999999"])) == {}


def test_the_list_has_the_agreed_first_fields(system: System) -> None:
    job_id = system.submit("#!/bin/sh\nexec sleep 300\n")
    system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    argv = system.client.scheduler.active_argv(system.client.username)
    answer = system.client.run(Command(argv, lambda r: r))
    rows = [line.split("\x1f")[:3] for line in answer.text.splitlines()]
    running = {"pbs": "R/42/"}.get(system.client.scheduler.name, "RUNNING")
    assert [job_id, running, system.tag] in rows


def test_queues_and_ping(system: System) -> None:
    queues = system.client.run(system.client.scheduler.queues())
    assert sum(queue.is_default for queue in queues) == 1
    assert all(0 <= queue.cpus_idle <= queue.cpus_total for queue in queues)
    assert "\n" not in system.client.run(system.client.scheduler.ping())


def test_verbs_that_are_lacking_say_so(system: System) -> None:
    scheduler = system.client.scheduler
    for verb, call in (("hold", lambda: scheduler.hold(["1"])), ("nodes", scheduler.nodes)):
        if verb in scheduler.capabilities:
            assert call().argv
        else:
            with pytest.raises(NotSupported):
                call()


def test_a_refused_submission_leaves_no_job(system: System) -> None:
    if system.client.scheduler.name == "pbs":  # which takes a script without an interpreter
        answer = system.ask("#!/bin/sh\n", queue="nosuchqueue")
    else:
        answer = system.ask("echo this has no interpreter\n")
    assert answer.exit_code != 0
    assert re.search(system.client.scheduler.submit_errors.rejected, answer.error_text)
    assert system.functions(f"centro_find {system.tag}").text == ""


# ---------------------------------------------------------------- what only Slurm has


@pytest.fixture
def slurm(lab: object, ssh_server: SshServer, pool: TransportPool) -> Iterator[System]:
    client = SystemClient.open(pool, ssh_server.spec("slurm"))
    made = Command(("mktemp", "-d", "/tmp/centro-far-XXXXXX"), lambda r: r.text.strip())
    system = System(client, client.run(made), "c" + secrets.token_hex(6))
    yield system
    mine = [job.job_id for job in system.active().values() if job.name.startswith(system.tag)]
    if mine:
        client.run(client.scheduler.cancel(mine))
    system.command('rm -rf -- "$1"', system.folder)


@pytest.mark.lab
def test_hold_and_release(slurm: System) -> None:
    scheduler = slurm.client.scheduler
    later = slurm.submit("#!/bin/sh\ntrue\n#SBATCH --begin=now\n", name=slurm.tag + "a")
    answer = slurm.command(
        'sbatch --parsable -J "$1" -D "$2" -b now+1hour -o /dev/null "$2/job.sh"',
        slurm.tag, slurm.folder,
    )
    job_id = answer.text.strip()
    assert slurm.active()[job_id].state is JobState.QUEUED
    slurm.client.run(scheduler.hold([job_id]))
    held = slurm.wait(job_id, lambda job: job.state is JobState.HELD)
    assert held.reason == "JobHeldUser"
    slurm.client.run(scheduler.release([job_id]))
    slurm.wait(job_id, lambda job: job.state is not JobState.HELD)
    slurm.wait(later, lambda job: job.state is JobState.COMPLETED)


@pytest.mark.lab
def test_directives_in_the_script_do_not_replace_ours(slurm: System) -> None:
    job_id = slurm.submit(
        "#!/bin/sh\n#SBATCH --job-name=other\n#SBATCH --comment=other\n#SBATCH --chdir=/tmp\n"
        "#SBATCH --requeue\nexec sleep 300\n", comment="ours",
    )
    job = slurm.wait(job_id, lambda job: job.state is JobState.RUNNING)
    assert (job.name, job.workdir) == (slurm.tag, slurm.folder)
    shown = slurm.command('scontrol show job "$1"', job_id).text
    assert "Requeue=0" in shown and "Comment=ours" in shown


@pytest.mark.lab
def test_a_wrong_queue_is_refused_in_slurms_own_words(slurm: System) -> None:
    answer = slurm.ask("#!/bin/sh\ntrue\n", queue="nosuchqueue")
    assert "invalid partition specified: nosuchqueue" in answer.error_text
    assert re.search(slurm.client.scheduler.submit_errors.rejected, answer.error_text)


@pytest.mark.lab
def test_names_that_break_tables(slurm: System) -> None:
    odd = "a|b \"c\" 'd' $(touch pwned) é \\"
    job_id = slurm.submit("#!/bin/sh\nexec sleep 300\n", name=odd)
    newline = slurm.command(
        'sbatch --parsable -J "$1" -D "$2" -o /dev/null "$2/job.sh"', "two\nlines", slurm.folder
    ).text.strip()
    try:
        assert slurm.wait(job_id, lambda job: True).name == odd
        assert slurm.wait(newline, lambda job: True).name == "two\nlines"
    finally:
        slurm.client.run(slurm.client.scheduler.cancel([job_id, newline]))
    records = slurm.past(newline)
    assert records[-1].name == "two\nlines"


@pytest.mark.lab
def test_an_array_is_its_tasks(slurm: System) -> None:
    slurm.client.write(f"{slurm.folder}/job.sh", b"#!/bin/sh\nexec sleep 300\n", 0o700)
    array = slurm.command(
        'sbatch --parsable -J "$1" -D "$2" -a 1-3%1 -o /dev/null "$2/job.sh"', slurm.tag, slurm.folder
    ).text.strip()
    slurm.wait(f"{array}_1", lambda job: job.state is JobState.RUNNING)
    mine = {job_id: job.state for job_id, job in slurm.active().items() if job.name == slurm.tag}
    assert mine == {
        f"{array}_1": JobState.RUNNING, f"{array}_2": JobState.QUEUED, f"{array}_3": JobState.QUEUED
    }


@pytest.mark.lab
def test_a_csh_account_is_served_like_any_other(lab: object, ssh_server: SshServer) -> None:
    pool = TransportPool()
    server = replace(ssh_server, username="test3")
    client = SystemClient.open(pool, server.spec("slurm"))
    try:
        shell = client.run(Command(("sh", "-c", "getent passwd test3"), lambda r: r.text.strip()))
        assert shell.endswith("tcsh")
        words = ("x\ntouch pwned\ny", "!x", "a'b", "$HOME")
        echoed = client.run(Command(("printf", "%s|", *words), lambda r: r.text))
        assert echoed == "".join(word + "|" for word in words)
        assert client.run(client.scheduler.active("test3")) == []
    finally:
        pool.close()


def test_only_our_errors_come_out(system: System) -> None:
    scheduler = system.client.scheduler
    broken = CommandResult(1, b"\xff\xfe", b"\xff something is wrong", 0.1)
    for command in (scheduler.history(["1"]), scheduler.queues(), scheduler.ping(),
                    scheduler.cancel(["1"]), scheduler.active("u")):
        with pytest.raises(HpcError):
            command.parse(broken)
