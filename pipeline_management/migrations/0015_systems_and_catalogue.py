"""What is known of systems (queues, maintenance, checks), and the catalogue: documentation, uploads."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pipeline_management", "0017_run_inputs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="pipelineversion",
            name="documentation",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="pipelineversion",
            name="is_hidden",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="pipelineversion",
            name="is_pinned",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="system",
            name="health_since",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="run",
            name="attention",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", ""),
                    ("CLUSTER_DOWN", "The system does not answer"),
                    ("CREDENTIAL", "The system refuses the credential"),
                    ("HOSTKEY", "The system shows an unknown host key"),
                    ("QUOTA", "No space is left on the system"),
                    ("SUBMIT_UNKNOWN", "It is not yet known whether the scheduler took the job"),
                    (
                        "NO_SIGN_OF_LIFE",
                        "The scheduler says running, but the job shows no sign of life",
                    ),
                    ("HELD", "The scheduler will not start the job as it is"),
                    ("ACCOUNTING_OFF", "The scheduler's accounting does not answer"),
                    ("STALE", "The state has not been confirmed for a while"),
                    ("CANCEL_FAILING", "The scheduler does not take the cancellation"),
                    ("HOLD_FAILING", "The scheduler does not take the hold or release"),
                    ("JOBS_LEFT", "Jobs that the run has submitted are still there"),
                    ("MAINTENANCE", "The system is in maintenance"),
                ],
                default="",
                max_length=32,
            ),
        ),
        migrations.CreateModel(
            name="CatalogueUpload",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("data", models.BinaryField()),
                ("created_at", models.DateTimeField(auto_now_add=True, db_index=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="catalogue_uploads",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Maintenance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField(db_index=True, verbose_name="from")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="to")),
                ("text", models.CharField(max_length=300)),
                (
                    "holds_runs",
                    models.BooleanField(default=True, verbose_name="submit nothing meanwhile"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="maintenances",
                        to="pipeline_management.system",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "maintenance",
                "ordering": ["-starts_at"],
            },
        ),
        migrations.CreateModel(
            name="SystemCheck",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("begun_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("steps", models.JSONField(default=list)),
                ("fault", models.CharField(blank=True, max_length=500)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checks",
                        to="pipeline_management.systemaccount",
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at"],
                "indexes": [models.Index(fields=["account", "-asked_at"], name="check_newest")],
            },
        ),
        migrations.CreateModel(
            name="SystemQueue",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("is_default", models.BooleanField(default=False)),
                ("state", models.CharField(blank=True, max_length=40)),
                ("walltime_seconds", models.PositiveBigIntegerField(null=True)),
                ("nodes_total", models.PositiveIntegerField(default=0)),
                ("nodes_idle", models.PositiveIntegerField(default=0)),
                ("cpus_total", models.PositiveIntegerField(default=0)),
                ("cpus_idle", models.PositiveIntegerField(default=0)),
                ("memory_mb", models.PositiveBigIntegerField(null=True)),
                ("jobs_waiting", models.PositiveIntegerField(null=True)),
                ("jobs_running", models.PositiveIntegerField(null=True)),
                ("at", models.DateTimeField()),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="queues",
                        to="pipeline_management.system",
                    ),
                ),
            ],
            options={
                "ordering": ["system", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("system", "name"), name="queue_once_per_system")
                ],
            },
        ),
    ]
