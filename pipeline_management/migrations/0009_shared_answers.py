import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline_management", "0008_transfers")]

    operations = [
        migrations.CreateModel(
            name="SharedAnswer",
            fields=[
                (
                    "digest",
                    models.CharField(
                        editable=False, max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("text", models.TextField()),
                ("used_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="apitask",
            name="answer",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_tasks",
                to="pipeline_management.sharedanswer",
            ),
        ),
    ]
