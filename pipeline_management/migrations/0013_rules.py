"""Rules about rows, declared with a pipeline version; and an index for the newest run of a project."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline_management", "0016_drafts")]

    operations = [
        migrations.AddField(
            model_name="pipelineversion",
            name="rules",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["lab", "name", "-created_at"], name="run_project_newest"),
        ),
    ]
