"""The two websockets: one run with its events, and the list of runs."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.consumers import codes
from pipeline_management.consumers.hub import Hub, Watcher
from pipeline_management.consumers.mailbox import Letter, Mailbox
from pipeline_management.models import Run
from pipeline_management.services import watching

logger = logging.getLogger(__name__)

LARGEST_MESSAGE = 4096
MESSAGES_PER_BEAT = 60
OVER_SECONDS = 60.0
"""A run that is over is told of for so long after its last event."""
GOODBYE_SECONDS = 10.0
"""How long a client that does not read may take to hear why it is dropped."""


class LiveConsumer(AsyncWebsocketConsumer):
    """What both have in common: admission, heartbeat, limits, and how they end.

    ``scope["watcher"]`` is who asks. Nothing that a client sends has a meaning; little of it is borne with.
    """

    run_id: UUID | None = None

    def __init__(self, hub: Hub, heartbeat: float) -> None:
        super().__init__()
        self.hub = hub
        self.heartbeat = heartbeat
        self.mailbox = Mailbox(self._end)
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._received = 0

    @property
    def watcher(self) -> Watcher:
        watcher: Watcher = self.scope["watcher"]
        return watcher

    async def connect(self) -> None:
        """Refuse by an HTTP status, or accept and begin to tell."""
        try:
            first = await self.prepare()
        except Error as error:
            logger.warning("a websocket is refused, the database is away: %s", error)
            await codes.deny_and_stop(
                self.base_send, 503, "The database cannot be reached; try again soon."
            )
        if status := self.hub.admit(self.watcher, self.mailbox):
            await codes.deny_and_stop(
                self.base_send, status, "Too many websockets are open; close some and try again."
            )
        await self.accept()
        self._task = asyncio.create_task(self._run(first))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Close on what is too large or too much."""
        self._received += 1
        if max(len(text_data or ""), len(bytes_data or b"")) > LARGEST_MESSAGE:
            self.mailbox.end(codes.TOO_LARGE)
        elif self._received > MESSAGES_PER_BEAT:
            self.mailbox.end(codes.UNEXPECTED)

    async def disconnect(self, code: int) -> None:
        """The client has gone."""
        self._forget()
        if self._task:
            self._task.cancel()

    # for the two

    async def prepare(self) -> Any:
        """What is needed to begin; denies and stops where the person may not, or asks for nonsense."""
        raise NotImplementedError

    async def begin(self, first: Any) -> None:
        """Send what is first, then have the hub fill the mailbox."""
        raise NotImplementedError

    async def tell(self, letter: Letter) -> None:
        """Send one message."""
        await self.send(letter.text)

    def over(self) -> bool:
        """Whether there is nothing more to come."""
        return False

    # the life of a websocket

    async def _run(self, first: Any) -> None:
        try:
            await self.begin(first)
            while True:
                await self._until_beat()
                self._received = 0
                if self.over():
                    self.mailbox.end(codes.OVER)
                now = timezone.now().isoformat()
                await self.send(f'{{"type":"heartbeat","at":"{now}"}}')
                if code := await self.hub.check(self.watcher, self.run_id):
                    self.mailbox.end(code)
        except Error as error:
            logger.warning("a websocket is closed, the database is away: %s", error)
            self.mailbox.end(codes.LATER)
        except (
            Exception
        ):  # a fault of ours: the client comes again, instead of waiting at a dead socket
            logger.exception("a websocket is closed")
            self.mailbox.end(codes.LATER)

    async def _until_beat(self) -> None:
        beat = time.monotonic() + self.heartbeat
        while (left := beat - time.monotonic()) > 0:
            for letter in await self.mailbox.take(left):
                await self.tell(letter)

    def _end(self, code: int) -> None:
        if self._task:
            self._task.cancel()
        self._closing = asyncio.create_task(self._say_goodbye(code))

    async def _say_goodbye(self, code: int) -> None:
        # Kept in the count until the client has heard it: one that does not read cannot simply come again.
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.close(code, codes.REASONS[code])
        except Exception as error:  # it has gone meanwhile, or does not read
            logger.debug("a websocket ended without a word: %r", error)
        self._forget()

    def _forget(self) -> None:
        self.hub.leave(self.watcher, self.mailbox, self.run_id)


class RunConsumer(LiveConsumer):
    """``/ws/runs/<id>/``: the run as it is, then every event; with ``?after=<seq>`` those after it first."""

    _sent = 0
    _final = False
    _last_event = 0.0

    async def prepare(self) -> Run:
        """The run; 400 for a wrong ``after``, 404 for a run that is not there or not the person's to see."""
        given = parse_qs(self.scope["query_string"].decode("latin-1")).get("after", [""])[-1]
        if given and not (given.isascii() and given.isdigit() and len(given) < 10):
            await codes.deny_and_stop(
                self.base_send, 400, "after: expected the number of an event, 0 or more."
            )
        run_id = self.scope["url_route"]["kwargs"]["run_id"]
        run = await self.hub.database(watching.visible_run, self.watcher.user, run_id)
        if run is None:
            await codes.deny_and_stop(
                self.base_send, 404, "There is no such run, or it is not yours to see."
            )
        assert run is not None  # noqa: S101  for mypy, which does not know that the line before raises
        self.run_id = run_id
        self._sent = min(int(given), run.event_seq) if given else run.event_seq
        self._final = RunState(run.state).is_terminal
        self._last_event = time.monotonic()
        return run

    async def begin(self, first: Run) -> None:
        """Snapshot, replay, and the changeover from reading oneself to being told: nothing lost or doubled."""
        assert self.run_id is not None  # noqa: S101  set by prepare
        await self.send(await self.hub.database(self.hub.words.run, first, "snapshot"))
        await self._catch_up()
        self.hub.watch_run(self.mailbox, self.run_id, self._sent)
        await self._catch_up()

    async def _catch_up(self) -> None:
        while True:
            letters = await self.hub.database(self._page)
            for letter in letters:
                await self.tell(letter)
            if len(letters) < watching.PAGE:
                return

    def _page(self) -> list[Letter]:
        assert self.run_id is not None  # noqa: S101  set by prepare
        return [self.hub.letter(event) for event in watching.events_after(self.run_id, self._sent)]

    async def tell(self, letter: Letter) -> None:
        """Send an event, unless it was sent before."""
        if letter.seq <= self._sent:
            return
        self._sent = letter.seq
        self._last_event = time.monotonic()
        if letter.state:
            self._final = RunState(letter.state).is_terminal
        await super().tell(letter)

    def over(self) -> bool:
        return self._final and time.monotonic() - self._last_event > OVER_SECONDS


class RunListConsumer(LiveConsumer):
    """``/ws/runs/``: the newest runs, then each run that the person may see whenever something happens to it."""

    async def prepare(self) -> None:
        """Nothing: the list may be empty, but everybody who is logged in has one."""

    async def begin(self, first: None) -> None:
        self.hub.watch_list(self.mailbox, self.watcher.user)
        await self.send(await self.hub.database(self._snapshot))

    def _snapshot(self) -> str:
        return self.hub.words.runs(watching.recent_runs(self.watcher.user))


class NowhereConsumer(AsyncWebsocketConsumer):
    """Any other address."""

    async def connect(self) -> None:
        with suppress(ConnectionError):
            await codes.deny_and_stop(self.base_send, 404, "There is no websocket at this address.")
