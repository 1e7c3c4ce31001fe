"""The Celery application: `celery --app centro.celery worker`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centro.settings")

app = Celery("centro")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Celery would replace the handlers; Django's configuration (one line, redacted) stays."""


@celeryd_init.connect
def _be_patient(conf: Any, **_: object) -> None:
    """A worker waits on Redis for messages, so its reads must outlast the wait of one second."""
    conf.broker_transport_options = conf.broker_transport_options | {"socket_timeout": 5}
