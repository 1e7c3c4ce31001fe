"""What a run's job brings before it begins."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline_management", "0013_rules")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="brought_inputs",
            field=models.JSONField(blank=True, default=list, editable=False),
        ),
    ]
