"""Where somebody may look at files of a system: as whom, and within which directories.

A person looks with an account of his own wherever that account may read; who may see a run looks into the run's
directories, and nowhere else, with the account that the run acted as. Everything here asks the system once and
raises ``DomainError`` with a sentence for people.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import User

from hpc.commands import MIB, Command
from hpc.errors import FileMissing, NotADirectory
from hpc.files import browsing
from hpc.files.browsing import Directory, Match, Peek, Seen
from hpc.files.names import NameBook
from hpc.files.places import download_source
from pipeline_management.choices import RunKind
from pipeline_management.errors import Conflict, DomainError, Missing, NotAllowed, Unavailable
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import system_access
from pipeline_management.services.clients import client_for, limits_of
from pipeline_management.services.file_refusals import translated
from pipeline_management.services.system_access import Verdict

T = TypeVar("T")

PIECE = 2 * MIB
"""Bytes that a download takes at once."""
PATIENCE = 1.0
_books: dict[int, NameBook] = {}
_seats: dict[int, threading.BoundedSemaphore] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Place:
    """An account and, where not everything that it can read is meant, the only directories that are."""

    account: SystemAccount
    roots: tuple[str, ...] = ()

    @property
    def system(self) -> str:
        """The system's name."""
        return str(self.account.system.name)


def place_of(user: User, system: str) -> Place:
    """The person's way to the files of a system. ``Missing``: none of this name; ``NotAllowed``: no account there,
    or everybody's account on Centro's own machine; ``Unavailable``: switched off."""
    access = system_access.find(user, system)
    if access.account is not None:
        return Place(access.account)
    if access.verdict is Verdict.UNKNOWN:
        raise Missing(access.reason)
    if access.verdict is Verdict.SWITCHED_OFF:
        raise Unavailable(access.reason)
    raise NotAllowed(access.reason)


def roots_of(run: Run) -> tuple[str, ...]:
    """The run's directories: its own, and where the pipeline works if that is another."""
    other = run.work_directory
    return (run.directory, other) if other and other != run.directory else (run.directory,)


def place_of_run(run: Run) -> Place:
    """The run's directories by its own account. ``Unavailable`` where its system is switched off; ``NotAllowed`` for
    a job script, whose directory is any directory of its submitter's."""
    if run.kind == RunKind.JOB:
        raise NotAllowed("A job script has no directory of its own; its files are its submitter's.")
    if not run.system.enabled:
        raise Unavailable(f"{run.system.name} is switched off at present.")
    return Place(run.account, roots_of(run))


def directory(place: Place, path: str) -> Directory:
    """What is in a directory, with owners as numbers; see ``named``."""
    return _ask(place, lambda seconds: browsing.browse(path, place.roots, timeout=seconds))


def is_no_directory(error: DomainError) -> bool:
    """Whether ``directory`` was refused because there is a file of that name."""
    return isinstance(error.__cause__, NotADirectory)


def look(place: Place, path: str) -> Directory | Seen:
    """A directory, or the entry that the path is where it is none: a file, or a link that leads nowhere.

    Only for places without roots.
    """
    with _seat(place), translated(place.system):
        client = client_for(place.account)
        seconds = limits_of(place.account.system).command_timeout
        try:
            return client.run(browsing.browse(path, timeout=seconds))
        except (NotADirectory, FileMissing):
            return client.run(browsing.describe(path, timeout=seconds))


def entry(place: Place, path: str) -> Seen:
    """What stands there itself, a link as a link. Only for places without roots."""
    return _ask(place, lambda seconds: browsing.describe(path, timeout=seconds))


def exists(place: Place, path: str) -> bool:
    """Whether there is anything of this name, be it a link that leads nowhere."""
    with _seat(place), translated(place.system):
        seconds = limits_of(place.account.system).command_timeout
        try:
            client_for(place.account).run(browsing.describe(path, timeout=seconds))
        except FileMissing:
            return False
    return True


def named(place: Place, entries: list[Seen]) -> None:
    """Put names in place of the numbers of owners and groups; a system that cannot say leaves the numbers."""
    book = _books.setdefault(place.account.system_id, NameBook())
    with translated(place.system):
        book.name(entries, client_for(place.account).run)


def peek(place: Place, path: str, offset: int, count: int) -> Peek:
    """A part of a file; ``count`` 0 for its size and time only."""
    return _ask(
        place, lambda seconds: browsing.peek(path, offset, count, place.roots, timeout=seconds)
    )


def matching(place: Place, path: str, patterns: list[str]) -> list[Match]:
    """Files below a directory that may fit one of the patterns; see ``hpc.files.browsing.matching``."""
    return _ask(place, lambda seconds: browsing.matching(path, patterns, timeout=seconds))


def home(place: Place, path: str = ".") -> str:
    """The absolute path of the account's home directory, or of a path that begins there."""
    return _ask(place, lambda seconds: download_source(path, timeout=seconds)).path


def pieces(place: Place, path: str, first: Peek) -> Iterator[bytes]:
    """All of a file, of which ``first`` was read from its beginning, read while it is taken.

    Ends with ``Conflict`` where the file became shorter meanwhile, so that nobody takes a part for the whole.
    """
    yield first.data
    at = first.end
    while at < first.size:
        more = peek(place, path, at, min(PIECE, first.size - at))
        if not more.data:
            raise Conflict(f"{path} became shorter while it was read.")
        yield more.data
        at = more.end


def _ask(place: Place, command: Callable[[float], Command[T]]) -> T:
    with _seat(place), translated(place.system):
        return client_for(place.account).run(
            command(limits_of(place.account.system).command_timeout)
        )


@contextmanager
def _seat(place: Place) -> Iterator[None]:
    """One of the web threads that may wait for this system: half of them, so that a frozen one never has them all.

    Who finds none for a second is told so (``Unavailable``).
    """
    with _lock:
        most = max(1, settings.CENTRO_WEB_THREADS // 2)
        seats = _seats.setdefault(place.account.system_id, threading.BoundedSemaphore(most))
    begun = time.monotonic()
    if not seats.acquire(timeout=PATIENCE):
        waited = time.monotonic() - begun
        raise Unavailable(
            f"{place.system} answers slowly at the moment ({waited:.0f} s); try again shortly."
        )
    try:
        yield
    finally:
        seats.release()
