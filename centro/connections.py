"""Closes the database connections of threads that have ended.

Django keeps one connection per thread and relies on the thread's end to free it. Granian's threads end
when idle without giving up their Python state, so their connections would stay open: measured, 16 more
after every idle time. Here each new connection is the occasion to close those whose thread is gone.
"""

from __future__ import annotations

import logging
import threading
import weakref
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

logger = logging.getLogger(__name__)

TASKS = Path("/proc/self/task")

_lock = threading.Lock()
_owners: weakref.WeakKeyDictionary[BaseDatabaseWrapper, int] = weakref.WeakKeyDictionary()


def close_orphans() -> int:
    """Close the connections whose thread no longer exists; returns how many."""
    if not TASKS.is_dir():
        return 0  # not Linux: cannot tell
    living = {int(entry.name) for entry in TASKS.iterdir()}
    with _lock:
        orphans = [wrapper for wrapper, thread in _owners.items() if thread not in living]
        for wrapper in orphans:
            del _owners[wrapper]
    for wrapper in orphans:
        wrapper.inc_thread_sharing()  # nobody else can use it any more
        wrapper.close()
    return len(orphans)


def remember(sender: type[BaseDatabaseWrapper], connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Note which thread opened a connection, after closing what ended threads have left."""
    if closed := close_orphans():
        logger.debug("closed %d database connections of ended threads", closed)
    with _lock:
        _owners[connection] = threading.get_native_id()


connection_created.connect(remember, dispatch_uid="centro.connections")
