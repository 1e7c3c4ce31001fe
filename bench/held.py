"""Many runs of one account whose jobs Slurm holds: real jobs, real rows, and changes made on purpose."""

from __future__ import annotations

import subprocess
import time
import uuid
from typing import Any

from tests.lab.lab import Lab

BATCH = 500
# four at a time: sbatch waits for the controller most of its 8 ms
SUBMIT = (
    "xargs -P 4 -I '{}' sh -c "
    "'echo {} $(sbatch --parsable --hold --job-name={} --chdir=/tmp --output=/dev/null --wrap=true)'"
)


class HeldJobs:
    """Runs in state submitted with their held jobs. Needs Django set up on the portal's database."""

    def __init__(self, lab: Lab, account_id: int, user: str, runs: dict[str, uuid.UUID]) -> None:
        self.lab = lab
        self.account_id = account_id
        self.user = user
        self.runs = runs  # job id -> run id
        self.job_ids = sorted(runs, key=int)
        self._held_by_root: set[str] = set()
        self._marked: list[str] = []

    @classmethod
    def submit(cls, lab: Lab, number: int) -> HeldJobs:
        """``number`` jobs under the names of as many new runs; takes 5 to 10 ms a job."""
        from pipeline_management.models import SystemAccount
        from pipeline_management.services.intake import new_key  # the real form of a job name

        account = SystemAccount.objects.select_related("system").get(user__username="alice")
        keys = [new_key() for _ in range(number)]
        answer = subprocess.run(
            [*lab.sshd.client(account.username), SUBMIT], input="\n".join(keys), check=True,
            capture_output=True, text=True, timeout=120 + number / 20,
        )  # fmt: skip
        jobs = dict(reversed(line.split()) for line in answer.stdout.splitlines())  # job id -> key
        if len(jobs) != number:
            raise RuntimeError(f"{len(jobs)} of {number} jobs were taken: {answer.stderr[:500]}")
        return cls(lab, account.pk, account.username, _write_runs(account, jobs))

    # reasons

    def toggle_reasons(self, number: int) -> None:
        """Give the first ``number`` jobs another reason: JobHeldAdmin instead of JobHeldUser or back."""
        self._toggle(self.job_ids[:number])

    def _toggle(self, jobs: list[str]) -> None:
        by_root = [job for job in jobs if job in self._held_by_root]
        by_user = [job for job in jobs if job not in self._held_by_root]
        for verb, some in (("uhold", by_root), ("hold", by_user)):
            for start in range(0, len(some), BATCH):
                self.lab.slurm("scontrol", verb, ",".join(some[start : start + BATCH]))
        self._held_by_root.symmetric_difference_update(jobs)

    def forget_reasons(self) -> None:
        """Let the portal remember another reason for every job, so that all of them are changed."""
        self._rows().update(queue_reason="Priority")

    def expect_known(self) -> None:
        """Raises unless every run has its job's state and reason, as Slurm tells them now."""
        text = self.lab.slurm("squeue", "-h", "-r", "-t", "all", "-u", self.user, "-o", "%i %T %r")
        told = {job: (state, reason) for job, state, reason in map(str.split, text.splitlines())}
        rows = self._rows().values_list("job_id", "queue_state", "queue_reason", "state")
        for job, state, reason, of_run in rows:
            if told[job] != (state, reason) or of_run != "submitted":
                raise RuntimeError(f"job {job} is {told[job]}, the portal says {of_run} {state} {reason}")

    # states

    def write_results(self, number: int) -> None:
        """Put the marker of a successful end beside the last ``number`` jobs, as their owner would."""
        from pipeline_management.models import Run

        rows = Run.objects.filter(job_id__in=self.job_ids[-number:]).values_list("job_id", "directory")
        now = int(time.time())
        self._marked = [directory for _, directory in rows]
        self._as_user(
            "while read job folder; do mkdir -p $folder; "
            f"echo $job 0 {now - 10} node > $folder/started; echo 0 {now} $job > $folder/result; done",
            [f"{job} {directory}" for job, directory in rows],
        )

    def forget_results(self) -> None:
        """Take the markers away again."""
        self._as_user("while read folder; do rm -r $folder; done", self._marked)
        self._submitted_again()

    def _as_user(self, command: str, lines: list[str]) -> None:
        subprocess.run(
            [*self.lab.sshd.client(self.user), command],
            input="".join(f"{line}\n" for line in lines), text=True, check=True, timeout=120,
        )  # fmt: skip

    def rewind(self, number: int) -> None:
        """Set the marked runs back to submitted and change their jobs' reason, so that a tick sees them."""
        self._submitted_again()
        self._toggle(self.job_ids[-number:])

    def _submitted_again(self) -> None:
        from pipeline_management.models import RunEvent

        RunEvent.objects.filter(run__in=self.runs.values()).delete()
        self._rows().filter(state="finishing").update(
            state="submitted", outcome="", exit_code=None, ended_at=None, started_at=None, next_at=None,
            nodes="", event_seq=0,
        )  # fmt: skip

    def expect_finishing(self, number: int) -> None:
        """Raises unless exactly the marked runs ended well, each with one event."""
        from pipeline_management.models import RunEvent

        moved = self._rows().filter(state="finishing", outcome="succeeded", exit_code=0).count()
        events = RunEvent.objects.filter(to_state="finishing").count()
        if (moved, events) != (number, number):
            raise RuntimeError(f"{moved} runs moved with {events} events, expected {number}")

    def _rows(self) -> Any:
        from pipeline_management.models import Run

        return Run.objects.filter(account_id=self.account_id)


def _write_runs(account: Any, jobs: dict[str, str]) -> dict[str, uuid.UUID]:
    """One submitted run a job, as the portal would have left it."""
    from accounts.models import Lab as LabOfPeople
    from pipeline_management.models import PipelineVersion, Run
    from pipeline_management.services.resolution import work_directory

    version = PipelineVersion.objects.get(pipeline__name="parked")
    lab = LabOfPeople.objects.get(slug="lab-a")
    home = work_directory(account.system, account)
    runs = {job: uuid.uuid4() for job in jobs}
    Run.objects.bulk_create(
        (
            Run(
                id=runs[job], key=key, job_id=job, state="submitted", version=version, lab=lab,
                submitter=account.user, system=account.system, account=account, source="api",
                directory=f"{home}/{runs[job]}", configuration_json='{"name":"NA12878"}', script="true\n",
            )
            for job, key in jobs.items()
        ),
        batch_size=500,
    )  # fmt: skip
    return runs
