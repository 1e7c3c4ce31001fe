"""Asynchronous requests of the FirecREST API."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from pipeline_management.choices import TaskService, TaskStatus
from pipeline_management.models.run import Run
from pipeline_management.models.system import System


def _new_id() -> str:
    return uuid.uuid4().hex


class SharedAnswer(models.Model):
    """A long answer as JSON, by the SHA-256 of that text; ``used_at`` is when a task last got it (aware UTC)."""

    digest = models.CharField(primary_key=True, max_length=64, editable=False)
    text = models.TextField()
    used_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest[:12]


class ApiTask(models.Model):
    """One request whose answer is fetched later, by its id of 32 hexadecimal digits.

    ``status`` is a code of FirecREST v1 (section "status codes" of its interface), kept as the text that
    clients compare. ``data`` is any JSON: the answer, or the reason of a failure; a long answer is in
    ``answer`` instead. ``run`` is the run that a
    submission made; its end brings the task to an end as well. Times are aware UTC.
    """

    id = models.CharField(primary_key=True, max_length=32, default=_new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tasks"
    )
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="api_tasks")
    service = models.CharField(max_length=16, choices=TaskService.choices)
    status = models.CharField(max_length=3, choices=TaskStatus.choices, default=TaskStatus.QUEUED)
    data = models.JSONField(default=str, blank=True, null=True)
    answer = models.ForeignKey(
        SharedAnswer, on_delete=models.PROTECT, null=True, blank=True, related_name="api_tasks"
    )
    run = models.ForeignKey(
        Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="api_tasks"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="api_task_by_user"),
            models.Index(fields=["status", "created_at"], name="api_task_open"),
        ]

    def __str__(self) -> str:
        return f"{self.service} task {self.id}"

    @property
    def description(self) -> str:
        """What the status code means, in FirecREST's own words."""
        return str(TaskStatus(self.status).label)

    @property
    def is_open(self) -> bool:
        """Whether its answer is still to come."""
        return self.status in OPEN_STATUSES


OPEN_STATUSES = frozenset({TaskStatus.QUEUED, TaskStatus.IN_PROGRESS})
