"""The runs of a lab in some state, newest first: what its managers look at most."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline_management", "0019_usage_months")]

    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["lab", "state", "-created_at"], name="run_lab_state_newest"),
        ),
    ]
