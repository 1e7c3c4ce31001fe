"""Short transactions that survive a deadlock."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction

T = TypeVar("T")
logger = logging.getLogger(__name__)

_TRIES = 5
_RETRYABLE = {1205, 1213}  # MariaDB: lock wait time-out, deadlock; both rolled the whole transaction back


def _is_retryable(error: OperationalError) -> bool:
    code = error.args[0] if error.args else None
    return code in _RETRYABLE or "database is locked" in str(error)


def atomically(work: Callable[[], T]) -> T:
    """Run ``work`` in one transaction; after a deadlock run it again, up to 5 times with a growing random pause.

    ``work`` must do nothing but read and write the database. Inside an outer transaction it runs once,
    since a deadlock there has undone the outer work too.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if attempt == _TRIES or connection.in_atomic_block or not _is_retryable(error):
                raise
            logger.info("transaction is done again after: %s", error)
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311  jitter, not a secret
    raise AssertionError("unreachable")
