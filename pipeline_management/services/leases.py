"""Who works on what: leases in the database, on the database's clock, renewed while the work goes on.

A worker that dies simply stops renewing; after ``CENTRO_LEASE_SECONDS`` somebody else may go on. A worker
that was thought dead and comes back finds that its fence has been passed and changes nothing.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from pipeline_management.models import Heartbeat, Run, SystemAccount, Transfer

logger = logging.getLogger(__name__)

_process = f"{socket.gethostname()[:20]}:{os.getpid()}:{secrets.token_hex(3)}"
_numbers = itertools.count(1)
_held: set[str] = set()
_lock = threading.Lock()
_renewer: threading.Thread | None = None


def _length() -> timedelta:
    return timedelta(seconds=settings.CENTRO_LEASE_SECONDS)


@contextmanager
def holding() -> Iterator[str]:
    """A fresh holder name; every lease taken under it is renewed until the block ends."""
    holder = f"{_process}:{next(_numbers)}"
    with _lock:
        _held.add(holder)
        _start_renewer()
    try:
        yield holder
    finally:
        with _lock:
            _held.discard(holder)


def take_runs(due: QuerySet[Run], holder: str, limit: int) -> list[Run]:
    """Lease up to ``limit`` of the runs in ``due`` that nobody holds; call inside a transaction.

    The runs come back with their new fence, oldest ``next_at`` first.
    """
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    ids = list(due.filter(free).order_by("next_at", "pk").values_list("pk", flat=True)[:limit])
    if not ids:
        return []
    Run.objects.filter(free, pk__in=sorted(ids)).update(
        lease_holder=holder, lease_until=Now() + _length(), fence=F("fence") + 1
    )
    taken = Run.objects.filter(pk__in=ids, lease_holder=holder)
    return list(taken.select_related("system", "account", "version__pipeline").order_by("next_at", "pk"))


RELEASED: dict[str, object] = {"lease_holder": "", "lease_until": None}
"""The fields of a run that nobody works on; part of the change that ends a step."""


def until(now: datetime) -> datetime:
    """When a lease taken now runs out; for rows that are made with one."""
    return now + _length()


def take_account(account_id: int, holder: str) -> bool:
    """Lease the polling of one account; False if somebody else is at it."""
    free = Q(poll_lease_until__isnull=True) | Q(poll_lease_until__lt=Now())
    return bool(
        SystemAccount.objects.filter(free, pk=account_id).update(
            poll_holder=holder, poll_lease_until=Now() + _length()
        )
    )


def take_named(name: str, holder: str) -> bool:
    """Lease a piece of background work by name; False if somebody else is at it."""
    Heartbeat.objects.get_or_create(name=name)
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    return bool(
        Heartbeat.objects.filter(free, name=name).update(
            holder=holder, lease_until=Now() + _length()
        )
    )


def release_named(name: str, holder: str) -> None:
    """Give a named lease back and record the sign of life."""
    Heartbeat.objects.filter(name=name, holder=holder).update(
        holder="", lease_until=None, at=Now()
    )


def beat(name: str) -> None:
    """Record a sign of life of ``name`` now."""
    if not Heartbeat.objects.filter(name=name).update(at=Now()):
        Heartbeat.objects.update_or_create(name=name, defaults={"at": Now()})


def _start_renewer() -> None:
    global _renewer
    if _renewer is None or not _renewer.is_alive():
        _renewer = threading.Thread(target=_renew_for_ever, name="lease-renewer", daemon=True)
        _renewer.start()


_stop = threading.Event()


def _renew_for_ever() -> None:
    while not _stop.wait(settings.CENTRO_LEASE_SECONDS / 3):
        with _lock:
            holders = list(_held)
        if not holders:
            continue
        try:
            renew(holders)
        except Exception as error:  # a renewer that dies would let every lease of this process run out
            logger.warning("leases could not be renewed: %s", error)
        finally:
            connection.close()


def renew(holders: list[str]) -> None:
    """Extend every lease that is still held under one of these names."""
    until = Now() + _length()
    Run.objects.filter(lease_holder__in=holders, lease_until__gt=Now()).update(lease_until=until)
    SystemAccount.objects.filter(poll_holder__in=holders, poll_lease_until__gt=Now()).update(
        poll_lease_until=until
    )
    Transfer.objects.filter(lease_holder__in=holders, lease_until__gt=Now()).update(
        lease_until=until
    )
    Heartbeat.objects.filter(holder__in=holders, lease_until__gt=Now()).update(lease_until=until)
