"""Celery: the database is the queue, the broker only rings the bell. So messages may be lost,
repeated or late without harm, and a dead broker must not hold up a request."""

from datetime import timedelta
from typing import Any

from centro.settings.configuration import config

CELERY_BROKER_URL = config.broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True

CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = config.worker_threads
CELERY_WORKER_SEND_TASK_EVENTS = False
# Liveness is read from heartbeat rows; remote control would only add broker traffic.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False

CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_LIMIT = 10
# A lost message is replaced by the next sweep, so publishing is tried once.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "centro:",
    "visibility_timeout": 300,
    "socket_connect_timeout": 0.5,
    # A page or API request waits this long at most for a Redis that hangs; workers wait longer, see celery.py.
    "socket_timeout": 0.7,
    "socket_keepalive": True,
    "max_retries": 0,
}

_QUEUES = ("submit", "poll", "control", "transfer")
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in _QUEUES}


def _every(task: str, period: timedelta) -> dict[str, Any]:
    """A sweep that expires when the next one is due: a backlog never piles up."""
    return {
        "task": f"pipeline_management.{task}",
        "schedule": period,
        "options": {"queue": "control", "expires": period.total_seconds()},
    }


CELERY_BEAT_SCHEDULE = {
    name: _every(name, period)
    for name, period in {
        "sweep_poll": timedelta(seconds=1),
        "sweep_submit": timedelta(seconds=5),
        "sweep_finish": timedelta(seconds=5),
        "sweep_cancel": timedelta(seconds=5),
        "sweep_transfers": timedelta(seconds=1),
        "sweep_notify": timedelta(seconds=10),
        "sweep_usage": timedelta(seconds=5),
        "sweep_budgets": timedelta(minutes=5),
        "sweep_stale": timedelta(seconds=30),
        "sweep_queues": timedelta(seconds=20),
        "sweep_digests": timedelta(minutes=1),
        "sweep_staging": timedelta(minutes=5),
        "sweep_orphans": timedelta(minutes=10),
        "sweep_audit": timedelta(days=1),
        "sweep_usage_days": timedelta(days=1),
        "sweep_retention": timedelta(days=1),
    }.items()
}
CELERY_BEAT_SCHEDULE_FILENAME = str(config.run_dir / "beat-schedule")
