"""Checking a user name and password, or a program's secret, at the cost of one look-up once found right.

A password hash is slow on purpose (32 ms), far too slow for every request of a script. A pair that was
found right is therefore remembered in this process, as an HMAC under a random key of the process that
covers the stored hash too: a changed password, a removed or disabled user take effect at the next
request. Wrong pairs are never remembered; they are throttled (``accounts.throttle``) before hashing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from accounts import throttle

LIFETIME = 300.0  # seconds
MAX_ENTRIES = 4096
MAX_LENGTH = 4096  # characters of a name or password that are worth hashing
WAIT = 10.0  # seconds that a try waits for its turn to hash

_process_key = secrets.token_bytes(32)
_lock = threading.Lock()
_until: OrderedDict[bytes, float] = OrderedDict()
_flights: dict[bytes, Future[bool]] = {}
# Hashing leaves cores for those who are already in.
_turns = threading.BoundedSemaphore(max(1, (os.cpu_count() or 2) // 2))


def check(username: str, password: str, address: str) -> User | None:
    """The active user with this name and password, else None; unknown names take the same time.

    ``address`` is the client's, for throttling. One query when the pair is remembered. Raises
    ``throttle.Throttled`` when the password was not even looked at.
    """
    user = _find(username)

    def fits(stored: str) -> str | None:
        right = (user or User(password=stored)).check_password(password)
        # which may have renewed the stored hash
        return user.password if right and user else None

    right = holds(
        name=username,
        secret=password,
        stored=user.password if user else None,
        address=address,
        fits=fits,
    )
    return user if right and user and user.is_active else None


def holds(
    *, name: str, secret: str, stored: str | None, address: str, fits: Callable[[str], str | None]
) -> bool:
    """Whether ``secret`` is that of ``name``, whose stored hash is ``stored`` (None: there is no such name).

    ``fits`` does the hashing where it is needed: it gets the stored hash, or one that nothing opens, and
    returns the hash that is stored from then on, or None for a wrong secret. Raises
    ``throttle.Throttled`` when it was not even asked.
    """
    expected = _decoy() if stored is None else stored
    key = _key(name, secret, expected)
    if _is_remembered(key):
        return True

    def hashed() -> str | None:
        found = _hash(name, secret, address, lambda: fits(expected))
        return None if stored is None else found

    return _fly(key, name, secret, hashed)


def forget_all() -> None:
    """Empty the memory of this process."""
    with _lock:
        _until.clear()


def _find(username: str) -> User | None:
    if not username or len(username) > 150 or not username.isprintable():
        return None  # also half surrogates and NUL, which the database's driver would choke on
    user = User.objects.filter(username=username).first()
    # MariaDB compares names without case, SQLite with it; a name is the same one everywhere.
    return user if user and user.username == username else None


@lru_cache(maxsize=1)
def _decoy() -> str:
    """A stored hash of the current kind that no password opens."""
    return make_password(secrets.token_urlsafe(32))


def _key(username: str, password: str, stored: str) -> bytes:
    digest = hmac.new(_process_key, digestmod=hashlib.sha256)
    for part in (username, password, stored):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def _is_remembered(key: bytes) -> bool:
    with _lock:
        until = _until.get(key)
        if until is None:
            return False
        if until < time.monotonic():
            del _until[key]
            return False
        _until.move_to_end(key)
        return True


def _remember(key: bytes) -> None:
    with _lock:
        _until[key] = time.monotonic() + LIFETIME
        _until.move_to_end(key)
        while len(_until) > MAX_ENTRIES:
            _until.popitem(last=False)


def _fly(key: bytes, name: str, secret: str, hashed: Callable[[], str | None]) -> bool:
    """Hash once for all requests that bring the same pair at the same time."""
    with _lock:
        flight = _flights.get(key)
        mine = flight is None
        if flight is None:
            flight = _flights[key] = Future()
    if not mine:
        return flight.result()
    try:
        stored = hashed()
    except BaseException as error:
        flight.set_exception(error)
        raise
    else:
        if stored is not None:
            _remember(_key(name, secret, stored))
        flight.set_result(stored is not None)
        return stored is not None
    finally:
        with _lock:
            _flights.pop(key, None)


def _hash(name: str, secret: str, address: str, fits: Callable[[], str | None]) -> str | None:
    throttle.check(name, address)
    if not _turns.acquire(timeout=WAIT):
        raise throttle.Throttled(int(WAIT))
    try:
        throttle.reserve(name, address)
        if len(secret) > MAX_LENGTH:
            return None
        stored = fits()
    finally:
        _turns.release()
    if stored is not None:
        throttle.refund(name, address)
    return stored
