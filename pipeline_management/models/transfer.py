"""Files on their way between a person, the staging area and a system."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from pipeline_management.models.api_task import ApiTask
from pipeline_management.models.system import System, SystemAccount


class Direction(models.TextChoices):
    """``UPLOAD`` brings a person's file to a system, ``DOWNLOAD`` a system's file to a person."""

    UPLOAD = "upload", _("Upload")
    DOWNLOAD = "download", _("Download")


class Manner(models.TextChoices):
    """How a person's file comes to the staging area."""

    FORM = "form", _("In one piece")
    PARTS = "parts", _("In parts")


class Route(models.TextChoices):
    """The way between staging area and system."""

    UNKNOWN = "", ""
    DIRECT = "direct", _("The system itself")
    THROUGH = "through", _("Through Centro")


class TransferState(models.TextChoices):
    """Where a transfer is; the legal moves are ``pipeline_management.transfer_states``."""

    AWAITING = "awaiting", _("Waiting for the file")
    QUEUED = "queued", _("Queued")
    MOVING = "moving", _("Moving")
    CHECKING = "checking", _("Checking")
    DONE = "done", _("Done")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")
    INVALID = "invalid", _("Taken back")

    @property
    def colour(self) -> str:
        """The Bootstrap colour of its badge."""
        return _COLOURS.get(self.value, "secondary")


_COLOURS = {
    "awaiting": "info",
    "moving": "primary",
    "checking": "primary",
    "done": "success",
    "ready": "success",
    "failed": "danger",
    "cancelled": "warning",
}


class Transfer(models.Model):
    """One file on its way.

    ``path`` is the target of an upload or the source of a download, absolute on the system; ``source_name`` is
    what the person called the file of an upload. ``key`` finds the object in the staging area, ``form`` and
    ``link`` are what the person was given to send or fetch it, ``limit`` is the most bytes that may come.
    ``size``, ``bytes_done`` are bytes, ``rate`` bytes per second of the movement between store and system,
    which alone ``bytes_done`` counts. ``declared_sha256`` is what the person said, ``sha256`` what was found
    equal at both ends. ``moment`` is the source's size, time and inode when the reading began. ``temporary``
    is the unfinished file on the system. ``leftovers``: something in the store or on the system is still to be
    removed, whatever the state. Lease columns belong to ``services.transfers.work``; times are aware UTC.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    direction = models.CharField(max_length=8, choices=Direction.choices)
    manner = models.CharField(max_length=8, choices=Manner.choices, default=Manner.FORM)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="transfers"
    )
    account = models.ForeignKey(SystemAccount, on_delete=models.CASCADE, related_name="transfers")
    path = models.TextField()
    packed_from = models.TextField(blank=True)
    """The folder of which ``path`` is the archive, made for a download and removed after it."""
    source_name = models.TextField(blank=True)
    key = models.CharField(max_length=250, unique=True)
    form = models.JSONField(default=dict, blank=True)
    link = models.TextField(blank=True)
    limit = models.PositiveBigIntegerField()
    size = models.PositiveBigIntegerField(null=True, blank=True)
    declared_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    etag = models.CharField(max_length=100, blank=True)
    upload_id = models.CharField(max_length=400, blank=True)
    part_size = models.PositiveBigIntegerField(default=0)
    moment = models.CharField(max_length=100, blank=True)
    temporary = models.TextField(blank=True)
    route = models.CharField(max_length=8, choices=Route.choices, blank=True, default="")

    state = models.CharField(max_length=12, choices=TransferState.choices)
    bytes_done = models.PositiveBigIntegerField(default=0)
    confirmed = models.PositiveBigIntegerField(default=0)
    """How far the temporary file is known to be right, in bytes: there a later try goes on."""
    rate = models.FloatField(default=0.0)
    error = models.CharField(max_length=1000, blank=True)
    """Why it failed, or what the last try met, as a sentence; in the system's words where it spoke."""
    tries = models.PositiveIntegerField(default=0)
    leftovers = models.BooleanField(default=False)
    api_task = models.OneToOneField(
        ApiTask, on_delete=models.SET_NULL, null=True, blank=True, related_name="transfer"
    )

    next_at = models.DateTimeField(null=True, blank=True)
    lease_holder = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)
    arrived_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["state", "next_at"], name="transfer_due"),
            models.Index(fields=["leftovers", "next_at"], name="transfer_leftovers"),
            models.Index(fields=["user", "-created_at", "-id"], name="transfer_by_user"),
            models.Index(fields=["state", "expires_at"], name="transfer_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.id}"

    @property
    def system(self) -> System:
        return self.account.system

    @property
    def name(self) -> str:
        """What the file is called: its base name on the system, or that of the folder with ".tar.gz"."""
        if self.packed_from:
            return f"{self.packed_from.rpartition('/')[2] or 'root'}.tar.gz"
        return self.path.rpartition("/")[2]

    @property
    def shown_path(self) -> str:
        """What a person calls the source or the target."""
        return self.packed_from or self.path

    @property
    def state_enum(self) -> TransferState:
        return TransferState(self.state)

    @property
    def percent(self) -> int | None:
        """How much of the movement between store and system is done; None while the size is unknown."""
        if self.state in (TransferState.DONE, TransferState.READY):
            return 100
        return None if not self.size else min(100, 100 * self.bytes_done // self.size)

    @property
    def remaining(self) -> timedelta | None:
        """How long the rest of the movement will take at its present rate; None where nobody can say."""
        if self.state != TransferState.MOVING or not self.size or self.rate < 1:
            return None
        return timedelta(seconds=round((self.size - self.bytes_done) / self.rate))


class StoreRoute(models.Model):
    """What the last look found about the way between the store and a system. ``reason`` is a sentence."""

    system = models.OneToOneField(System, on_delete=models.CASCADE, related_name="store_route")
    route = models.CharField(max_length=8, choices=Route.choices, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True)
    probed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.route} to {self.system}"
