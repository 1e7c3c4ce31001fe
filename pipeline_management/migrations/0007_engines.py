from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('pipeline_management', '0005_reports'),
    ]

    operations = [
        migrations.AddField(
            model_name='pipelineversion',
            name='engine_options',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name='pipelineversion',
            name='engine',
            field=models.CharField(choices=[('shell', 'Shell script'), ('jetstream', 'Jetstream'), ('snakemake', 'Snakemake')], default='shell', max_length=16),
        ),
        migrations.AlterField(
            model_name='pipelineversion',
            name='script',
            field=models.TextField(blank=True),
        ),
    ]
