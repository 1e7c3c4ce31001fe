"""Is the process up (`/healthz`), can Centro do its work (`/readyz`)?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline_management.models import Heartbeat

# Heartbeats are written every few seconds; three in a row must be missing before a part counts as down.
STALE_AFTER = timedelta(seconds=30)
PROBE_SECONDS = 0.5

State = dict[str, Any]


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers at all; asks nothing else."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Every part with its state; 200 if all are ok, 503 otherwise."""
    parts = {"database": _timed(_database), "redis": _timed(_redis)}
    parts |= _processes(parts["database"]["ok"])
    ready = all(part["ok"] for part in parts.values())
    response = JsonResponse(
        {"status": "ready" if ready else "not ready", "parts": parts}, status=200 if ready else 503
    )
    # Django logs every 5xx as an error; probes come every few seconds and say it themselves.
    response._has_been_logged = True  # type: ignore[attr-defined]  # django.utils.log.log_response reads it
    return response


def _timed(probe: Callable[[], str]) -> State:
    """Run a probe; it returns what it found, or raises with what is wrong."""
    start = time.perf_counter()
    try:
        detail, ok = probe(), True
    except (DatabaseError, redis.RedisError, OSError) as error:
        # The type only: a driver's message may name users, hosts and paths, and this page is public.
        detail, ok = type(error).__name__, False
    return {
        "ok": ok,
        "detail": detail,
        "milliseconds": round(1000 * (time.perf_counter() - start), 1),
    }


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.display_name


@lru_cache(maxsize=1)
def redis_client(url: str) -> redis.Redis:
    """A client that gives up at once: no retries, short time limits. Connections are kept and shared."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=PROBE_SECONDS,
        socket_timeout=PROBE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def _redis() -> str:
    redis_client(settings.CENTRO_REDIS_URL).ping()
    return "answers"


def _processes(database_ok: bool) -> dict[str, State]:
    """State of worker, beat and sweeps by the age of their heartbeat rows."""
    names = ("worker", "beat", "sweeps")
    if not database_ok:
        return dict.fromkeys(names, {"ok": False, "detail": "unknown while the database is away"})
    try:
        signs = [Sign(*row) for row in Heartbeat.objects.values_list("name", "at", "data")]
    except DatabaseError as error:
        return dict.fromkeys(names, {"ok": False, "detail": type(error).__name__})
    return {
        "worker": process_state("worker", signs),
        "beat": process_state("beat", signs),
        "sweeps": sweeps_state(signs),
    }


class Sign(NamedTuple):
    """One heartbeat row; times are aware."""

    name: str
    at: datetime | None
    data: dict[str, Any]


def process_state(kind: str, signs: Iterable[Sign]) -> State:
    """Whether a process of this kind (rows `<kind>:<host>:<pid>`) lives; the youngest row counts."""
    return _by_age([sign.at for sign in signs if sign.at and sign.name.startswith(f"{kind}:")])


def sweeps_state(signs: Iterable[Sign]) -> State:
    """Whether sweeps sent by beat arrive in a worker: the chain beat, Redis, worker, database works.

    Sweeps write the row `worker`. While a beat is younger than the limit its first sweep may be still to come.
    """
    signs = list(signs)
    state = _by_age([sign.at for sign in signs if sign.at and sign.name == "worker"])
    if not state["ok"] and any(_is_new(sign) for sign in signs if sign.name.startswith("beat:")):
        return {"ok": True, "detail": "beat has just started"}
    return state


def _is_new(sign: Sign) -> bool:
    since = sign.data.get("since")
    return since is not None and datetime.now(UTC) - datetime.fromisoformat(since) < STALE_AFTER


def _by_age(times: list[datetime]) -> State:
    if not times:
        return {"ok": False, "detail": "no sign of life yet"}
    age = datetime.now(UTC) - max(times)
    seconds = max(0, round(age.total_seconds()))
    detail = f"last sign of life {seconds} s ago"
    return {"ok": age <= STALE_AFTER, "detail": detail, "age_seconds": seconds}
