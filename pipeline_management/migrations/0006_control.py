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
            name='attention',
            field=models.CharField(blank=True, choices=[('', ''), ('CLUSTER_DOWN', 'The system does not answer'), ('CREDENTIAL', 'The system refuses the credential'), ('HOSTKEY', 'The system shows an unknown host key'), ('QUOTA', 'No space is left on the system'), ('SUBMIT_UNKNOWN', 'It is not yet known whether the scheduler took the job'), ('NO_SIGN_OF_LIFE', 'The scheduler says running, but the job shows no sign of life'), ('HELD', 'The scheduler will not start the job as it is'), ('ACCOUNTING_OFF', "The scheduler's accounting does not answer"), ('STALE', 'The state has not been confirmed for a while'), ('CANCEL_FAILING', 'The scheduler does not take the cancellation'), ('HOLD_FAILING', 'The scheduler does not take the hold or release'), ('JOBS_LEFT', 'Jobs that the run has submitted are still there')], default='', max_length=32),
        ),
        migrations.AlterField(
            model_name='run',
            name='desired',
            field=models.CharField(choices=[('run', 'Run'), ('hold', 'Hold'), ('cancel', 'Cancel')], default='run', max_length=8),
        ),
    ]
