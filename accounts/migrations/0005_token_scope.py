from django.db import migrations, models


def keep_reading(apps, schema_editor):
    apps.get_model("accounts", "ApiToken").objects.filter(read_only=True).update(scope="read")


def read_only_again(apps, schema_editor):
    """Before scopes there was nothing between reading and all: what may less than all may only read."""
    tokens = apps.get_model("accounts", "ApiToken").objects
    tokens.exclude(scope="all").update(read_only=True)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_outer_identity")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="scope",
            field=models.CharField(
                choices=[
                    ("read", "Only read"),
                    ("submit", "Read, submit runs and steer them"),
                    ("all", "Everything that I may do"),
                ],
                default="all",
                max_length=16,
            ),
        ),
        migrations.RunPython(keep_reading, read_only_again),
        migrations.RemoveField(model_name="apitoken", name="read_only"),
    ]
