"""Job scripts through the engine: every end, lost answers, and never twice. Real Slurm, real sshd."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import Credential, CredentialKind
from hpc.errors import ConnectionLost
from hpc.protocol import scripts
from pipeline_management.choices import Attention, Reason, RunState
from pipeline_management.models import ApiTask, Run, SystemAccount
from pipeline_management.services import cancellation, native_jobs, native_lookup, polling, sweeps
from pipeline_management.services.clients import client_for
from pipeline_management.services.native_jobs import JobRequest
from tests.factories import make_account, make_system, make_user
from tests.firecrest.jobs import SCRIPT, follow, step
from tests.lab.lab import Lab

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def cluster(lab: Lab, settings: LazySettings) -> SystemAccount:
    """An account on the lab's Slurm over its sshd."""
    settings.CENTRO_SETTLE_SECONDS = 20  # on a busy machine accounting lags by seconds
    key = Credential.objects.create(
        name="lab",
        kind=CredentialKind.KEY,
        secret=lab.layout.ssh_key.read_text(),
        fingerprint="lab",
    )
    system = make_system(
        transport="ssh", scheduler="slurm", host="127.0.0.1", port=lab.layout.ports["sshd"],
        host_keys=[lab.sshd.host_key_line()], scheduler_options={"bin_dir": "/usr/bin"},
    )  # fmt: skip
    return make_account(system, username=lab.layout.settings.users[0], credential=key)


@pytest.fixture
def here(tmp_path: Path, settings: LazySettings) -> SystemAccount:
    """An account on plain processes of this machine."""
    settings.CENTRO_SETTLE_SECONDS = 1
    return make_account(
        make_system(scheduler_options={"spool": str(tmp_path / "spool"), "slots": "2"})
    )


def submit(where: SystemAccount, script: str, **fields: Any) -> tuple[ApiTask, Run]:
    """Submit a script; its task and run."""
    request = JobRequest(file="job.sh", content=script.encode(), **fields)
    task = native_jobs.submit(user=make_user(), account=where, request=request)
    return ApiTask.objects.get(pk=task.pk), Run.objects.get(api_tasks=task)


def jobs_of(lab: Lab, run: Run) -> list[str]:
    """The ids of all jobs with the run's tag, past and present, by accounting."""
    text = lab.slurm("sacct", "-a", "-X", "-n", "-P", "-S", "now-1days", "-o", "JobID,SubmitLine")
    return [
        line.split("|")[0] for line in text.splitlines() if f"--comment=centro:{run.key} " in line
    ]


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.lab
def test_a_job_that_ends_well(cluster: SystemAccount) -> None:
    _, run = submit(cluster, SCRIPT + "sleep 1\necho fine\n")
    follow(run)
    assert (run.state, run.exit_code, run.confirmed_source) == ("succeeded", 0, "accounting")
    states = [event.to_state for event in run.events.filter(type="state")]
    assert states[:2] == ["submitting", "submitted"]
    assert states[-2:] == ["finishing", "succeeded"]
    assert run.attempts.get().job_id == run.job_id
    assert run.nodes


@pytest.mark.lab
@pytest.mark.parametrize(
    ("script", "reason", "code", "signal"),
    [
        ("exit 3\n", Reason.EXIT_NONZERO, 3, None),
        ("kill -9 $$\n", Reason.SIGNAL, None, 9),
        ("#SBATCH --output=/no/such/place/x\ntrue\n", Reason.LAUNCH_FAILED, None, 53),
    ],
)
def test_a_job_that_fails(
    cluster: SystemAccount, script: str, reason: Reason, code: int | None, signal: int | None
) -> None:
    _, run = submit(cluster, SCRIPT + script)
    follow(run)
    assert (run.state, run.reason, run.exit_code, run.signal) == ("failed", reason, code, signal)
    assert run.reason_text == "The scheduler says FAILED."


@pytest.mark.lab
def test_cancelled_outside(cluster: SystemAccount, lab: Lab) -> None:
    _, run = submit(cluster, SCRIPT + "sleep 300\n")
    follow(run, RunState.RUNNING)
    lab.slurm("scancel", run.job_id)
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_OUTSIDE)


@pytest.mark.lab
def test_cancelled_on_request(cluster: SystemAccount) -> None:
    _, run = submit(cluster, SCRIPT + "sleep 300\n")
    follow(run, RunState.RUNNING)
    before = sorted(os.listdir(run.directory)) if os.access(run.directory, os.R_OK) else None
    cancellation.request_cancel(run=run, user=run.submitter)
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_BY_USER)
    if before is not None:  # no tombstone in somebody's own directory; Slurm makes its file when it gets to it
        assert set(os.listdir(run.directory)) - set(before) <= {f"slurm-{run.job_id}.out"}


