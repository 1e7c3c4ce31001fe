"""The cache with Redis away: answers from memory, never raises, never waits for long."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from centro.cache import REST_SECONDS, ResilientCache


@pytest.fixture
def dead() -> Iterator[ResilientCache]:
    """A cache whose Redis refuses connections."""
    cache = ResilientCache("redis://127.0.0.1:1/0", {"KEY_PREFIX": "t"})
    yield cache
    cache.clear()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_every_method_works_without_redis(dead: ResilientCache) -> None:
    dead.set("a", 1)
    assert dead.get("a") == 1
    assert dead.add("a", 2) is False
    assert dead.add("b", {"x": [1]}, timeout=10) is True
    assert dead.get_many(["a", "b"]) == {"a": 1, "b": {"x": [1]}}
    assert dead.set_many({"c": 3}) == []
    assert dead.has_key("c")
    assert "c" in dead
    assert dead.touch("c", 5) is True
    assert dead.incr("a") == 2
    assert dead.decr("a") == 1
    assert dead.delete("a") is True
    dead.delete_many(["b", "c"])
    assert dead.get("b", "gone") == "gone"
    assert dead.get_or_set("d", lambda: 4) == 4
    dead.clear()
    assert dead.get("d") is None


def test_unknown_counter_is_still_an_error(dead: ResilientCache) -> None:
    with pytest.raises(ValueError, match="not found"):
        dead.incr("nothing")


def test_silent_redis_costs_one_short_wait(silent: str) -> None:
    cache = ResilientCache(silent, {})
    start = time.monotonic()
    for number in range(50):
        cache.set(f"k{number}", number)
    assert time.monotonic() - start < 1.5
    assert cache.get("k49") == 49
    cache.clear()


def test_redis_is_tried_again_after_a_rest(dead: ResilientCache, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def fail(self: Any, key: str, *_: Any, **__: Any) -> None:
        tries.append(key)
        raise RedisConnectionError("away")

    monkeypatch.setattr("django.core.cache.backends.redis.RedisCache.get", fail)
    now = [1000.0]
    monkeypatch.setattr("centro.cache.time.monotonic", lambda: now[0])
    dead.get("a")
    dead.get("b")
    assert tries == ["a"]
    now[0] += REST_SECONDS + 0.1
    dead.get("c")
    assert tries == ["a", "c"]


def test_errors_of_the_caller_are_not_hidden(dead: ResilientCache) -> None:
    with pytest.raises(TypeError):
        dead.set("a", 1, nonsense=True)
