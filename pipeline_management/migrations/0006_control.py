import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('pipeline_management', '0004_notifications'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='hold_sent_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='run',
            name='origin',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='successors', to='pipeline_management.run'),
        ),
        migrations.AddField(
            model_name='run',
            name='origin_kind',
            field=models.CharField(blank=True, choices=[('', ''), ('resubmit', 'Resubmitted'), ('edit', 'Edited and resubmitted'), ('resume', 'Resumed')], default='', max_length=8),
        ),
        migrations.AddField(
            model_name='run',
            name='work_directory',
            field=models.CharField(blank=True, max_length=600),
        ),
        migrations.AlterField(
            model_name='run',
            name='desired',
            field=models.CharField(choices=[('run', 'Run'), ('hold', 'Hold'), ('cancel', 'Cancel')], default='run', max_length=8),
        ),
    ]
