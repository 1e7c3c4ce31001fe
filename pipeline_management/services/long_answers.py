"""Long answers of FirecREST tasks, stored once however many tasks have them, and written as JSON once.

Many clients ask for the same queue: each gets a task of its own, and all tasks the same answer (ADR 0008).
An answer goes by the digest of its text. The texts that were asked for lately stay in the process.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from pipeline_management.models import SharedAnswer

LONG = 4096
"""Characters from which an answer is worth sharing."""
TOUCHED = 600.0
"""Seconds for which a process relies on an answer being in the database; far less than ``UNUSED``."""
UNUSED = timedelta(hours=1)
"""How long an answer without a task is kept."""
MEMORY = 32 * 1024 * 1024
"""Characters of text that a process keeps."""
_MADE = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """A long answer that is in the database."""

    digest: str


class _Texts:
    """Texts by their digests, the ones used last, within ``MEMORY``; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def get(self, digest: str) -> str | None:
        with self._lock:
            text = self._texts.get(digest)
            if text is not None:
                self._texts.move_to_end(digest)
            return text

    def add(self, digest: str, text: str) -> None:
        with self._lock:
            if digest not in self._texts:
                self._texts[digest] = text
                self._size += len(text)
            while self._size > MEMORY:
                self._size -= len(self._texts.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._texts.clear()
            self._size = 0


_texts = _Texts()
_touched: OrderedDict[str, float] = OrderedDict()
_made: OrderedDict[Hashable, tuple[object, object]] = OrderedDict()
_lock = threading.Lock()


def keep(data: object) -> Stored | object:
    """``data`` itself if it is short, else what stands for it in the database. Writes to the database."""
    if isinstance(data, Stored) or not isinstance(data, dict | list):
        return data
    text = as_json(data)
    if len(text) < LONG:
        return data
    digest = hashlib.sha256(text.encode()).hexdigest()
    _texts.add(digest, text)
    now = time.monotonic()
    with _lock:
        if now - _touched.get(digest, float("-inf")) < TOUCHED:
            return Stored(digest)
    _store(digest, text)
    with _lock:
        _touched[digest] = now
        while len(_touched) > 1024:
            _touched.popitem(last=False)
    return Stored(digest)


def once(source: object, key: Hashable, make: Callable[[], object]) -> Stored | object:
    """What ``make()`` makes of ``source``, kept, and made only once for this object and ``key``.

    ``source`` must not change. Raises what ``make`` raises.
    """
    name = (id(source), key)
    with _lock:
        # the source is held so that no other object gets its id
        known, found = _made.get(name, (None, None))
        if known is source and (not isinstance(found, Stored) or _is_fresh(found)):
            return found
    found = keep(make())
    with _lock:
        _made[name] = (source, found)
        while len(_made) > _MADE:
            _made.popitem(last=False)
    return found


def text_of(digest: str) -> str:
    """The answer as JSON; one query if this process has not had it lately."""
    text = _texts.get(digest)
    if text is None:
        text = SharedAnswer.objects.values_list("text", flat=True).get(pk=digest)
        _texts.add(digest, text)
    return text


def as_json(data: object) -> str:
    """JSON as Django's own answers write it."""
    return json.dumps(data, cls=DjangoJSONEncoder)


def delete_unused() -> int:
    """Forget the answers that no task has any more; returns how many."""
    before = timezone.now() - UNUSED
    unused = SharedAnswer.objects.filter(used_at__lt=before, api_tasks__isnull=True)
    return unused.delete()[0]


def forget() -> None:
    """Forget what this process keeps."""
    _texts.clear()
    with _lock:
        _touched.clear()
        _made.clear()


def _store(digest: str, text: str) -> None:
    """Several threads and processes may store the same text at once: looking first and inserting then would
    make them wait for each other in a circle."""
    now = timezone.now()
    SharedAnswer.objects.bulk_create(
        [SharedAnswer(digest=digest, text=text, used_at=now)], ignore_conflicts=True
    )
    SharedAnswer.objects.filter(pk=digest, used_at__lt=now).update(used_at=now)


def _is_fresh(stored: Stored) -> bool:
    return time.monotonic() - _touched.get(stored.digest, float("-inf")) < TOUCHED