@pytest.mark.lab
def test_a_time_limit(cluster: SystemAccount, lab: Lab) -> None:
    _, run = submit(cluster, SCRIPT + "sleep 300\n")
    follow(run, RunState.RUNNING)
    lab.expire(run.job_id)
    follow(run, seconds=90)
    assert (run.state, run.reason) == (RunState.FAILED, Reason.TIMEOUT)


@pytest.mark.lab
def test_an_array_is_one_run(cluster: SystemAccount) -> None:
    script = SCRIPT + "#SBATCH --array=0-2\nsleep $SLURM_ARRAY_TASK_ID\n"
    _, run = submit(cluster, script + "test $SLURM_ARRAY_TASK_ID != 1\n")
    assert run.job_files["stdout"].endswith(f"slurm-{run.job_id}_%a.out")
    follow(run)
    assert (run.state, run.reason, run.exit_code) == (RunState.FAILED, Reason.EXIT_NONZERO, 1)
    assert run.reason_text == "The scheduler says FAILED. 1 of 3 tasks did not end well."
    assert not run.logs.exists()
    _, run = submit(cluster, script)
    follow(run)
    assert run.state == RunState.SUCCEEDED


@pytest.mark.lab
def test_a_name_of_two_lines_disturbs_nobody(cluster: SystemAccount) -> None:
    _, plain = submit(cluster, SCRIPT + "sleep 1\n")
    _, run = submit(cluster, SCRIPT + "sleep 1\n", name="two\nlines")
    follow(run)
    follow(plain)
    assert (run.state, plain.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)


@pytest.mark.lab
def test_a_held_job_is_flagged(cluster: SystemAccount, lab: Lab) -> None:
    _, run = submit(cluster, SCRIPT + "#SBATCH --hold\ntrue\n")
    end = time.monotonic() + 20
    while step(run).attention != Attention.HELD:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert run.state == RunState.SUBMITTED
    lab.slurm("scancel", run.job_id)
    assert follow(run).state == RunState.CANCELLED


def test_plain_processes_of_this_machine(here: SystemAccount) -> None:
    task, run = submit(
        here, '#!/bin/sh\necho out; echo err >&2; echo "$A"\n', environment={"A": "a,b"}
    )
    try:
        assert task.status == "200"
        assert task.data["job_file_out"] == f"{run.directory}/slurm-{run.job_id}.out"
        follow(run)
        assert (run.state, run.exit_code, run.name) == ("succeeded", 0, "job.sh")
        assert bytes(run.logs.get().data) == b"out\nerr\na,b\n"
        failing, other = submit(here, "#!/bin/sh\nexit 4\n")
        assert failing.status == "200"
        follow(other)
        assert (other.state, other.reason, other.exit_code) == ("failed", Reason.EXIT_NONZERO, 4)
        refused, _ = submit(here, "#!/bin/sh\n", account="acct")
        assert (refused.status, refused.data) == (
            "400",
            "the local scheduler does not offer account",
        )
        late, _ = submit(here, "#!/bin/sh\n", after="1")
        assert late.data == "the local scheduler knows no dependencies between jobs"
    finally:
        for one in Run.objects.all():
            for path in Path(one.directory).glob("*"):
                path.unlink()
            if Path(one.directory).is_dir() and "firecrest" in one.directory:
                Path(one.directory).rmdir()


