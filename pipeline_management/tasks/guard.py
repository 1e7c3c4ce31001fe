"""What every task has in common: a database that is away is logged in one line, not raised."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec

from celery import shared_task
from django.db import InterfaceError, OperationalError, close_old_connections

P = ParamSpec("P")
logger = logging.getLogger(__name__)


def task(name: str) -> Callable[[Callable[P, object]], Callable[P, None]]:
    """Register a function as a Celery task of this name.

    A lost database connection ends the task quietly: the row is still there, its lease runs out, and a
    sweep rings again.
    """

    def register(function: Callable[P, object]) -> Callable[P, None]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            close_old_connections()
            try:
                function(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                logger.warning("%s: the database is away: %s", name, error)
                close_old_connections()

        registered: Callable[P, None] = shared_task(name=name, ignore_result=True)(guarded)
        return registered

    return register
