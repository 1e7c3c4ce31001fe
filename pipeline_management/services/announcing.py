"""Tell the watchers at once that a run has new events: one small message on Redis after commit.

The message carries no content, only where to look: a JSON array of ``{"run": uuid, "seq": n, "type": word}``,
one entry per run with its newest event. Whoever watches reads the database; so a message that is lost, late or
doubled costs speed only, and so does a Redis that is away.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline_management.models import RunEvent

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.5
"""Longest wait for Redis: the request or the poller that wrote the event goes on after it."""
REST_SECONDS = 5.0
"""How long a Redis that has failed is left alone."""

_rest_until = 0.0


def announce(run_id: UUID, seq: int, type: str) -> None:
    """Announce event ``seq`` of a run once the current transaction is committed, at once outside of one."""
    _on_commit([{"run": str(run_id), "seq": seq, "type": type}])


def announce_all(events: Iterable[RunEvent]) -> None:
    """The same for events just written, of any number of runs, in one message."""
    newest: dict[UUID, RunEvent] = {}
    for event in events:
        known = newest.get(event.run_id)
        if known is None or known.seq < event.seq:
            newest[event.run_id] = event
    if newest:
        _on_commit([{"run": str(e.run_id), "seq": e.seq, "type": e.type} for e in newest.values()])


def channel() -> str:
    """Where the messages go. Redis shares channels among its numbered databases, so the number is in the name."""
    parts = urlsplit(settings.CENTRO_REDIS_URL)
    number = parse_qs(parts.query).get("db", [""])[0] or parts.path.strip("/")
    return f"centro:{number if number.isdigit() else 0}:run-events"


def _on_commit(entries: list[dict[str, str | int]]) -> None:
    transaction.on_commit(lambda: _publish(json.dumps(entries, separators=(",", ":"))))


def _publish(message: str) -> None:
    global _rest_until
    if time.monotonic() < _rest_until:
        return
    try:
        _client(settings.CENTRO_REDIS_URL).publish(channel(), message)
    except (redis.RedisError, OSError) as error:
        _rest_until = time.monotonic() + REST_SECONDS
        logger.warning("events are not announced, Redis does not answer: %s", error)


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
