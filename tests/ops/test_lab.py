"""The lab's servers do what the other tests rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.lab.lab import Lab
from tests.lab.process import start_time, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults")]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lab(faulty_lab: Lab) -> Lab:
    """These tests stop servers, so they take the lab that is there for it."""
    faulty_lab.mend()
    return faulty_lab


def state(lab: Lab, job: str) -> str:
    """`State|ExitCode|Comment` of a job in accounting; empty before it is known."""
    columns = "State,ExitCode,Comment"
    return lab.slurm("sacct", "-X", "-n", "-P", "-j", job, "-o", columns).strip()


def submit(lab: Lab, user: str, script: str, *options: str) -> str:
    """Submit a script as a user over ssh; returns the job id."""
    words = " ".join(options)
    return lab.sshd.run(
        user, f"sbatch --parsable -D /tmp -o /dev/null {words} --wrap '{script}'"
    ).strip()


def test_every_user_can_log_in_and_submit(lab: Lab) -> None:
    jobs = {
        user: submit(lab, user, "exit 3", "--comment=tag") for user in lab.layout.settings.users
    }
    for user, job in jobs.items():
        wait_until(lambda job=job: state(lab, job) == "FAILED|3:0|tag", 60, f"{user}: {job}")


def test_one_user_has_a_c_shell(lab: Lab) -> None:
    assert lab.sshd.run("test3", "echo $shell").strip() == "/bin/tcsh"
    assert lab.sshd.run("test1", "echo $BASH").strip().endswith("/bash")


def test_a_running_job_can_be_let_expire(lab: Lab) -> None:
    job = submit(lab, "test1", "sleep 600", "--time=1")
    wait_until(lambda: state(lab, job).startswith("RUNNING"), 60, f"{job} does not run")
    lab.expire(job)
    wait_until(lambda: state(lab, job).startswith("TIMEOUT"), 60, f"{job} goes on")


def test_a_stopped_controller_is_missed_and_comes_back(lab: Lab) -> None:
    job = submit(lab, "test2", "sleep 600")
    lab.slurmctld.restart()
    assert job in lab.slurm("squeue", "-h", "-o", "%A").split()
    lab.slurm("scancel", job)
    wait_until(lambda: state(lab, job).startswith("CANCELLED"), 60, f"{job} not cancelled")


def test_stopping_sshd_cuts_open_connections(lab: Lab) -> None:
    with subprocess.Popen(
        [*lab.sshd.client("test1"), "echo up; sleep 300"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        lab.sshd.stop()
        assert client.wait(20) == 255
    lab.sshd.start()
    assert lab.sshd.run("test1", "echo again").strip() == "again"


def test_valkey_forgets_over_a_restart(lab: Lab) -> None:
    lab.valkey.ask("SET lab-test 1")
    lab.valkey.restart()
    assert lab.valkey.ask("GET lab-test") == "$-1"


def test_what_has_ended_by_itself_is_started_again(lab: Lab) -> None:
    before = lab.status()
    lab.slurmdbd.kill()
    lab.mend()
    after = lab.status()
    assert after.pop("slurmdbd") not in (None, before.pop("slurmdbd"))
    assert after == before
    assert "centro" in lab.slurm("sacctmgr", "-n", "show", "cluster")


def test_mariadb_keeps_what_was_committed_over_a_kill(lab: Lab) -> None:
    name = f"centro_kill_{os.getpid()}"
    lab.mariadb.sql(
        f"CREATE DATABASE {name}; CREATE TABLE {name}.t (n INT); INSERT INTO {name}.t VALUES (7)"
    )
    lab.mariadb.kill()
    lab.mariadb.start()
    assert lab.mariadb.sql(f"SELECT n FROM {name}.t") == "7\n"
    lab.mariadb.sql(f"DROP DATABASE {name}")


def test_the_site_file_names_existing_keys_and_users(lab: Lab) -> None:
    site = yaml.safe_load(lab.layout.site_file.read_text())
    assert site["systems"][0]["port"] == lab.layout.ports["sshd"]
    for user in site["users"]:
        for account in user.get("accounts", []):
            assert account["username"] in lab.layout.settings.users
            assert Path(account["credential"]["private_key_file"]).is_file()


@pytest.mark.slow
def test_a_lab_goes_down_with_its_owner() -> None:
    """A second lab beside the first; its owner is killed outright."""
    folder = Path(f"/tmp/centro-lab-owned-{os.getpid()}")
    with subprocess.Popen(["sleep", "600"]) as owner:
        try:
            environment = {**os.environ, "CENTRO_LAB_DIR": str(folder)}
            up = subprocess.run(
                [sys.executable, "-m", "tests.lab", "up", "--owner", str(owner.pid)],
                cwd=ROOT,
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert up.returncode == 0, up.stderr
            second = Lab.at(folder)
            pids = [pid for pid in second.status().values() if pid is not None]
            assert len(pids) == len(second.servers)
            second.sshd.run("test1", "nohup sleep 600 >/dev/null 2>&1 &")
            submit(second, "test1", "sleep 600")
        finally:
            owner.kill()
    wait_until(lambda: not folder.exists(), 60, "the lab is still there")
    time.sleep(0.2)
    assert not [pid for pid in pids if start_time(pid) is not None]
    assert not second.leftovers()
