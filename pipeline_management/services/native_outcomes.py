"""What the system's answer to the submission of a job script means for its run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.utils import timezone

from hpc.errors import ConnectFailed, HpcError, RemoteFileError
from hpc.protocol.native import NativeAnswer
from hpc.protocol.submission import Answer
from pipeline_management.choices import Attention, Confirmation, Reason, RunState
from pipeline_management.models import Attempt, Run
from pipeline_management.services import api_tasks, audit, dispatch, leases, polling, trouble
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transition import Change, Note, apply

KEPT_SCRIPT = 256 * 1024
"""Bytes of a script that the history keeps."""
EARLY = (RemoteFileError, ConnectFailed)
"""What shows that nothing was submitted, and is told at once, without a run or a task."""
_CALM: dict[str, object] = {
    "missing_since": None,
    "tries": 0,
    "attention": Attention.NONE,
    "attention_text": "",
    "attention_since": None,
}


class SubmissionRefused(api_tasks.TaskFailed):
    """The scheduler did not take the job; the text is in its own words."""


def shown(path: str) -> str:
    """A path for the database, which takes no bytes that are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def kept(content: bytes) -> str:
    """The beginning of a script as text for the history."""
    return (
        content[:KEPT_SCRIPT].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def settle(run: Run, answer: NativeAnswer | HpcError, address: str | None) -> object:
    """Write down what the answer means; returns what the client is told of an accepted job.

    Raises the errors in ``EARLY`` again, ``SubmissionRefused``, and ``StillRunning`` where the outcome is
    not known yet.
    """
    if isinstance(answer, EARLY):
        refused(run, str(answer), address, reason=Reason.STAGE_FAILED)
        raise answer
    if isinstance(answer, HpcError):
        answer = NativeAnswer(Answer.UNKNOWN, text=trouble.describe(answer))
    if answer.answer is Answer.ID:
        return accepted(run, answer, "new", address)
    if answer.answer in (Answer.REJECT, Answer.STAGE):
        is_rejected = answer.answer is Answer.REJECT
        reason = Reason.SUBMIT_REJECTED if is_rejected else Reason.STAGE_FAILED
        refused(run, answer.text, address, reason=reason)
        raise SubmissionRefused(answer.text)
    _unknown(run, answer.text)
    raise api_tasks.StillRunning


def accepted(run: Run, answer: NativeAnswer, how: str, address: str | None = None) -> object:
    """The scheduler has the job: write it down and return what a FirecREST client is told.

    Raises ``StillRunning`` where somebody else has taken the run over meanwhile.
    """
    paths = answer.paths
    assert paths is not None  # noqa: S101  goes with ID
    now = timezone.now()
    files = {"script": paths.script, "stdout": paths.stdout, "stderr": paths.stderr}
    fields: dict[str, object] = {
        "job_id": answer.job_id,
        "name": paths.name[:200],
        "directory": paths.directory[:600],
        "job_files": {name: path for name, path in files.items() if path},
        "submitted_at": datetime.fromtimestamp(answer.submitted, UTC),
        "confirmed_at": now,
        "confirmed_source": Confirmation.SUBMISSION,
        "next_at": None,
        **_CALM,
        **leases.RELEASED,
    }
    if answer.script:
        fields["script"] = kept(answer.script)
    data = {"job_id": answer.job_id, "how": how}
    change = Change(run, RunState.SUBMITTED, "submission", data, fields, fenced=True)

    def write() -> None:
        if not apply([change], actor=run.submitter.get_username()):
            raise api_tasks.StillRunning
        Attempt.objects.filter(run=run, number=1).update(
            job_id=answer.job_id, found_by=how, submitted_at=fields["submitted_at"]
        )
        audit.record(run.submitter, "job.submit", str(run.pk), address=address, data=data)

    atomically(write)
    polling.look_soon(run.account_id)
    return job_submit(answer.job_id, files, paths.note)


def job_submit(job_id: str, files: Mapping[str, str], note: str = "") -> dict[str, object]:
    """FirecREST's description of a submitted job; ``files`` as of ``Run.job_files``."""
    unknown = "Not available"
    return {
        "result": "Job submitted",
        "jobid": int(job_id) if job_id.isdecimal() else job_id,
        "job_file": files.get("script") or unknown,
        "job_file_out": files.get("stdout") or unknown,
        "job_file_err": files.get("stderr") or unknown,
        "job_data_out": "",
        "job_data_err": "",
        "job_info_extra": note or "Job info returned successfully",
    }


def refused(
    run: Run,
    text: str,
    address: str | None = None,
    *,
    reason: Reason = Reason.SUBMIT_REJECTED,
    to: RunState = RunState.FAILED,
) -> None:
    """No job was made, and none will be."""
    fields = {"reason": reason, "reason_text": text[:1000], "next_at": None, **_CALM}
    data = {"reason": reason, "text": text}
    change = Change(run, to, "submission", data, {**fields, **leases.RELEASED}, fenced=True)

    def write() -> None:
        if apply([change], actor=run.submitter.get_username()):
            audit.record(run.submitter, "job.refused", str(run.pk), address=address, data=data)

    atomically(write)


def _unknown(run: Run, text: str) -> None:
    """A job may exist or not: look for it, and say nothing before that is settled."""
    now = timezone.now()
    fields = {"next_at": now, "missing_since": now, "tries": 0, **leases.RELEASED}
    note = Note("submit_unknown", "submission", {"text": text})
    apply(
        [Change(run, fields=fields, notes=[note], fenced=True)], actor=run.submitter.get_username()
    )
    dispatch.ring(dispatch.SUBMIT, run.account_id)
