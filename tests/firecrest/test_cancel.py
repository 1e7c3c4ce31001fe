"""DELETE /compute/jobs/ on a real Slurm: what ends, what is refused and why, and accounts for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.firecrest.slurm_jobs import UNKNOWN_ID, Jobs, data, jobs_of, refused, task_of, until

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


@pytest.fixture
def jobs(desk: Desk) -> Iterator[Jobs]:
    with jobs_of(desk) as made:
        yield made


def test_cancel_one_and_several(desk: Desk, jobs: Jobs) -> None:
    one, two, three = (jobs.submit("--hold") for _ in range(3))
    task = task_of(desk.ask("DELETE", f"/compute/jobs/{one}"))
    assert (task.status, task.data) == ("200", f"scancel: Terminating job {one}")
    assert data(desk, "/compute/jobs", jobs=one) == {}
    task = task_of(desk.ask("DELETE", f"/compute/jobs/{two},{three}"))
    assert task.status == "200"
    assert desk.lab.slurm("squeue", "-h", "-j", f"{two},{three}").strip() == ""
    (row,) = until(lambda: data(desk, "/compute/acct", jobs=two))
    assert row["state"].startswith("CANCELLED by ")


def test_cancel_of_what_cannot_be_cancelled(desk: Desk, jobs: Jobs) -> None:
    other, own = jobs.submit("--hold", person=1), jobs.submit("--hold")
    not_yours = "User does not have permission to cancel job"
    assert refused(desk, f"/compute/jobs/{other}", "DELETE") == not_yours
    assert desk.lab.slurm("squeue", "-h", "-j", other, "-o", "%T").strip() == "PENDING"
    told = refused(desk, f"/compute/jobs/{UNKNOWN_ID}", "DELETE")
    assert (
        told == f"scancel: error: Kill job error on job id {UNKNOWN_ID}: Invalid job id specified"
    )
    # those that may be cancelled are, whatever becomes of the others
    told = refused(desk, f"/compute/jobs/{own},{other}", "DELETE")
    assert told == f"scancel: Terminating job {own}\n{not_yours}"
    assert data(desk, "/compute/jobs", jobs=own) == {}
    told = refused(desk, f"/compute/jobs/{own}", "DELETE")
    assert "Job/step already completing or completed" in told
    for wrong in ("l", "-1", "1,", "1,-n"):
        told = refused(desk, f"/compute/jobs/{wrong}", "DELETE")
        assert told.startswith("scancel: error: Invalid job id"), wrong


@pytest.mark.parametrize("wrong", ["1%3B2", "%24%28id%29", "1%272", "1%0A2"])
def test_cancel_of_an_id_with_a_forbidden_character(desk: Desk, wrong: str) -> None:
    answer = desk.ask("DELETE", f"/compute/jobs/{wrong}")
    assert answer.status_code == 400
    assert answer.json() == {
        "description": "Failed to delete job", "error": "'jobid' has invalid char"
    }  # fmt: skip


def test_cancel_of_a_run_is_in_its_history(desk: Desk, jobs: Jobs) -> None:
    from pipeline_management.choices import RunState
    from pipeline_management.models import AuditEvent, SystemAccount
    from tests.factories import make_lab, make_run

    job = jobs.submit("--hold")
    account = SystemAccount.objects.get(system__name="cluster", user=desk.alice)
    run = make_run(
        lab=make_lab("lab-a", alice="submitter"),
        submitter=desk.alice,
        account=account,
        job_id=job,
        state=RunState.SUBMITTED,
    )
    task = task_of(desk.ask("DELETE", f"/compute/jobs/{job}"))
    assert (task.status, task.data) == ("200", f"scancel: Terminating job {job}")
    run.refresh_from_db()
    assert (run.desired, run.cancel_requested_by) == ("cancel", desk.alice)
    assert AuditEvent.objects.filter(action="run.cancel", target=str(run.pk)).exists()
    assert desk.lab.slurm("squeue", "-h", "-j", f"{job},{job}").strip() == ""


# ---------------------------------------------------------------- an account for everybody


def test_on_a_shared_account_everybody_has_his_own_jobs(desk: Desk, jobs: Jobs) -> None:
    from pipeline_management.choices import RunState
    from pipeline_management.models import SystemAccount
    from tests.factories import make_lab, make_run

    own, other = jobs.submit("--hold"), jobs.submit("--hold")
    account = SystemAccount.objects.get(system__name="cluster", user=desk.alice)
    SystemAccount.objects.filter(system__name="cluster").exclude(pk=account.pk).delete()
    account.user = None
    account.save()
    lab = make_lab("lab-a", alice="submitter", bob="submitter")
    for person, job in ((desk.alice, own), (desk.bob, other)):
        make_run(lab=lab, submitter=person, account=account, job_id=job, state=RunState.SUBMITTED)
    assert {row["jobid"] for row in data(desk, "/compute/jobs").values()} == {own}
    assert {row["jobid"] for row in data(desk, "/compute/jobs", person="bob").values()} == {other}
    assert data(desk, "/compute/jobs", jobs=other) == {}
    until(lambda: data(desk, "/compute/acct", jobs=own))
    assert data(desk, "/compute/acct", jobs=other) == {}
    told = refused(desk, f"/compute/jobs/{other}", "DELETE")
    assert told == "User does not have permission to cancel job"
    assert desk.lab.slurm("squeue", "-h", "-j", other, "-o", "%T").strip() == "PENDING"
    assert task_of(desk.ask("DELETE", f"/compute/jobs/{own}")).status == "200"
