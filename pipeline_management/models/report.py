"""What a run's own job reports: the steps of its pipeline."""

from __future__ import annotations

from django.db import models

from pipeline_management.choices import TaskState
from pipeline_management.models.run import Run


class RunTask(models.Model):
    """One step of a run's pipeline as the job last reported it; unique by name within the run.

    ``key`` is the SHA-256 of the name in hexadecimal: a database may hold two names for the same that differ in
    capitals or trailing spaces only.

    ``sender``, ``seq`` and ``reported_at`` (the sender's clock, aware UTC) belong to the report that decided its
    state: a later report of the same sender replaces it, an earlier one that arrives late does not.
    ``resources`` is what the job says of it (cpus, memory_mb …), shown as it is. ``log_path`` is a path on the
    system.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tasks")
    name = models.CharField(max_length=200)
    key = models.CharField(max_length=64, editable=False)
    state = models.CharField(max_length=16, choices=TaskState.choices, default=TaskState.NEW)
    job_id = models.CharField(max_length=64, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    resources = models.JSONField(default=dict, blank=True)
    log_path = models.CharField(max_length=600, blank=True)
    sender = models.CharField(max_length=64, blank=True)
    seq = models.BigIntegerField(default=0)
    reported_at = models.DateTimeField()

    class Meta:
        ordering = ["run", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="task_name_once_per_run")
        ]
        indexes = [models.Index(fields=["run", "state"], name="task_run_state")]

    def __str__(self) -> str:
        return f"{self.name} of {self.run_id}"

    @property
    def seconds(self) -> float | None:
        """How long it took; None while that is not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())
