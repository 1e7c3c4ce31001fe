"""Signs of life of worker and beat: one row per host and kind, renewed by a thread of the process."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
from datetime import UTC, datetime
from typing import Any

from celery.signals import beat_init, worker_ready

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0


class Heart:
    """Writes `<kind>:<host>` into the heartbeat table every `PERIOD_SECONDS` until stopped.

    A database that is away is tried again at the next beat. On a clean stop the row is removed, so
    that `/readyz` tells a stopped process at once from one that hangs.
    """

    def __init__(self, kind: str) -> None:
        self.name = f"{kind}:{socket.gethostname()}"[:64]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{kind}", daemon=True)

    def start(self) -> None:
        """Begin to beat; the first sign is given at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and remove the row; waits for a beat in progress."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        from django.db import Error, connection

        from pipeline_management.models import Heartbeat

        while True:
            try:
                if self._stop.is_set():
                    Heartbeat.objects.filter(name=self.name).delete()
                    break
                Heartbeat.objects.update_or_create(
                    name=self.name, defaults={"at": datetime.now(UTC), "data": self._data()}
                )
            except Error as error:
                logger.warning("heartbeat of %s not written: %s", self.name, error)
                connection.close()
                if self._stop.is_set():
                    break
            self._stop.wait(PERIOD_SECONDS)
        connection.close()

    @staticmethod
    def _data() -> dict[str, Any]:
        return {"pid": os.getpid()}


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
