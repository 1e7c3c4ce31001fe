"""What runs have used of the systems, added up by day, and what labs may use."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import Lab
from pipeline_management.choices import BudgetKind, UsageSource
from pipeline_management.models.pipeline import Pipeline
from pipeline_management.models.run import Run
from pipeline_management.models.system import System
from pipeline_management.querysets import UsageQuerySet


class RunUsage(models.Model):
    """What the jobs of one ended run have used, as accounting says; None is unknown. Seconds and mebibytes.

    ``elapsed_seconds`` and ``walltime_seconds`` are the run's own job's; ``core_seconds`` (allocated cores times
    elapsed), ``gpu_seconds`` and ``cpu_seconds`` (used) are sums over its own job and those known to have been
    submitted by it: ``jobs`` with its own. ``max_memory_mb`` is the most that any one task of any step held on one
    node, never a sum; ``memory_mb``, ``cpus``, ``gpus`` and ``nodes`` are what the job that held it had (memory: per
    node).

    ``day`` is the UTC day under which it is counted in ``UsageDay``, None while it is not. ``next_at`` is when
    accounting is asked (again), None: no more.
    """

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="usage")
    wait_seconds = models.PositiveBigIntegerField(null=True)
    elapsed_seconds = models.PositiveBigIntegerField(null=True)
    cpus = models.PositiveIntegerField(null=True)
    gpus = models.PositiveIntegerField(null=True)
    nodes = models.PositiveIntegerField(null=True)
    memory_mb = models.PositiveBigIntegerField(null=True)
    walltime_seconds = models.PositiveBigIntegerField(null=True)
    cpu_seconds = models.FloatField(null=True)
    max_memory_mb = models.PositiveBigIntegerField(null=True)
    core_seconds = models.PositiveBigIntegerField(null=True)
    gpu_seconds = models.PositiveBigIntegerField(null=True)
    jobs = models.PositiveIntegerField(default=0)
    source = models.CharField(
        max_length=8, choices=UsageSource.choices, blank=True, default=UsageSource.NONE
    )
    collected_at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    next_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["next_at"], name="usage_due"),
            models.Index(fields=["day"], name="usage_by_day"),
        ]

    def __str__(self) -> str:
        return f"usage of {self.run_id}"

    @property
    def cpu_efficiency(self) -> float | None:
        """Processor time used, as a share of what was allocated: 0 to 1, more where cores were shared."""
        if self.cpu_seconds is None or not self.core_seconds:
            return None
        return self.cpu_seconds / self.core_seconds

    @property
    def memory_efficiency(self) -> float | None:
        """The most memory held, as a share of what was asked for."""
        if self.max_memory_mb is None or not self.memory_mb:
            return None
        return self.max_memory_mb / self.memory_mb


_PARTS = ("submitter", "pipeline", "system")
COUNTERS = (
    "runs", "succeeded", "failed", "cancelled", "core_seconds", "gpu_seconds", "wait_seconds", "elapsed_seconds",
    "waited", "measured",
)  # fmt: skip
"""The columns of ``UsageDay`` and ``UsageMonth`` that are added up."""


def _indexes(span: str) -> list[models.Index]:
    """By time, by lab and by person. Those by which much is added up hold all that is: from the rows themselves a
    quarter of 50,000 rows takes MariaDB 10.11 three times as long."""
    return [
        models.Index(fields=["day", "lab", *_PARTS, *COUNTERS], name=f"usage_sums_by_{span}"),
        models.Index(fields=["lab", "day", *_PARTS, *COUNTERS], name=f"usage_lab_sums_{span}"),
        models.Index(fields=["submitter", "day"], name=f"usage_submitter_{span}"),
    ]


class UsageSums(models.Model):
    """The runs that ended in a span of UTC days, which begins with ``day``, added up by lab, submitter, pipeline
    and system.

    Written by ``services.usage.counting`` only. ``key`` joins the five, since a unique constraint does not hold
    where one of them is null. ``waited`` and ``measured`` count the runs whose wait and whose core time are
    known. Sums of seconds.
    """

    key = models.CharField(max_length=100, unique=True, editable=False)
    day = models.DateField()
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, null=True, related_name="+")
    submitter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, null=True, related_name="+")
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="+")
    runs = models.BigIntegerField(default=0)
    succeeded = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    core_seconds = models.BigIntegerField(default=0)
    gpu_seconds = models.BigIntegerField(default=0)
    wait_seconds = models.BigIntegerField(default=0)
    elapsed_seconds = models.BigIntegerField(default=0)
    waited = models.BigIntegerField(default=0)
    measured = models.BigIntegerField(default=0)

    objects = UsageQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["-day", "pk"]

    def __str__(self) -> str:
        return f"usage of {self.key}"


class UsageDay(UsageSums):
    """Usage of one UTC day."""

    class Meta(UsageSums.Meta):
        indexes = _indexes("day")


class UsageMonth(UsageSums):
    """Usage of one calendar month (UTC), of which ``day`` is the first day: what long periods are read from."""

    class Meta(UsageSums.Meta):
        indexes = _indexes("month")


class Budget(models.Model):
    """The core hours that one lab may use: in each calendar month (UTC), or from ``starts`` to ``ends``.

    Both days are included and are empty for a monthly budget. It warns and never stops a run. ``told_percent``
    is the highest threshold that managers were told of in the period that began on ``told_for``.
    """

    lab = models.OneToOneField(Lab, on_delete=models.CASCADE, related_name="budget")
    kind = models.CharField(max_length=8, choices=BudgetKind.choices, default=BudgetKind.MONTH)
    core_hours = models.PositiveBigIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(10**12)]
    )
    starts = models.DateField(null=True, blank=True)
    ends = models.DateField(null=True, blank=True)
    told_percent = models.PositiveSmallIntegerField(default=0, editable=False)
    told_for = models.DateField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        ordering = ["lab"]

    def __str__(self) -> str:
        return f"budget of {self.lab}"
