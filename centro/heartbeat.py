"""Signs of life of worker and beat: one row per host and kind, renewed by a thread of the process."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from celery.signals import beat_init, worker_ready
from django.db import Error, connection

from pipeline_management.models import Heartbeat
from pipeline_management.services.clients import pool

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
FORGET_AFTER = timedelta(days=1)


class Heart:
    """Writes `<kind>:<host>:<pid>` into the heartbeat table every `PERIOD_SECONDS` until stopped.

    A database that is away is tried again at the next beat. On a clean stop the row is removed, so
    that `/readyz` tells a stopped process at once from one that hangs; rows of processes that were
    killed are removed after a day by those that live.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = f"{kind}:{socket.gethostname()[:40]}:{os.getpid()}"
        self._since = datetime.now(UTC).isoformat()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{kind}", daemon=True)

    def start(self) -> None:
        """Begin to beat; the first sign is given at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and remove the row; waits for a beat in progress."""
        self._stop.set()
        self._thread.join(timeout=5)

    def beat(self) -> None:
        """Give one sign of life. Raises DatabaseError or InterfaceError when the database is away."""
        now = datetime.now(UTC)
        data = {"since": self._since, "connections": pool.statistics().open_now}
        Heartbeat.objects.update_or_create(name=self.name, defaults={"at": now, "data": data})
        Heartbeat.objects.filter(
            name__startswith=f"{self.kind}:", at__lt=now - FORGET_AFTER
        ).delete()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._safely(self.beat)
            self._stop.wait(PERIOD_SECONDS)
        self._safely(Heartbeat.objects.filter(name=self.name).delete)
        connection.close()

    def _safely(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Error as error:
            logger.warning("heartbeat of %s: the database is away: %s", self.name, error)
            connection.close()


def _start(kind: str) -> None:
    heart = Heart(kind)
    heart.start()
    atexit.register(heart.stop)


@worker_ready.connect
def _worker_lives(**_: object) -> None:
    _start("worker")


@beat_init.connect
def _beat_lives(**_: object) -> None:
    _start("beat")
