from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pipeline_management", "0009_shared_answers"),
    ]

    operations = [
        migrations.AddField(
            model_name="transfer",
            name="packed_from",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
    ]
