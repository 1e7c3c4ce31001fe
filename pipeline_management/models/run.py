"""Runs, their attempts, their log tails."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.conf import settings
from django.db import models

from accounts.models import Lab
from pipeline_management.choices import (
    HOLDABLE_STATES,
    Attention,
    Confirmation,
    Desired,
    OriginKind,
    Reason,
    RunKind,
    RunSource,
    RunState,
)
from pipeline_management.models.pipeline import PipelineVersion
from pipeline_management.models.system import System, SystemAccount
from pipeline_management.querysets import RunQuerySet


class Run(models.Model):
    """One submission: of one pipeline version with one configuration, or of somebody's own job script.

    A run of kind ``job`` has no version, and no lab where its submitter has none to submit for; its
    ``configuration_json`` says how it was asked for, its ``directory`` is the job's working directory, and
    ``job_files`` has the absolute paths "script", "stdout" and "stderr" on the system, as far as known.

    ``desired`` is written by people, ``state`` by ``services.transition`` only. ``event_seq`` is the
    number of the newest event and, with ``state``, the comparand of every change. ``key`` is the job
    name under which all attempts go to the scheduler. Lease columns belong to ``services.leases``; all
    times are aware UTC, lease times on the database's clock.

    ``origin`` is the run that this one was made from, ``work_directory`` where the pipeline works when that
    is not its own ``directory``: a resume goes on where its origin stopped. ``hold_sent_at`` is when a hold
    in the scheduler became Centro's to undo; None: there is none.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=8, choices=RunKind.choices, default=RunKind.PIPELINE)
    version = models.ForeignKey(
        PipelineVersion, on_delete=models.PROTECT, related_name="runs", null=True, blank=True
    )
    configuration_json = models.TextField()
    configuration_sha256 = models.CharField(max_length=64)
    script = models.TextField()
    resources = models.JSONField(default=dict)
    lab = models.ForeignKey(
        Lab, on_delete=models.PROTECT, related_name="runs", null=True, blank=True
    )
    submitter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs"
    )
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="runs")
    account = models.ForeignKey(SystemAccount, on_delete=models.PROTECT, related_name="runs")
    directory = models.CharField(max_length=600)
    work_directory = models.CharField(max_length=600, blank=True)
    job_files = models.JSONField(default=dict, blank=True)
    brought_inputs = models.JSONField(default=list, blank=True, editable=False)
    """What its job brings before it begins (``services.run_files.inputs``)."""
    source = models.CharField(max_length=16, choices=RunSource.choices)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001  unique where given
    request_sha256 = models.CharField(max_length=64, blank=True)
    origin = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="successors"
    )
    origin_kind = models.CharField(
        max_length=8, choices=OriginKind.choices, blank=True, default=OriginKind.NONE
    )

    desired = models.CharField(max_length=8, choices=Desired.choices, default=Desired.RUN)
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.QUEUED)
    outcome = models.CharField(max_length=16, blank=True)
    """The terminal state decided on entering FINISHING."""
    reason = models.CharField(max_length=32, choices=Reason.choices, blank=True, default="")
    reason_text = models.CharField(max_length=1000, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    signal = models.IntegerField(null=True, blank=True)
    cause = models.CharField(max_length=40, blank=True, default="")
    """The class of the failure by which runs are grouped, as "OUT_OF_MEMORY" or "QUOTA"; see ``services.causes``."""
    cause_text = models.CharField(max_length=200, blank=True, default="")
    """The same in words: the first failed task, and the line of output that says it."""
    attention = models.CharField(max_length=32, choices=Attention.choices, blank=True, default="")
    attention_text = models.CharField(max_length=500, blank=True)
    attention_since = models.DateTimeField(null=True, blank=True)

    key = models.CharField(max_length=15, unique=True)
    job_id = models.CharField(max_length=64, blank=True)
    lost_attempts = models.PositiveSmallIntegerField(default=0)
    event_seq = models.PositiveIntegerField(default=0)
    queue_state = models.CharField(max_length=32, blank=True)
    queue_reason = models.CharField(max_length=200, blank=True)
    nodes = models.CharField(max_length=200, blank=True)
    misses = models.PositiveIntegerField(default=0)
    missing_since = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_source = models.CharField(max_length=16, choices=Confirmation.choices, blank=True)

    token_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    """Of the token with which the job reports, in hexadecimal; "" where it has none."""
    events_offset = models.PositiveBigIntegerField(default=0, editable=False)
    """Bytes of the job's events file that have been read."""
    progress = models.PositiveSmallIntegerField(null=True, blank=True)
    """0 to 100 as the job last reported; None where it never did."""
    progress_text = models.CharField(max_length=300, blank=True)
    progress_sender = models.CharField(max_length=64, blank=True, editable=False)
    progress_seq = models.BigIntegerField(default=0, editable=False)
    progress_at = models.DateTimeField(null=True, blank=True, editable=False)
    """With the two before: the report that the progress is from."""
    tasks_total = models.PositiveIntegerField(default=0)
    tasks_done = models.PositiveIntegerField(default=0)
    tasks_failed = models.PositiveIntegerField(default=0)

    next_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    """Tries of the current step that did not settle it; reset when the step is done."""
    lease_holder = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_sent_at = models.DateTimeField(null=True, blank=True)
    hold_sent_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["submitter", "idempotency_key"], name="idempotency_key_once_per_user"
            )
        ]
        indexes = [
            models.Index(fields=["account", "state", "next_at"], name="run_work"),
            models.Index(fields=["state", "next_at"], name="run_due"),
            # "-id" too: without it an index answers the order of the lists only up to runs of the same moment
            models.Index(fields=["-created_at", "-id"], name="run_newest"),
            models.Index(fields=["lab", "-created_at", "-id"], name="run_by_lab"),
            models.Index(fields=["lab", "state", "-created_at", "-id"], name="run_by_lab_state"),
            models.Index(
                fields=["lab", "submitter", "-created_at", "-id"], name="run_by_lab_submitter"
            ),
            models.Index(fields=["lab", "name", "-created_at", "-id"], name="run_by_lab_name"),
            models.Index(fields=["submitter", "-created_at", "-id"], name="run_by_submitter"),
            models.Index(
                fields=["submitter", "state", "-created_at", "-id"], name="run_by_submitter_state"
            ),
            models.Index(fields=["state", "-created_at", "-id"], name="run_by_state"),
            models.Index(fields=["version", "-created_at", "-id"], name="run_by_version"),
            models.Index(fields=["system", "-created_at", "-id"], name="run_by_system"),
            models.Index(fields=["cause", "-created_at", "-id"], name="run_by_cause"),
            models.Index(fields=["attention", "-created_at", "-id"], name="run_by_attention"),
            models.Index(fields=["job_id"], name="run_job_id"),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.id}"

    @property
    def title(self) -> str:
        """What is run: "pipeline@version", or "job script"."""
        return str(self.version) if self.version is not None else str(RunKind.JOB.label).lower()

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration as posted, parsed from its canonical text."""
        value: dict[str, Any] = json.loads(self.configuration_json)
        return value

    @property
    def works_in(self) -> str:
        """The directory on the system in which the pipeline works."""
        return self.work_directory or self.directory

    @property
    def is_held(self) -> bool:
        """Whether it waits because somebody wants it to."""
        return self.desired == Desired.HOLD and self.state in HOLDABLE_STATES

    @property
    def state_enum(self) -> RunState:
        return RunState(self.state)

    @property
    def seconds_run(self) -> float | None:
        """How long its job ran; None for one that has not ended, or never started."""
        ended = self.ended_at or self.finished_at
        if self.started_at is None or ended is None:
            return None
        return max(0.0, (ended - self.started_at).total_seconds())

    @property
    def percent_done(self) -> int | None:
        """0 to 100: what the job said last, or the share of its tasks that are done; None where it says nothing."""
        if self.progress is not None or not self.tasks_total:
            return self.progress
        return 100 * self.tasks_done // self.tasks_total


class Attempt(models.Model):
    """One try to get one job of a run through the scheduler.

    A further attempt is made only after the scheduler lost the job before it started; all attempts of
    a run share its directory and its claim, so that at most one of their jobs ever executes.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    job_id = models.CharField(max_length=64, blank=True)
    script_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    found_by = models.CharField(max_length=16, blank=True)
    """How its job id became known: new, recorded, claim, found, past or adopted."""
    lost_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="attempt_number_once_per_run")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.run_id}"


class RunLog(models.Model):
    """The end of one output stream as collected when the run ended. ``size`` is the whole file's, in bytes."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="logs")
    stream = models.CharField(max_length=16)
    offset = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    data = models.BinaryField()
    collected_at = models.DateTimeField()

    class Meta:
        ordering = ["run", "stream"]
        constraints = [
            models.UniqueConstraint(fields=["run", "stream"], name="stream_once_per_run")
        ]

    def __str__(self) -> str:
        return f"{self.stream} of {self.run_id}"
