"""Indexes in the whole order of the lists, their last part included, and one for a person's runs in a lab."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_oauth_client"),
        ("pipeline_management", "0020_run_lab_state"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    # made before the old ones go: a foreign key is never without an index
    operations = [
        migrations.AddIndex(
            model_name="apitask",
            index=models.Index(fields=["user", "-created_at", "-id"], name="api_task_by_user"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["lab", "-created_at", "-id"], name="run_by_lab"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["lab", "state", "-created_at", "-id"], name="run_by_lab_state"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["lab", "submitter", "-created_at", "-id"], name="run_by_lab_submitter"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["lab", "name", "-created_at", "-id"], name="run_by_lab_name"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["submitter", "-created_at", "-id"], name="run_by_submitter"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["state", "-created_at", "-id"], name="run_by_state"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["version", "-created_at", "-id"], name="run_by_version"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["system", "-created_at", "-id"], name="run_by_system"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["cause", "-created_at", "-id"], name="run_by_cause"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["attention", "-created_at", "-id"], name="run_by_attention"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["user", "-created_at", "-id"], name="transfer_by_user"),
        ),
        migrations.RemoveIndex(
            model_name="apitask",
            name="api_task_user_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_lab_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_submitter_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_state_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_version_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_system_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_cause_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_attention_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_project_newest",
        ),
        migrations.RemoveIndex(
            model_name="run",
            name="run_lab_state_newest",
        ),
        migrations.RemoveIndex(
            model_name="transfer",
            name="transfer_user_newest",
        ),
    ]
