"""Systems and the accounts with which Centro acts on them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import Credential, slug_validator
from pipeline_management.choices import EventRoute, HealthState, SchedulerKind, TransportKind
from pipeline_management.querysets import SystemQuerySet


class System(models.Model):
    """A cluster (or this machine) that Centro reaches.

    ``host_keys`` is a list of "ssh-ed25519 AAAA…" strings. ``workdir`` is a path that may hold
    ``{username}``; a run's directory is ``<workdir>/<run id>/``. ``poll_interval`` is in seconds.
    ``limits`` has max_connections, max_file_size_mb, command_timeout (seconds).
    """

    name = models.CharField(max_length=64, unique=True, validators=[slug_validator])
    description = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(default=True)
    transport = models.CharField(max_length=8, choices=TransportKind.choices)
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(
        default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    host_keys = models.JSONField(default=list, blank=True)
    scheduler = models.CharField(max_length=8, choices=SchedulerKind.choices)
    scheduler_options = models.JSONField(default=dict, blank=True)
    workdir = models.CharField(max_length=500)
    filesystems = models.JSONField(default=list, blank=True)
    poll_interval = models.PositiveIntegerField(default=10, validators=[MinValueValidator(1)])
    limits = models.JSONField(default=dict, blank=True)
    transfer_queue = models.CharField(max_length=100, blank=True)
    """The queue of jobs that move files inside the system; "" is the scheduler's default one."""
    events = models.CharField(max_length=8, choices=EventRoute.choices, default=EventRoute.BOTH)
    health = models.CharField(
        max_length=8, choices=HealthState.choices, default=HealthState.UNKNOWN, editable=False
    )
    health_reason = models.CharField(max_length=500, blank=True, editable=False)
    health_at = models.DateTimeField(null=True, blank=True, editable=False)
    health_since = models.DateTimeField(null=True, blank=True, editable=False)
    """When the health became what it is; ``health_at`` is when that was last confirmed."""
    submit_seconds = models.FloatField(default=0.0, editable=False)
    """The slowest submission of the last day in seconds; part of the settle time."""

    objects = SystemQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SystemAccount(models.Model):
    """How Centro acts on a system for one person, or for everybody where ``user`` is empty.

    It is also the unit of polling: one listing of the queue per account and tick. ``polled_at`` is the
    time (database clock) of the last complete answer.
    """

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="accounts")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="system_accounts",
    )
    username = models.CharField(max_length=64)
    credential = models.ForeignKey(
        Credential, on_delete=models.PROTECT, null=True, blank=True, related_name="accounts"
    )
    next_poll_at = models.DateTimeField(null=True, blank=True, editable=False)
    poll_holder = models.CharField(max_length=64, blank=True, editable=False)
    poll_lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    polled_at = models.DateTimeField(null=True, blank=True, editable=False)
    quiet_polls = models.PositiveIntegerField(default=0, editable=False)
    """Complete answers in a row in which nothing had changed; the more, the rarer the next look."""
    poll_failures = models.PositiveIntegerField(default=0, editable=False)
    poll_error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ["system", "username"]
        constraints = [
            models.UniqueConstraint(
                fields=["system", "user"], name="one_account_per_system_and_user"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.username}@{self.system}"
