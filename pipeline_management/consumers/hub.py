"""One per web process: hears of events, reads them once for all who watch the run, and hands them out."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.contrib.auth.models import User
from django.db import Error, close_old_connections, connections

from pipeline_management.consumers.bell import Bell
from pipeline_management.consumers.codes import FORBIDDEN, LOGGED_OUT
from pipeline_management.consumers.mailbox import Letter, Mailbox
from pipeline_management.models import Run, RunEvent, Transfer
from pipeline_management.services import watching

logger = logging.getLogger(__name__)
T = TypeVar("T")

DATABASE_THREADS = 3
SOCKETS = 2000
"""Websockets of one process, of all people together."""
LIST_SECONDS = 0.25
"""Changes of lists are gathered so long: a list shows many runs, and one read serves all who watch."""
LOOK_SECONDS = 10.0
LOOK_SECONDS_DEAF = 2.0
"""How often the database is asked for what was not announced, with and without Redis."""
CANCEL_SECONDS = 0.5


class Watcher(Protocol):
    """Who holds a websocket."""

    user: User
    key: str

    def check(self) -> User | None:
        """Reads the database: the person, if the session or token still stands for him."""


class Words(Protocol):
    """How runs and events are told: the same words as in the API."""

    def event(self, event: RunEvent) -> str:
        """The message of one event, as JSON."""

    def run(self, run: Run, kind: str) -> str:
        """The message ``kind`` with the run as lists show it, as JSON."""

    def runs(self, runs: list[Run]) -> str:
        """The snapshot of a list, as JSON."""

    def transfer(self, transfer: Transfer) -> str:
        """The message of one transfer, as JSON."""

    def transfers(self, transfers: list[Transfer]) -> str:
        """The snapshot of a person's transfers, as JSON."""


@dataclass(slots=True)
class _Watched:
    """A run that somebody watches: what has been handed out, and to whom."""

    seq: int
    mailboxes: set[Mailbox] = field(default_factory=set)


