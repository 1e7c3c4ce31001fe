"""What becomes of a run's results after its end."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from pipeline_management.models.run import Run
from pipeline_management.models.transfer import Transfer


class ArchiveState(models.TextChoices):
    """Where the results are on their way to the store."""

    WAITING = "waiting", _("Waiting for the end of the run")
    SENT = "sent", _("On their way to the store, or there")
    FAILED = "failed", _("Not archived")
    NOTHING = "nothing", _("The run has no results")


class RunArchive(models.Model):
    """The results of a run that go to the store when it has ended well: its job packs them, ``transfer`` moves them.

    ``text`` says why they did not. ``next_at`` is an aware UTC time.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="archive")
    state = models.CharField(
        max_length=8, choices=ArchiveState.choices, default=ArchiveState.WAITING
    )
    text = models.CharField(max_length=500, blank=True)
    transfer = models.ForeignKey(
        Transfer, on_delete=models.SET_NULL, null=True, blank=True, related_name="archives"
    )
    tries = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["state", "next_at"], name="archive_due")]

    def __str__(self) -> str:
        return f"results of {self.run_id}"
