"""What people add to runs, and by what runs are found: labels, stars, notes, saved searches, words, input files."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Lab
from pipeline_management.models.run import Run


class RunInput(models.Model):
    """A file that a run's configuration names. ``name`` is the last part of ``path``. Written once, at intake."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="input_names")
    name = models.CharField(max_length=255)
    path = models.CharField(max_length=1000)

    class Meta:
        ordering = ["run", "pk"]
        indexes = [models.Index(fields=["name", "run"], name="input_name")]

    def __str__(self) -> str:
        return self.path


class RunWord(models.Model):
    """A word by which a run is found, in lower case and without accents; see ``services.words``.

    ``created_at`` is the run's own: with it an index gives the newest of the runs that a word finds.
    """

    class Source(models.TextChoices):
        """Where the word stands."""

        NAME = "n", _("name")
        INPUT = "i", _("input file or sample")
        REASON = "r", _("reason")

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="words", db_index=False)
    source = models.CharField(max_length=1, choices=Source.choices)
    word = models.CharField(max_length=40)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["word", "created_at", "run", "source"], name="word_by_time"),
            models.Index(fields=["run", "word", "source"], name="word_of_run"),
        ]

    def __str__(self) -> str:
        return self.word


class RunLabel(models.Model):
    """A word that people stick on a run."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="label_once_per_run")]
        indexes = [models.Index(fields=["name", "run"], name="label_name")]

    def __str__(self) -> str:
        return self.name


class LabLabel(models.Model):
    """A label that a lab has used, so that the labels to choose from need no look at all runs."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)
    used_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["lab", "name"], name="label_once_per_lab")]

    def __str__(self) -> str:
        return self.name


class RunStar(models.Model):
    """A run that somebody wants to find again; each person has stars of their own."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="stars")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="run_stars"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "run"], name="star_once")]

    def __str__(self) -> str:
        return f"{self.user_id} likes {self.run_id}"


class RunNote(models.Model):
    """What somebody wrote about a run; plain text."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="run_notes"
    )
    text = models.CharField(max_length=4000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run", "created_at", "pk"]

    def __str__(self) -> str:
        return f"note of {self.author_id} on {self.run_id}"


class SavedView(models.Model):
    """A search of the list of runs under a name. ``lab``: who shares it; None: its owner only.

    ``query`` is the query string of the list's address, without "?" and page.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views"
    )
    lab = models.ForeignKey(
        Lab, on_delete=models.CASCADE, related_name="saved_views", null=True, blank=True
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="view_name_once_per_owner")
        ]

    def __str__(self) -> str:
        return self.name