class Hub:
    """All watchers of this process. Everything but the reads happens in the event loop's own thread."""

    def __init__(self, words: Words, per_person: int, threads: int = DATABASE_THREADS) -> None:
        self.words = words
        self._per_person = per_person
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="watch")
        self._people: Counter[int] = Counter()
        self._runs: dict[UUID, _Watched] = {}
        self._lists: dict[Mailbox, User] = {}
        self._open: set[Mailbox] = set()
        self._dirty: set[UUID] = set()
        self._changed: set[UUID] = set()
        self._wake_reader = asyncio.Event()
        self._wake_lister = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._checks: dict[tuple[str, UUID | None], asyncio.Task[int]] = {}
        self._bell = Bell(self._heard, self._missed)

    async def database(self, read: Callable[..., T], *arguments: Any) -> T:
        """Do a read of the database in one of few threads. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, _in_thread, read, *arguments
        )

    # who is there

    def admit(self, watcher: Watcher, mailbox: Mailbox) -> int:
        """Count a websocket; returns 0, or the HTTP status with which to refuse it: the person (429), or
        everybody together (503), has too many."""
        if self._people[watcher.user.pk] >= self._per_person:
            return 429
        if len(self._open) >= SOCKETS:
            return 503
        self._people[watcher.user.pk] += 1
        self._open.add(mailbox)
        if not self._tasks:
            work = (self._bell.listen(), self._reading(), self._listing(), self._looking())
            self._tasks = [asyncio.create_task(each) for each in work]
        return 0

    def leave(self, watcher: Watcher, mailbox: Mailbox, run_id: UUID | None) -> None:
        """Forget a websocket; doing so twice is no harm."""
        if mailbox not in self._open:
            return
        self._open.discard(mailbox)
        self._people[watcher.user.pk] -= 1
        self._people += Counter()  # drops the zeros
        self._lists.pop(mailbox, None)
        watched = self._runs.get(run_id) if run_id else None
        if run_id and watched:
            watched.mailboxes.discard(mailbox)
            if not watched.mailboxes:
                del self._runs[run_id]

    def watch_run(self, mailbox: Mailbox, run_id: UUID, seq: int) -> None:
        """From now on hand out events of the run; those up to ``seq`` are known, what was committed up to
        this moment has to be read by the caller, and may come a second time."""
        self._runs.setdefault(run_id, _Watched(seq)).mailboxes.add(mailbox)

    def watch_list(self, mailbox: Mailbox, user: User) -> None:
        """From now on hand out every change of a run that the person may see."""
        self._lists[mailbox] = user

    async def check(self, watcher: Watcher, run_id: UUID | None) -> int:
        """0, or the code with which to close: logged out, or the run may not be seen any more. One look for
        all websockets of a session or token that ask at the same time. Raises database errors."""
        key = (watcher.key, run_id)
        task = self._checks.get(key)
        if task is None:
            task = asyncio.create_task(self.database(_check, watcher, run_id))
            self._checks[key] = task
            task.add_done_callback(lambda _: self._checks.pop(key, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """The process ends: stop listening and reading. The server has cut the websockets by then."""
        # More than once where needed: a wait_for of Python 3.11 loses a cancellation that comes together with
        # what it waits for, and the Redis client sends its commands in one.
        left = set(self._tasks)
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
        self._tasks = []
        await self.database(connections.close_all)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # what happens

    def _heard(self, run_ids: list[UUID]) -> None:
        if watched := [run_id for run_id in run_ids if run_id in self._runs]:
            self._dirty.update(watched)
            self._wake_reader.set()
        if self._lists:
            self._changed.update(run_ids)
            self._wake_lister.set()

    def _missed(self) -> None:
        self._heard(list(self._runs))

    async def _reading(self) -> None:
        """Read the new events of watched runs, once each, and hand them out in order."""
        while True:
            await self._wake_reader.wait()
            self._wake_reader.clear()
            marks = {
                run_id: self._runs[run_id].seq for run_id in self._dirty if run_id in self._runs
            }
            self._dirty.clear()
            try:
                letters = await self.database(self._letters, marks)
            except Error as error:
                logger.warning("events are not read, the database is away: %s", error)
                await asyncio.sleep(1)
                self._heard(list(marks))
                continue
            for run_id, found in letters.items():
                self._hand_out(run_id, found)

    def _letters(self, marks: dict[UUID, int]) -> dict[UUID, list[Letter]]:
        found: dict[UUID, list[Letter]] = {}
        for event in watching.events_of(marks):
            found.setdefault(event.run_id, []).append(self.letter(event))
        return found

    def letter(self, event: RunEvent) -> Letter:
        """One event as it is sent."""
        return Letter(self.words.event(event), event.seq, event.to_state)

    def _hand_out(self, run_id: UUID, letters: list[Letter]) -> None:
        watched = self._runs.get(run_id)
        if watched is None:
            return
        for letter in letters:
            if letter.seq > watched.seq:
                watched.seq = letter.seq
                for mailbox in list(watched.mailboxes):
                    mailbox.put(letter)
        if len(letters) >= watching.PAGE:
            self._heard([run_id])

    async def _listing(self) -> None:
        """Tell the watchers of lists which runs have changed."""
        while True:
            await self._wake_lister.wait()
            await asyncio.sleep(LIST_SECONDS)
            self._wake_lister.clear()
            changed, self._changed = self._changed, set()
            people = {user.pk: user for user in self._lists.values()}
            try:
                letters, seen = await self.database(self._rows, changed, list(people.values()))
            except Error as error:
                logger.warning("changes are not read, the database is away: %s", error)
                await asyncio.sleep(1)
                self._heard(list(changed))
                continue
            for mailbox, user in list(self._lists.items()):
                for run_id in seen.get(user.pk, set()) & letters.keys():
                    mailbox.put(letters[run_id])

    def _rows(
        self, run_ids: set[UUID], people: list[User]
    ) -> tuple[dict[UUID, Letter], dict[int, set[UUID]]]:
        runs, seen = watching.rows_of(run_ids, people)
        return {run.pk: Letter(self.words.run(run, "run"), run.event_seq) for run in runs}, seen

    async def _looking(self) -> None:
        """Find what no announcement has told of."""
        row = 0
        while True:
            try:
                row = await self._look(row)
            except Error as error:
                logger.warning("watched runs are not looked at, the database is away: %s", error)
            await asyncio.sleep(LOOK_SECONDS if self._bell.listening else LOOK_SECONDS_DEAF)

    async def _look(self, row: int) -> int:
        if not self._bell.listening and self._lists:
            if not row:
                return await self.database(watching.last_event_row)
            changed, last = await self.database(watching.runs_changed_after, row)
            if last > row:
                self._heard(list(changed))
            row = last
        elif self._bell.listening:
            row = await self.database(watching.last_event_row) if self._lists else 0
        if self._runs:
            newest = await self.database(watching.newest_events, list(self._runs))
            self._heard(
                [k for k, seq in newest.items() if k in self._runs and seq > self._runs[k].seq]
            )
        return row


def _in_thread(read: Callable[..., T], *arguments: Any) -> T:
    close_old_connections()
    try:
        return read(*arguments)
    finally:
        close_old_connections()


def _check(watcher: Watcher, run_id: UUID | None) -> int:
    user = watcher.check()
    if user is None or user.pk != watcher.user.pk:
        return LOGGED_OUT
    return 0 if run_id is None or watching.may_see(user, run_id) else FORBIDDEN
