import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_oauth_client"),
        ("pipeline_management", "0010_transfer_archives"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("month", "Each calendar month"),
                            ("period", "From one day to another"),
                        ],
                        default="month",
                        max_length=8,
                    ),
                ),
                (
                    "core_hours",
                    models.PositiveBigIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000000000),
                        ]
                    ),
                ),
                ("starts", models.DateField(blank=True, null=True)),
                ("ends", models.DateField(blank=True, null=True)),
                ("told_percent", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("told_for", models.DateField(blank=True, editable=False, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "lab",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="budget",
                        to="accounts.lab",
                    ),
                ),
                (
                    "updated_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["lab"],
            },
        ),
        migrations.CreateModel(
            name="RunUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("wait_seconds", models.PositiveBigIntegerField(null=True)),
                ("elapsed_seconds", models.PositiveBigIntegerField(null=True)),
                ("cpus", models.PositiveIntegerField(null=True)),
                ("gpus", models.PositiveIntegerField(null=True)),
                ("nodes", models.PositiveIntegerField(null=True)),
                ("memory_mb", models.PositiveBigIntegerField(null=True)),
                ("walltime_seconds", models.PositiveBigIntegerField(null=True)),
                ("cpu_seconds", models.FloatField(null=True)),
                ("max_memory_mb", models.PositiveBigIntegerField(null=True)),
                ("core_seconds", models.PositiveBigIntegerField(null=True)),
                ("gpu_seconds", models.PositiveBigIntegerField(null=True)),
                ("jobs", models.PositiveIntegerField(default=0)),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("sacct", "Slurm's accounting"),
                            ("qstat", "the history of PBS"),
                            ("process", "the system's own account of its processes"),
                            ("request", "what the run asked for and how long it ran"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("collected_at", models.DateTimeField(null=True)),
                ("day", models.DateField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="usage",
                        to="pipeline_management.run",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["next_at"], name="usage_due"),
                    models.Index(fields=["day"], name="usage_by_day"),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageDay",
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
                "indexes": [
                    models.Index(fields=["day", "lab"], name="usage_day_lab"),
                    models.Index(fields=["submitter", "day"], name="usage_submitter_day"),
                    models.Index(fields=["lab", "day"], name="usage_lab_day"),
                ],
            },
        ),
        migrations.AlterField(
            model_name="delivery",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("run_end", "A run ended"),
                    ("digest", "Daily digest"),
                    ("budget", "A budget reaches a threshold"),
                    ("test", "Test"),
                ],
                max_length=8,
            ),
        ),
    ]
