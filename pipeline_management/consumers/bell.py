"""The one subscription of a process to announcements of events; heard or not, the database has the events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from django.conf import settings
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pipeline_management.services.announcing import channel

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 15.0
"""After this much silence Redis is asked for a sign of life; when none comes it is connected anew."""
AGAIN_SECONDS = (0.2, 1.0, 2.0, 5.0)


class Bell:
    """Calls ``heard`` with the runs that have new events, and ``missed`` when some may not have been heard of."""

    def __init__(self, heard: Callable[[list[UUID]], None], missed: Callable[[], None]) -> None:
        self._heard = heard
        self._missed = missed
        self.listening = False

    async def listen(self) -> None:
        """Listen for ever; connects anew after every trouble."""
        failures = 0
        while True:
            try:
                await self._until_trouble()
            except (RedisError, OSError, TimeoutError) as error:
                if self.listening:
                    failures = 0
                    logger.warning(
                        "events are not heard of at once, Redis does not answer: %s", error
                    )
                self.listening = False
            await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
            failures += 1

    async def _until_trouble(self) -> None:
        client = Redis.from_url(
            settings.CENTRO_REDIS_URL,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )
        pubsub = client.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(channel())
            self.listening = True
            self._missed()
            silent = False
            while True:
                message = await pubsub.get_message(timeout=SILENCE_SECONDS)
                if message is not None:
                    silent = False
                    self._take(message)
                elif silent:
                    raise TimeoutError("no sign of life")
                else:
                    silent = True
                    await pubsub.ping()
        finally:
            with suppress(RedisError, OSError):
                await pubsub.aclose()
                await client.aclose()

    def _take(self, message: dict[str, object]) -> None:
        if message.get("type") != "message":
            return
        try:
            entries = json.loads(message["data"])  # type: ignore[arg-type]  # bytes, by the library
            self._heard([UUID(entry["run"]) for entry in entries])
        except (ValueError, KeyError, TypeError):
            logger.warning("not an announcement of events: %.100r", message.get("data"))
