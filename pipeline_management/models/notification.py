"""Telling people that runs ended: what is still to be told, to whom it goes, and how that went."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.encryption import EncryptedTextField
from accounts.models import Lab
from pipeline_management.models.run import Run


class MailWish(models.TextChoices):
    """Of which of his runs a person wants to be told by mail."""

    ALL = "all", _("Every run that ends")
    FAILURES = "failures", _("Only runs that fail")
    NONE = "none", _("No mail")


class DeliveryKind(models.TextChoices):
    MAIL = "mail", _("Mail")
    WEBHOOK = "webhook", _("Webhook")


class DeliveryPurpose(models.TextChoices):
    RUN_END = "run_end", _("A run ended")
    DIGEST = "digest", _("Daily digest")
    BUDGET = "budget", _("A budget reaches a threshold")
    TEST = "test", _("Test")


class DeliveryState(models.TextChoices):
    """Where a delivery is. Only ``WAITING`` ones are worked on."""

    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    GIVEN_UP = "given_up", _("Given up")
    DROPPED = "dropped", _("No longer wanted")

    @property
    def colour(self) -> str:
        return {"waiting": "info", "delivered": "success", "given_up": "danger"}.get(
            self.value, "secondary"
        )

    @property
    def icon(self) -> str:
        """The picture of its badge in the sprite."""
        return {"waiting": "queued", "delivered": "succeeded", "given_up": "failed"}.get(
            self.value, "cancelled"
        )


class MailPreference(models.Model):
    """What one person wants to be mailed. Who has none gets what the defaults say.

    ``digest_hour`` is in the project's time zone; ``digest_until`` is the end of the time that the last
    digest told of (aware UTC) and the comparand by which each is made once.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_preference"
    )
    runs = models.CharField(max_length=8, choices=MailWish.choices, default=MailWish.ALL)
    digest = models.BooleanField(default=False)
    digest_hour = models.PositiveSmallIntegerField(default=6, validators=[MaxValueValidator(23)])
    digest_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"mail of {self.user}"


class Webhook(models.Model):
    """An address that is called when runs of a lab end in one of ``states`` (a list of terminal states)."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=500)
    states = models.JSONField(default=list)
    secret = EncryptedTextField()
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["lab", "pk"]

    def __str__(self) -> str:
        return self.url


class RunEnding(models.Model):
    """A run that ended and of which nobody has been told; written with the run's last state, then spread
    into deliveries and deleted."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    event_seq = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "event_seq"], name="ending_once_per_event")
        ]

    def __str__(self) -> str:
        return f"end of {self.run_id}"


class Delivery(models.Model):
    """One message to one recipient, tried until it arrives or about a day has passed.

    ``key`` is the digest of what makes it one of its kind: for a run's end the run, the event and the
    recipient. ``user`` is the person whose own mail it is, if any. ``lab`` and ``data`` belong to digests:
    "since" and "until", ISO 8601. ``lease_until`` is on the database's clock. ``answer`` is the
    beginning of what the server said; ``error`` why the last try failed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=8, choices=DeliveryKind.choices)
    purpose = models.CharField(max_length=8, choices=DeliveryPurpose.choices)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, null=True, related_name="deliveries")
    event_seq = models.PositiveIntegerField(null=True)
    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, null=True, related_name="deliveries"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="deliveries"
    )
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, null=True, related_name="+")
    address = models.CharField(max_length=254, blank=True)
    data = models.JSONField(default=dict, blank=True)

    state = models.CharField(
        max_length=12, choices=DeliveryState.choices, default=DeliveryState.WAITING
    )
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["state", "next_at"], name="delivery_due"),
            models.Index(fields=["webhook", "-created_at"], name="delivery_of_webhook"),
            models.Index(fields=["user", "-created_at"], name="delivery_of_user"),
            models.Index(fields=["created_at"], name="delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} to {self.address or self.webhook_id}"

    @property
    def state_enum(self) -> DeliveryState:
        return DeliveryState(self.state)
