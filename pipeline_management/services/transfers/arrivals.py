"""Files that people have sent to the staging area: noticed at once where Centro itself takes them, else by
asking the store, often while an upload is fresh and rarely later."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, Manner, TransferState
from pipeline_management.services.transfers.area import area
from pipeline_management.services.transfers.changes import change
from staging.errors import StagingError

logger = logging.getLogger(__name__)

_PAUSES = ((60, 1), (600, 5), (7200, 15))
"""(seconds since the upload was asked for, seconds until the next look); later ones are a minute apart."""
_LATE = 60
_AT_ONCE = 200


def look(transfer: Transfer) -> bool:
    """Ask the store for the file of an awaited upload; True, and the worker rung for, if it is there.

    Raises the ``StagingError`` tree.
    """
    if transfer.state != TransferState.AWAITING:
        return False
    found = area().stat(transfer.key)
    now = timezone.now()
    if found is None:
        age = (now - transfer.created_at).total_seconds()
        seconds = next((pause for limit, pause in _PAUSES if age < limit), _LATE)
        rows = Transfer.objects.filter(pk=transfer.pk, state=TransferState.AWAITING)
        rows.update(next_at=now + timedelta(seconds=seconds))
        return False
    if found.size > transfer.limit:
        text = f"The file has {found.size} bytes, more than the {transfer.limit} that were allowed."
        change(transfer, TransferState.FAILED, error=text, leftovers=True, next_at=now)
        return False
    fields: dict[str, Any] = {
        "size": found.size,
        "etag": found.etag[:100],
        "arrived_at": found.modified,
        "next_at": now,
    }
    return change(transfer, TransferState.QUEUED, **fields)


def arrived(key: str) -> None:
    """The store that Centro serves has just got a file under this key."""
    transfer = Transfer.objects.filter(key=key, direction=Direction.UPLOAD).first()
    if transfer is not None:
        look(transfer)


def sweep() -> None:
    """Look for the awaited uploads whose time it is. A store that does not answer is asked again later."""
    due = Transfer.objects.filter(
        state=TransferState.AWAITING, manner=Manner.FORM, next_at__lte=Now(), expires_at__gt=Now()
    )
    for transfer in due.order_by("next_at")[:_AT_ONCE]:
        try:
            look(transfer)
        except StagingError as error:
            logger.warning("the staging area was not asked: %s", error)
            return
