"""What people are told about systems, what is known of their queues, and uploads on their way to the catalogue."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from pipeline_management.models.system import System, SystemAccount


class SystemQueue(models.Model):
    """One queue (Slurm partition) of a system as its scheduler last described it; written by ``services/queues.py``.

    Numbers that the scheduler does not tell are None. ``walltime_seconds`` is the longest a job may take, None
    without a limit.
    """

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="queues")
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField(default=0)
    is_default = models.BooleanField(default=False)
    state = models.CharField(max_length=40, blank=True)
    walltime_seconds = models.PositiveBigIntegerField(null=True)
    nodes_total = models.PositiveIntegerField(default=0)
    nodes_idle = models.PositiveIntegerField(default=0)
    cpus_total = models.PositiveIntegerField(default=0)
    cpus_idle = models.PositiveIntegerField(default=0)
    memory_mb = models.PositiveBigIntegerField(null=True)
    jobs_waiting = models.PositiveIntegerField(null=True)
    jobs_running = models.PositiveIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["system", "position"]
        constraints = [
            models.UniqueConstraint(fields=["system", "name"], name="queue_once_per_system")
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.system}"

    @property
    def busy_percent(self) -> int:
        """How much of the cores is taken, 0 to 100."""
        if not self.cpus_total:
            return 0
        return round(100 * max(0, self.cpus_total - self.cpus_idle) / self.cpus_total)


class Maintenance(models.Model):
    """An announcement from ``starts_at`` to ``ends_at`` (aware UTC; no end: until somebody sets one), for one system
    or, where ``system`` is empty, for all of them. While it lasts and ``holds_runs`` is set, Centro submits nothing
    there: runs are accepted and wait.
    """

    system = models.ForeignKey(
        System, on_delete=models.CASCADE, null=True, blank=True, related_name="maintenances"
    )
    starts_at = models.DateTimeField(_("from"), db_index=True)
    ends_at = models.DateTimeField(_("to"), null=True, blank=True)
    text = models.CharField(max_length=300)
    holds_runs = models.BooleanField(_("submit nothing meanwhile"), default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-starts_at"]
        verbose_name_plural = "maintenance"

    def __str__(self) -> str:
        return f"{self.system or 'all systems'}: {self.text}"

    def clean(self) -> None:
        """The end is after the beginning. Raises ``ValidationError``."""
        if (
            self.ends_at is not None
            and self.starts_at is not None
            and self.ends_at <= self.starts_at
        ):
            raise ValidationError({"ends_at": _("Expected a time after the beginning.")})

    @property
    def is_over(self) -> bool:
        return self.ends_at is not None and self.ends_at <= timezone.now()


class SystemCheck(models.Model):
    """One try of a system, step by step, asked for by an administrator and made by a worker.

    ``steps`` is a list of {name, outcome, found, advice}; outcome is "ok", "warning" or "failed".
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(SystemAccount, on_delete=models.CASCADE, related_name="checks")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(auto_now_add=True)
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    steps = models.JSONField(default=list)
    fault = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-asked_at"]
        indexes = [models.Index(fields=["account", "-asked_at"], name="check_newest")]

    def __str__(self) -> str:
        return f"check of {self.account}"


class CatalogueUpload(models.Model):
    """A file that an administrator has uploaded and not yet confirmed; kept for a day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="catalogue_uploads"
    )
    name = models.CharField(max_length=200)
    data = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name
