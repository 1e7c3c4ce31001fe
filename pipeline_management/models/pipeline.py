"""Hosted pipelines and their versions."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from accounts.models import Lab
from pipeline_management.choices import Engine
from pipeline_management.models.system import System
from pipeline_management.querysets import PipelineQuerySet

ALIASES = ("latest", "development")


class Pipeline(models.Model):
    """A hosted workflow; what runs is one of its versions."""

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z_][A-Za-z0-9_.-]*$",
                "Begin with a letter; then letters, digits, dot, dash, underscore.",
            )
        ],
    )
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)

    objects = PipelineQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PipelineVersion(models.Model):
    """One version of a pipeline: immutable once a run uses it, except for who may run it and where.

    ``schema`` is a JSON Schema (draft 2020-12) of the configuration; ``script`` the Jinja2 template of
    the job script, "" where the engine makes it; ``engine_options`` are what the engine's own schema allows
    (``services/engines``); ``resources`` has queue, walltime ("HH:MM:SS"), cpus, memory_mb, account, nodes,
    tasks, gpus, qos. ``rules`` are about rows taken together (``services/rules``). ``outputs`` has patterns of the
    files that a run leaves, "reports" and "outputs" (``services/outputs``). ``sort_key`` orders
    versions; ``is_development`` keeps one out of ``@latest``.
    """

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_.+!-]*$", "Letters, digits and . _ + ! -")],
    )
    sort_key = models.CharField(max_length=200, editable=False)
    is_development = models.BooleanField(default=False)
    is_pinned = models.BooleanField(default=False)
    """Whether an administrator has said that this one is ``@latest``, though there may be newer ones."""
    is_hidden = models.BooleanField(default=False)
    """Withdrawn: it is in nobody's catalogue and takes no new runs; runs of it stay what they are."""
    documentation = models.TextField(blank=True)
    engine = models.CharField(max_length=16, choices=Engine.choices, default=Engine.SHELL)
    schema = models.JSONField(default=dict, blank=True)
    engine_options = models.JSONField(default=dict, blank=True)
    script = models.TextField(blank=True)
    resources = models.JSONField(default=dict, blank=True)
    rules = models.JSONField(default=list, blank=True)
    outputs = models.JSONField(default=dict, blank=True)
    example = models.JSONField(default=dict, blank=True)
    content_sha256 = models.CharField(max_length=64, editable=False)
    all_labs = models.BooleanField(default=False)
    labs = models.ManyToManyField(Lab, blank=True, related_name="pipeline_versions")
    systems = models.ManyToManyField(
        System, through="PipelineSystem", related_name="pipeline_versions"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pipeline", "-sort_key"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "version"], name="version_once_per_pipeline")
        ]

    def __str__(self) -> str:
        return f"{self.pipeline}@{self.version}"


class PipelineSystem(models.Model):
    """A system on which a version may run; the one with the lowest position is the default."""

    version = models.ForeignKey(
        PipelineVersion, on_delete=models.CASCADE, related_name="pipeline_systems"
    )
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="pipeline_systems")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "system"], name="system_once_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.system}"
