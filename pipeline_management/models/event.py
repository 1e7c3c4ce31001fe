"""What happened: events of runs, audit records of people's actions, heartbeats of the background work."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from pipeline_management.models.run import Run


class RunEvent(models.Model):
    """One thing that happened to a run; append-only, numbered per run from 1.

    ``type`` is "state" for a transition (then ``from_state`` and ``to_state`` are set), else a word such
    as "cancel_requested", "attention", "adopted", "late_evidence". ``actor`` is a user name or the
    holder of the lease. ``evidence`` says what the change rests on; ``data`` carries details.

    An event that the job itself reported has its ``sender`` and that sender's own number, by which it is
    kept once however often it arrives.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    type = models.CharField(max_length=32)
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16, blank=True)
    evidence = models.CharField(max_length=16, blank=True)
    data = models.JSONField(default=dict, blank=True)
    sender = models.CharField(max_length=64, blank=True, default="")
    sender_seq = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["run", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["run", "seq"], name="seq_once_per_run"),
            models.UniqueConstraint(
                fields=["run", "sender", "sender_seq"], name="report_once_per_run"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.seq} {self.type}"


class AuditEvent(models.Model):
    """One action of a person that changes something or reveals a secret; append-only."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=200)
    address = models.GenericIPAddressField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.target}"


class Heartbeat(models.Model):
    """The last sign of life of a piece of background work, and the lease that keeps it from running twice."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
