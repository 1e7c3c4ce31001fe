"""The Celery application: `celery --app centro.celery worker`."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centro.settings")

app = Celery("centro")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery would replace the handlers; Django's configuration (one line, redacted) stays."""
