"""A Redis cache that a dead Redis slows down only once in a while and never breaks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

# A local Redis answers in well under a millisecond; a request must not wait for one that does not.
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.5
# How long Redis is left alone after a failure.
REST_SECONDS = 5.0


class ResilientCache(RedisCache):
    """Redis with the process's own memory behind it.

    After a failed call the memory answers for `REST_SECONDS`, then Redis is tried again. What was
    stored meanwhile stays in this process: counters (throttling) are then per process, and cached
    values are recomputed. No method raises because Redis is away.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            **params.get("OPTIONS", {}),
        }
        super().__init__(server, {**params, "OPTIONS": options})
        self._memory = LocMemCache(
            f"fallback:{server}", {k: v for k, v in params.items() if k != "OPTIONS"}
        )
        self._rest_until = 0.0

    def _try(self, method: str, *args: Any, **kwargs: Any) -> Any:
        fallback: Callable[..., Any] = getattr(self._memory, method)
        if time.monotonic() < self._rest_until:
            return fallback(*args, **kwargs)
        try:
            return getattr(super(), method)(*args, **kwargs)
        except (RedisError, OSError) as error:
            self._rest_until = time.monotonic() + REST_SECONDS
            logger.warning("cache: Redis does not answer, using process memory: %s", error)
            return fallback(*args, **kwargs)

    def add(self, key: str, value: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(self._try("add", key, value, *args, **kwargs))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._try("get", key, default, version=version)

    def set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> None:
        self._try("set", key, value, *args, **kwargs)

    def touch(self, key: str, *args: Any, **kwargs: Any) -> bool:
        return bool(self._try("touch", key, *args, **kwargs))

    def delete(self, key: str, version: int | None = None) -> bool:
        return bool(self._try("delete", key, version=version))

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        return dict(self._try("get_many", list(keys), version=version))

    def set_many(self, data: Mapping[str, Any], *args: Any, **kwargs: Any) -> list[str]:
        return list(self._try("set_many", data, *args, **kwargs))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        self._try("delete_many", list(keys), version=version)

    def has_key(self, key: str, version: int | None = None) -> bool:
        return bool(self._try("has_key", key, version=version))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError for an unknown key, as every Django cache does."""
        return int(self._try("incr", key, delta, version=version))

    def clear(self) -> None:
        """Drop this cache's keys only: Celery's queues live in the same Redis."""
        self._memory.clear()
        try:
            client = self._cache.get_client(None, write=True)
            for key in client.scan_iter(match=f"{self.key_prefix}:*", count=500):
                client.delete(key)
        except (RedisError, OSError) as error:
            logger.warning("cache: not cleared, Redis does not answer: %s", error)
