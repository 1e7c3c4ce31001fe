"""What is left over: unfinished files on systems, staged objects nobody needs any more, links past their time."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from hpc.errors import HpcError
from hpc.files import moving
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.services.clients import client_for
from pipeline_management.services.transfers import packing
from pipeline_management.services.transfers.area import area, link_seconds, prepared_area
from pipeline_management.services.transfers.changes import RELEASED, change
from pipeline_management.services.transfers.job import temporary_name
from pipeline_management.services.trouble import pause
from pipeline_management.transfer_states import OPEN
from staging.errors import StagingError

logger = logging.getLogger(__name__)

_GRACE = timedelta(days=1)
"""How long after the end of its links something without a transfer may lie in the area."""
_KEPT_ROWS = timedelta(days=90)
_AT_ONCE = 200
_KEEPS_OBJECT = {TransferState.READY, *OPEN}


def tidy(transfer: Transfer) -> None:
    """Remove what a transfer has left behind that is over; tried again later, for as long as it takes.

    The staged file of a failed upload stays, so that it can be tried again.
    """
    try:
        if transfer.direction == Direction.UPLOAD:
            _discard_temporary(transfer)
        elif transfer.packed_from:
            packing.remove(client_for(transfer.account), transfer)
        kept = transfer.state == TransferState.FAILED and transfer.direction == Direction.UPLOAD
        if transfer.state not in _KEEPS_OBJECT and not kept:
            _forget_object(transfer)
    except (HpcError, StagingError, ValueError) as error:
        logger.info("leftovers of %s stay for now: %s", transfer, error)
        known = error if isinstance(error, HpcError) else None
        again = timezone.now() + max(pause(transfer.tries, known), timedelta(seconds=30))
        rows = Transfer.objects.filter(pk=transfer.pk, fence=transfer.fence)
        rows.update(next_at=again, tries=transfer.tries + 1, **RELEASED)
        return
    rows = Transfer.objects.filter(pk=transfer.pk, fence=transfer.fence, state=transfer.state)
    rows.update(leftovers=False, next_at=None, temporary="", **RELEASED)


def _discard_temporary(transfer: Transfer) -> None:
    if transfer.started_at is not None and transfer.state != TransferState.DONE:
        client_for(transfer.account).run(moving.discard(transfer.path, temporary_name(transfer)))


def _forget_object(transfer: Transfer) -> None:
    store = area()
    if transfer.upload_id:
        store.abort_parts(transfer.key, transfer.upload_id)
    store.revoke(transfer.key)


def sweep() -> None:
    """Let transfers expire whose time is over: uploads that never came, links that were valid long enough."""
    late = Transfer.objects.filter(expires_at__lt=Now()).select_related("account__system")
    now = timezone.now()
    for state in (TransferState.AWAITING, TransferState.READY, TransferState.FAILED):
        for transfer in late.filter(state=state)[:_AT_ONCE]:
            text = "The file was not sent in time." if state == TransferState.AWAITING else ""
            error = text or transfer.error
            change(transfer, TransferState.EXPIRED, error=error, leftovers=True, next_at=now)


def sweep_area() -> int:
    """Remove what lies in the area without a transfer that needs it; returns how much that was. Forget old rows.

    Raises ``StagingError`` where the store does not answer.
    """
    store = prepared_area()
    before = timezone.now() - timedelta(seconds=link_seconds()) - _GRACE
    removed = 0
    for stray in store.strays(before):
        if _is_needed(stray.key):
            continue
        if stray.upload_id:
            store.abort_parts(stray.key, stray.upload_id)
        else:
            store.revoke(stray.key)
        removed += 1
    old = timezone.now() - _KEPT_ROWS
    Transfer.objects.filter(finished_at__lt=old, leftovers=False).exclude(state__in=OPEN).delete()
    return removed


def _is_needed(key: str) -> bool:
    try:
        pk = UUID(key.partition("/")[0])
    except ValueError:
        return False
    return Transfer.objects.filter(pk=pk, state__in=[*_KEEPS_OBJECT, TransferState.FAILED]).exists()
