"""Who may do what, remembered for a few seconds: the same question comes with every request of a program.

Two look-ups of this kind were most of a small request's time (ADR 0010). What is remembered counts for
``LIFETIME`` seconds at most, and only while the stamp in the shared cache is the one that was there before
the database was read: whoever saves or deletes a person, a client, a system, an account or a credential
sets a new one on commit. Where the shared cache is away, and for changes made past Django, the lifetime
alone counts.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from django.core.cache import cache
from django.db import models, transaction
from django.db.models.signals import post_delete, post_save

T = TypeVar("T")

LIFETIME = 5.0
"""Seconds."""
LOOK = 0.05
"""Seconds between two looks at the stamp: a change made by another process is seen so much later."""
_STAMP = "standing"
_STAMP_SECONDS = 7 * 24 * 3600
_LOGGED_IN = frozenset({"last_login"})

_all: WeakSet[Remembered[Any]] = WeakSet()
_last_look: tuple[float, object] = (float("-inf"), None)


class Remembered(Generic[T]):
    """What ``read`` found for a key, at most ``most`` of them; safe for threads."""

    def __init__(self, most: int = 1024, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, tuple[T, object, float]] = OrderedDict()
        _all.add(self)

    def get(self, key: Hashable, read: Callable[[], T | None]) -> T | None:
        """What is remembered of ``key``, else what ``read()`` finds. None and exceptions are not kept."""
        stamp, now = _stamp(), self._clock()
        with self._lock:
            value, seen, until = self._found.get(key, (None, None, 0.0))
        if value is not None and seen == stamp and now < until:
            return value
        found = read()
        with self._lock:
            self._found.pop(key, None)
            if found is not None:
                self._found[key] = (found, stamp, now + LIFETIME)
                if len(self._found) > self._most:
                    self._found.popitem(last=False)
        return found

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._found.clear()


def forget() -> None:
    """Forget everything that this process remembers."""
    global _last_look
    _last_look = (float("-inf"), None)
    for remembered in _all:
        remembered.clear()


def watch(*kinds: type[models.Model]) -> None:
    """Have changes of rows of these models end what is remembered, in every process."""
    for kind in kinds:
        post_save.connect(_saved, sender=kind, dispatch_uid=f"remembered:{kind.__name__}")
        post_delete.connect(_deleted, sender=kind, dispatch_uid=f"remembered:{kind.__name__}")


def _stamp() -> object:
    """As it is in the shared cache, or was a moment ago. Threads may look at once; each is right."""
    global _last_look
    at, stamp = _last_look
    now = time.monotonic()
    if now - at >= LOOK:
        stamp = cache.get(_STAMP)
        _last_look = (now, stamp)
    return stamp


def _saved(update_fields: frozenset[str] | None = None, **_: Any) -> None:
    if not (update_fields and update_fields <= _LOGGED_IN):
        _changed()


def _deleted(**_: Any) -> None:
    _changed()


def _changed() -> None:
    forget()  # for what the same transaction asks next
    transaction.on_commit(_set_stamp)


def _set_stamp() -> None:
    forget()
    cache.set(_STAMP, secrets.token_hex(8), _STAMP_SECONDS)
