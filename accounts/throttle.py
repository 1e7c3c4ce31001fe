"""How often a password may be tried: counted before any password is hashed.

Two counters in the shared cache: failures of one user name from one address, and failures of one
address whatever the name. Nothing is counted per name alone, so nobody can lock another person out
from elsewhere. A window starts with its first failure and is not prolonged by further tries.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from dataclasses import dataclass

from django.core.cache import cache


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``failures`` wrong passwords within ``seconds``."""

    failures: int
    seconds: int


PER_NAME_AND_ADDRESS = Limit(5, 300)
PER_ADDRESS = Limit(20, 60)


class Throttled(Exception):
    """Too many wrong passwords; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many wrong passwords; try again in {retry_after} seconds.")
        self.retry_after = retry_after


def _network(address: str) -> str:
    """The unit that counts as one client: an IPv4 address, or an IPv6 /64 (one customer's network)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _counters(username: str, address: str) -> list[tuple[str, Limit]]:
    """Cache keys with their limits. Names and addresses are hashed: both are the client's own text."""
    network = _network(address)
    pair = hashlib.sha256(
        f"{username.casefold()}\0{network}".encode("utf-8", "replace")
    ).hexdigest()
    alone = hashlib.sha256(network.encode("utf-8", "replace")).hexdigest()
    return [
        (f"login-pair:{pair[:40]}", PER_NAME_AND_ADDRESS),
        (f"login-address:{alone[:40]}", PER_ADDRESS),
    ]


def check(username: str, address: str) -> None:
    """Raises ``Throttled`` while a password of this name may not be tried from this address."""
    counters = _counters(username, address)
    found = cache.get_many([key for key, _ in counters])
    waits = [
        _left(found[key], limit)
        for key, limit in counters
        if key in found and _full(found[key], limit)
    ]
    if waits:
        raise Throttled(max(waits))


def reserve(username: str, address: str) -> None:
    """Count a try before it is made, so that parallel tries cannot exceed the limit; see ``refund``.

    Raises ``Throttled`` instead of counting where a limit is reached.
    """
    check(username, address)
    for key, limit in _counters(username, address):
        started = int(time.time())
        if not cache.add(key, _pack(started, 1), limit.seconds):
            _add(key, 1)


def refund(username: str, address: str) -> None:
    """The reserved try was right: forget the failures of the name, and this one of the address."""
    (pair, _), (alone, _) = _counters(username, address)
    cache.delete(pair)
    _add(alone, -1)


# A counter is one integer that carries the start of its window too, so that one atomic ``incr`` moves
# it and the seconds left can be told without a second key. The count starts at _ZERO: a refund that
# comes after its window ended must not borrow from the time.
_SPAN = 1_000_000
_ZERO = 1_000


def _pack(started: int, failures: int) -> int:
    return started * _SPAN + _ZERO + failures


def _full(value: int, limit: Limit) -> bool:
    return value % _SPAN - _ZERO >= limit.failures


def _left(value: int, limit: Limit) -> int:
    return max(1, value // _SPAN + limit.seconds - int(time.time()))


def _add(key: str, number: int) -> None:
    try:
        cache.incr(key, number)
    except ValueError:
        return  # the window ended a moment ago
