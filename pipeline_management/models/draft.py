"""What a person was writing on the submission page when he left it."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Draft(models.Model):
    """The one draft of a person: the configuration's text as it was typed, valid or not.

    ``pipeline`` is the choice of the list ("" or "name@version"), ``origin`` the id of the run that is edited
    ("" for none), ``token`` the form's one-time token. ``revision`` rises with every change, so that of two
    windows the older one notices. ``sent_at`` is set once it became a run: then it is kept for the
    way back to the form only.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="draft"
    )
    text = models.TextField(blank=True)
    pipeline = models.CharField(max_length=200, blank=True)
    origin = models.CharField(max_length=36, blank=True)
    token = models.UUIDField(null=True)
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField(db_index=True)
    sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"draft of {self.user_id}"
