"""Job scripts as their submitters wrote them: into the history, to the scheduler, and never twice.

The request's own thread submits. The run is written down as SUBMITTING, with a lease, before the system
is talked to; whoever finds it without a lease only looks for its job (``reconciliation``).
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import Lab
from accounts.policy import scope_of
from hpc.client import SystemClient
from hpc.commands import Command
from hpc.errors import ConnectionLost, HpcError, NotSupported
from hpc.protocol.native import NativeAnswer, NativeJob, submit_native
from hpc.protocol.submission import Answer
from pipeline_management.choices import (
    Confirmation,
    RunKind,
    RunSource,
    RunState,
)
from pipeline_management.models import ApiTask, Attempt, Run, RunEvent, SystemAccount
from pipeline_management.services import (
    api_tasks,
    cluster,
    faults,
    leases,
    maintenance,
    trouble,
    words,
)
from pipeline_management.services.announcing import announce
from pipeline_management.services.clients import client_for, settle_seconds
from pipeline_management.services.documents import canonical_json
from pipeline_management.services.intake import new_key
from pipeline_management.services.native_outcomes import (
    EARLY,
    SubmissionRefused,
    kept,
    settle,
    shown,
)
from pipeline_management.services.transactions import atomically

logger = logging.getLogger(__name__)

FOLDER = "firecrest"
"""Below the home: where uploaded scripts get a directory each."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a person asks for; fields as of ``NativeJob``.

    Without ``content`` the script is on the system, in ``directory``; else ``directory`` is left out and
    the job gets one of its own below ``FOLDER``.
    """

    file: str
    content: bytes | None = None
    directory: str = ""
    account: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    queue: str | None = None
    walltime: timedelta | None = None
    tasks: int | None = None
    after: str | None = None
    stdout: str | None = None
    stderr: str | None = None


@dataclass(slots=True)
class _Submission:
    """One submission under way: what was written down, and what goes to the system."""

    run: Run
    task: ApiTask
    client: SystemClient
    command: Command[NativeAnswer] | NativeAnswer
    address: str | None
    lease: ExitStack

    def send(self) -> NativeAnswer | HpcError:
        """The round trip; whatever comes of it is the answer."""
        if isinstance(self.command, NativeAnswer):
            return self.command
        faults.point("J1")
        try:
            return self.client.run(self.command)
        except HpcError as error:
            return error
        except Exception as error:  # the job may exist all the same
            logger.exception("submission of the run %s", self.run.pk)
            return ConnectionLost(trouble.describe(error))

    def settle(self, answer: NativeAnswer | HpcError) -> object:
        """Write down what the answer means; returns what the client is told of the accepted job."""
        faults.point("J2")
        with self.lease:
            try:
                return settle(self.run, answer, self.address)
            except DatabaseError as error:  # the lease runs out, and the job is looked for
                logger.warning("the outcome of %s was not written down: %s", self.run.pk, error)
                raise api_tasks.StillRunning from error
            finally:
                cluster.changed(self.run.account)


def submit(
    *,
    user: User,
    account: SystemAccount,
    request: JobRequest,
    address: str | None = None,
    hand_over: Callable[[], Callable[[bool], None]] | None = None,
    refusals_raise: bool = False,
) -> ApiTask:
    """Submit a job script for a person; returns its task, mostly ended already.

    Raises ``Closed`` (the system is in maintenance), the ``RemoteFileError`` family (the script is not there),
    the ``ConnectFailed`` family and ``ValueError`` (a field that cannot be asked for) with nothing left behind,
    and with ``refusals_raise`` also ``SubmissionRefused``. ``hand_over`` as of ``run_inline``.
    """
    maintenance.refuse_jobs(account.system)
    client = client_for(account)
    client.connect()
    task_id = uuid.uuid4().hex
    job = _native(request, new_key(), task_id)
    command = _command(client, job, account)
    lease = ExitStack()
    holder = lease.enter_context(leases.holding())
    try:
        run, task = atomically(partial(_write_down, user, account, request, job, task_id, holder))
        made = _Submission(run, task, client, command, address, lease)
        raises = (*EARLY, SubmissionRefused) if refusals_raise else EARLY
        return api_tasks.run_inline(
            task, made.send, then=made.settle, raises=raises, hand_over=hand_over
        )
    except EARLY:
        Run.objects.filter(key=job.tag.rpartition(":")[2]).delete()
        raise
    except DatabaseError:
        lease.close()
        raise


def _native(request: JobRequest, key: str, task_id: str) -> NativeJob:
    return NativeJob(
        tag=f"centro:{key}",
        directory=f"{FOLDER}/{task_id}" if request.content is not None else request.directory,
        file=request.file,
        content=request.content,
        account=request.account,
        environment=request.environment,
        name=request.name,
        queue=request.queue,
        walltime=request.walltime,
        tasks=request.tasks,
        after=request.after,
        stdout=request.stdout,
        stderr=request.stderr,
    )


def _command(
    client: SystemClient, job: NativeJob, account: SystemAccount
) -> Command[NativeAnswer] | NativeAnswer:
    """The command, or the refusal of a scheduler that lacks what is asked for."""
    patience = max(2, settle_seconds(account.system) * 3 // 4)
    try:
        return submit_native(client.scheduler, job, user=account.username, patience=patience)
    except NotSupported as error:
        return NativeAnswer(Answer.REJECT, text=str(error))


def _write_down(
    user: User,
    account: SystemAccount,
    request: JobRequest,
    job: NativeJob,
    task_id: str,
    holder: str,
) -> tuple[Run, ApiTask]:
    """The run with its first event and attempt, and the task: one transaction."""
    now = timezone.now()
    content = request.content or b""
    text = canonical_json(_asked(request, job))
    run = Run(
        kind=RunKind.JOB,
        name=shown(request.name or request.file)[:200],
        lab=only_lab(user),
        configuration_json=text,
        configuration_sha256=hashlib.sha256(text.encode()).hexdigest(),
        script=kept(content),
        resources=_resources(request),
        submitter=user,
        system=account.system,
        account=account,
        directory=shown(job.directory)[:600],
        source=RunSource.FIRECREST,
        key=job.tag.rpartition(":")[2],
        state=RunState.SUBMITTING,
        event_seq=1,
        next_at=now,
        confirmed_at=now,
        confirmed_source=Confirmation.PORTAL,
        lease_holder=holder,
        lease_until=leases.until(now),
        fence=1,
    )
    run.save(force_insert=True)
    RunEvent.objects.create(
        run=run, seq=1, at=now, actor=user.username, type="state", to_state=RunState.SUBMITTING,
        evidence=Confirmation.PORTAL, data={"source": RunSource.FIRECREST},
    )  # fmt: skip
    words.index_new(run, {})
    announce(run.pk, 1, "state")
    Attempt.objects.create(run=run, number=1, script_sha256=hashlib.sha256(content).hexdigest())
    return run, api_tasks.create(user, account.system, run=run, task_id=task_id)


def _asked(request: JobRequest, job: NativeJob) -> dict[str, object]:
    """The request for the history. Of variables only the names: their values may be secrets."""
    asked = {
        "directory": shown(job.directory),
        "file": shown(request.file),
        "uploaded": request.content is not None,
        "environment": sorted(request.environment) or None,
        "after": request.after,
        "stdout": request.stdout,
        "stderr": request.stderr,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _resources(request: JobRequest) -> dict[str, object]:
    walltime = str(request.walltime) if request.walltime is not None else None
    asked = {"queue": request.queue, "account": request.account, "walltime": walltime}
    return {name: value for name, value in asked.items() if value is not None}


def only_lab(user: User) -> Lab | None:
    """The lab whose managers see the person's jobs: the only one in whose name he may submit."""
    submits = scope_of(user).submits
    return Lab.objects.get(pk=next(iter(submits))) if len(submits) == 1 else None