# --- doubt --------------------------------------------------------------------------------------


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test kill the submitting shell at a point of its program."""
    scripts.program.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    scripts.program.cache_clear()


def age_doubt(run: Run) -> None:
    """Let the time pass after which a job that nobody knows was not submitted."""
    long_ago = timezone.now() - timedelta(minutes=2)
    Run.objects.filter(pk=run.pk).update(missing_since=long_ago, next_at=long_ago)


@pytest.mark.lab
def test_the_shell_dies_after_sbatch(
    cluster: SystemAccount, lab: Lab, armed: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N2")
    task, run = submit(cluster, SCRIPT + "echo once >> count\n")
    assert (task.status, run.state, run.job_id) == ("100", RunState.SUBMITTING, "")
    armed.delenv("CENTRO_TEST_FAULT")
    follow(run)
    task.refresh_from_db()
    assert (task.status, task.data["jobid"]) == ("200", int(run.job_id))
    assert run.attempts.get().found_by == "found"
    assert run.state == RunState.SUCCEEDED
    assert jobs_of(lab, run) == [run.job_id]


@pytest.mark.lab
def test_the_shell_dies_before_sbatch(
    cluster: SystemAccount, lab: Lab, armed: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N1")
    task, run = submit(cluster, SCRIPT + "true\n")
    armed.delenv("CENTRO_TEST_FAULT")
    step(run)
    assert run.state == RunState.SUBMITTING  # too early to tell
    task.refresh_from_db()
    assert task.is_open
    age_doubt(run)
    follow(run)
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SUBMIT_REJECTED)
    task.refresh_from_db()
    assert task.status == "400"
    assert "was not submitted" in task.data
    time.sleep(2)
    assert jobs_of(lab, run) == []


@pytest.mark.lab
def test_the_connection_dies_in_the_middle_of_sbatch(
    cluster: SystemAccount, lab: Lab, tmp_path: Path
) -> None:
    """The session's own sshd is killed when the controller has the job and sbatch has not said so."""
    killing = Path("/tmp") / f"centro-killing-{os.getpid()}-{time.monotonic_ns()}"
    killing.mkdir(mode=0o755)
    try:
        for name in ("squeue", "sacct", "scontrol", "scancel"):
            (killing / name).symlink_to(f"/usr/bin/{name}")
        sbatch = killing / "sbatch"
        sbatch.write_text(
            '#!/bin/sh\n/usr/bin/sbatch "$@" > /dev/null\npid=$$\n'
            'while read -r name < "/proc/$pid/comm"; [ "$name" != sshd ]; do\n'
            '  read -r line < "/proc/$pid/stat"; line=${line##*) }; line=${line#* }; pid=${line%% *}\n'
            'done\nkill -9 "$pid"\nsleep 5\n'
        )
        sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        cluster.system.scheduler_options = {"bin_dir": str(killing)}
        cluster.system.save()
        task, run = submit(cluster, SCRIPT + "true\n")
        assert (task.status, run.state) == ("100", RunState.SUBMITTING)
        follow(run)
    finally:
        for path in killing.iterdir():
            path.unlink()
        killing.rmdir()
    task.refresh_from_db()
    assert task.status == "200"
    assert run.state == RunState.SUCCEEDED
    assert jobs_of(lab, run) == [run.job_id]


@pytest.mark.lab
def test_found_by_accounting_when_the_queue_has_forgotten(
    cluster: SystemAccount, lab: Lab, armed: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N2")
    task, run = submit(cluster, SCRIPT + "true\n")
    armed.delenv("CENTRO_TEST_FAULT")
    end = time.monotonic() + 60
    while lab.slurm("squeue", "-h", "-a", "-t", "all", "-o", "%k").count(run.key):
        assert time.monotonic() < end
        time.sleep(0.5)
    assert follow(run).state == RunState.SUCCEEDED
    task.refresh_from_db()
    assert task.status == "200"


@pytest.mark.lab
def test_a_cancelled_doubt_ends_the_job_that_is_found(
    cluster: SystemAccount, armed: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N2")
    _, run = submit(cluster, SCRIPT + "sleep 300\n")
    armed.delenv("CENTRO_TEST_FAULT")
    cancellation.request_cancel(run=run, user=run.submitter)
    follow(run)
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.CANCELLED_BY_USER)


@pytest.mark.lab
def test_a_system_that_is_away_settles_nothing(
    cluster: SystemAccount, armed: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed.setenv("CENTRO_TEST_FAULT", "N1")
    task, run = submit(cluster, SCRIPT + "true\n")
    armed.delenv("CENTRO_TEST_FAULT")
    age_doubt(run)

    def away(*_: object) -> None:
        raise ConnectionLost("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(client_for(cluster)), "run", away)
        native_lookup.look_up_due(run.account_id)
    run.refresh_from_db()
    assert (run.state, run.attention) == (RunState.SUBMITTING, "")
    long_ago = timezone.now() - timedelta(minutes=5)
    Run.objects.filter(pk=run.pk).update(missing_since=long_ago, next_at=long_ago)
    with monkeypatch.context() as patched:
        patched.setattr(type(client_for(cluster)), "run", away)
        sweeps.sweep_submit()
        native_lookup.look_up_due(run.account_id)
    run.refresh_from_db()
    assert (run.state, run.attention) == (RunState.SUBMITTING, Attention.SUBMIT_UNKNOWN)
    Run.objects.filter(pk=run.pk).update(next_at=timezone.now())
    assert follow(run).state == RunState.FAILED
    task.refresh_from_db()
    assert task.status == "400"


def test_the_engine_for_pipelines_leaves_job_scripts_alone(here: SystemAccount) -> None:
    from pipeline_management.services import submission
    from tests.factories import make_run

    run = make_run(account=here, state=RunState.SUBMITTING, kind="job", lab=None, version=None)
    assert submission.submit_due(here.pk) == 0
    polling.poll_account(here.pk)
    run.refresh_from_db()
    assert run.state == RunState.SUBMITTING
