"""Patterns of the reports and outputs that runs of a pipeline version leave."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline_management", "0018_run_archives")]

    operations = [
        migrations.AddField(
            model_name="pipelineversion",
            name="outputs",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
