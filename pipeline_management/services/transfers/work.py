"""The workers' round: one due transfer after the other, each under a lease; what fails is tried again later."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hpc.errors import FileMissing, HpcError, RemoteFileError
from hpc.files.moving import StoreUnanswered
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, Route, TransferState
from pipeline_management.services import dispatch, leases
from pipeline_management.services.clients import client_for
from pipeline_management.services.transactions import atomically
from pipeline_management.services.transfers import routes, tidying, to_store, to_system
from pipeline_management.services.transfers.area import prepared_area
from pipeline_management.services.transfers.changes import RELEASED, change, note
from pipeline_management.services.transfers.job import Hopeless, Job, Stopping, TakenOver, Unequal
from pipeline_management.services.trouble import describe, pause
from pipeline_management.transfer_states import WORKING
from staging.errors import ObjectMissing, StagingError

logger = logging.getLogger(__name__)

PER_ACCOUNT = 2
"""Files of one account that move at once: its connections have other work as well."""
DIRECT_TRIES = 2
"""Failures of the direct way after which a file goes through Centro."""
DAMAGED_TRIES = 3
"""How often a file may come out different before somebody has to look."""
_FREE = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())

stopping = threading.Event()
"""Set when this process is asked to end: movers stop between two pieces and give their leases back."""


def work() -> int:
    """Move what is due; returns how many transfers were worked on. At most ``movers`` threads of a process do
    that at once; further ones return at once."""
    slots = _slots(int(settings.CENTRO_STAGING["movers"]))
    if not slots.acquire(blocking=False):
        return 0
    done = 0
    try:
        with leases.holding() as holder:
            while not stopping.is_set() and _one(holder):
                done += 1
    finally:
        slots.release()
    return done


@lru_cache(maxsize=1)
def _slots(number: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(number)


def due() -> QuerySet[Transfer]:
    """What waits for a worker that nobody has."""
    waiting = Q(state__in=WORKING) | Q(leftovers=True)
    return Transfer.objects.filter(_FREE, waiting, next_at__lte=Now())


def sweep() -> None:
    """Ring for what is due, as often as there is work for."""
    count = due().count()
    for _ in range(min(count, int(settings.CENTRO_STAGING["movers"]))):
        dispatch.ring(dispatch.TRANSFER, dispatch.NO_ACCOUNT)


def _one(holder: str) -> bool:
    transfer = atomically(lambda: take(holder))
    if transfer is None:
        return False
    if due().exists():
        dispatch.ring_on_commit(dispatch.TRANSFER, dispatch.NO_ACCOUNT)
    if transfer.state not in WORKING:
        tidying.tidy(transfer)
        return True
    _move(transfer)
    return True


def take(holder: str) -> Transfer | None:
    """Lease the transfer that has been due for longest; call inside a transaction."""
    held = Transfer.objects.filter(lease_until__gt=Now()).values("account_id")
    busy = held.annotate(count=Count("pk")).filter(count__gte=PER_ACCOUNT)
    accounts = [row["account_id"] for row in busy]
    rows = due().exclude(account_id__in=accounts).order_by("next_at", "pk")
    for pk in list(rows.values_list("pk", flat=True)[:5]):
        taken = due().filter(pk=pk).update(
            lease_holder=holder,
            lease_until=Now() + timedelta(seconds=settings.CENTRO_LEASE_SECONDS),
            fence=F("fence") + 1,
        )  # fmt: skip
        if taken:
            related = ("account__system", "account__credential", "user", "api_task")
            return Transfer.objects.select_related(*related).get(pk=pk)
    return None


def _move(transfer: Transfer) -> None:
    """One try, with whatever comes of it written down."""
    try:
        job = _begin(transfer)
        (to_system if transfer.direction == Direction.UPLOAD else to_store).run(job)
    except TakenOver:
        logger.info("%s: somebody else decided", transfer)
    except Stopping:
        note(transfer, rate=0.0, **RELEASED)
    except Hopeless as error:
        _fail(transfer, str(error))
    except Unequal as error:
        _again_from_the_start(transfer, str(error))
    except StoreUnanswered as error:
        _direct_failed(transfer, error)
    except RemoteFileError as error:
        _refused(transfer, error)
    except (HpcError, StagingError, ValueError) as error:
        _later(transfer, error)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out and somebody goes on
    except Exception:  # a fault of ours: doing it again would meet it again
        logger.exception("%s failed in a way that was not foreseen", transfer)
        _fail(transfer, "Centro could not do this; its log says why.")


def _begin(transfer: Transfer) -> Job:
    client = client_for(transfer.account)
    found = prepared_area()
    if transfer.state == TransferState.QUEUED or not transfer.route:
        through = transfer.route == Route.THROUGH and transfer.tries >= DIRECT_TRIES
        route = Route.THROUGH if through else routes.route_for(transfer.system, client, found)
        fields: dict[str, Any] = {"route": route}
        if transfer.started_at is None:
            fields["started_at"] = timezone.now()
        if not note(transfer, **fields):
            raise TakenOver
    return Job(transfer, client, found, stopping.is_set)


def _later(transfer: Transfer, error: Exception, **fields: Any) -> None:
    """Try again after a while, for as long as the transfer lives: nothing is lost by waiting."""
    if isinstance(error, StagingError) and not (
        error.retryable or isinstance(error, ObjectMissing)
    ):
        _fail(transfer, str(error))
        return
    known = error if isinstance(error, HpcError) else None
    text = describe(error) if known is not None else str(error)
    if transfer.expires_at <= timezone.now():
        _fail(transfer, f"It did not succeed in time. {text}")
        return
    wait = pause(transfer.tries, known)
    again: dict[str, Any] = {
        "tries": transfer.tries + 1,
        "error": text[:1000],
        "rate": 0.0,
        "next_at": timezone.now() + wait,
        **RELEASED,
        **fields,
    }
    logger.info("%s is tried again in %.0f s: %s", transfer, wait.total_seconds(), text)
    if transfer.state == TransferState.QUEUED:
        note(transfer, **again)
    else:
        change(transfer, TransferState.QUEUED, fenced=True, **again)


def _refused(transfer: Transfer, error: RemoteFileError) -> None:
    """The system said no, in its own words. But for the temporary file, which somebody may have removed: then
    it is made anew."""
    mine = transfer.temporary and error.path == transfer.temporary
    if mine and isinstance(error, FileMissing):
        _again_from_the_start(transfer, str(error))
        return
    path = transfer.path if mine else error.path
    _fail(transfer, f"{path}: {error.reason}")


def _direct_failed(transfer: Transfer, error: StoreUnanswered) -> None:
    text = f"The system's own transfer failed: {error}"
    fields: dict[str, Any] = {}
    if transfer.tries + 1 >= DIRECT_TRIES:
        routes.distrust(transfer.system, text)
        fields["route"] = Route.THROUGH
    _later(transfer, StoreUnanswered(text), **fields)


def _again_from_the_start(transfer: Transfer, text: str) -> None:
    """Forget what has been moved. Three times the same, and it is for a person to see."""
    if transfer.tries + 1 >= DAMAGED_TRIES:
        _fail(transfer, text)
        return
    fields: dict[str, Any] = {"confirmed": 0, "bytes_done": 0, "moment": "", "sha256": ""}
    _later(transfer, HpcError(text), **fields)


def _fail(transfer: Transfer, text: str) -> None:
    now = timezone.now()
    fields: dict[str, Any] = {"error": text[:1000], "leftovers": True, "next_at": now}
    change(transfer, TransferState.FAILED, fenced=True, **fields)
