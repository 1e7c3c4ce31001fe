from datetime import timedelta

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Max, Min, Sum


COUNTERS = (
    "runs", "succeeded", "failed", "cancelled", "core_seconds", "gpu_seconds", "wait_seconds",
    "elapsed_seconds", "waited", "measured",
)  # fmt: skip
PLACE = ("lab_id", "submitter_id", "pipeline_id", "system_id")


def add_up(apps, schema_editor):
    """One month after the other, so that a long history needs little memory."""
    days, months = (
        apps.get_model("pipeline_management", name) for name in ("UsageDay", "UsageMonth")
    )
    span = days.objects.aggregate(first=Min("day"), last=Max("day"))
    at, last = span["first"], span["last"]
    while at is not None and at <= last:
        at = at.replace(day=1)
        over = (at.replace(day=28) + timedelta(days=4)).replace(day=1)
        rows = days.objects.filter(day__gte=at, day__lt=over).order_by().values(*PLACE)
        months.objects.bulk_create(
            [
                months(
                    key="/".join((at.isoformat(), *(str(row[name] or "-") for name in PLACE))),
                    day=at,
                    **{name: row[name] for name in PLACE},
                    **{name: row[f"{name}_sum"] for name in COUNTERS},
                )
                for row in rows.annotate(**{f"{name}_sum": Sum(name) for name in COUNTERS})
            ],
            batch_size=500,
        )
        at = over


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_oauth_client"),
        ("pipeline_management", "0014_outputs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(editable=False, max_length=100, unique=True)),
                ("day", models.DateField()),
                ("runs", models.BigIntegerField(default=0)),
                ("succeeded", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
                ("cancelled", models.BigIntegerField(default=0)),
                ("core_seconds", models.BigIntegerField(default=0)),
                ("gpu_seconds", models.BigIntegerField(default=0)),
                ("wait_seconds", models.BigIntegerField(default=0)),
                ("elapsed_seconds", models.BigIntegerField(default=0)),
                ("waited", models.BigIntegerField(default=0)),
                ("measured", models.BigIntegerField(default=0)),
                (
                    "lab",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.lab",
                    ),
                ),
                (
                    "pipeline",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipeline_management.pipeline",
                    ),
                ),
                (
                    "submitter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipeline_management.system",
                    ),
                ),
            ],
            options={
                "ordering": ["-day", "pk"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["day", "lab"], name="usage_month_lab"),
                    models.Index(fields=["submitter", "day"], name="usage_submitter_month"),
                    models.Index(fields=["lab", "day"], name="usage_lab_month"),
                ],
            },
        ),
        migrations.RunPython(add_up, migrations.RunPython.noop),
    ]
