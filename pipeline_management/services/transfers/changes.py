"""The one writer of transfer states: compare-and-set, with the FirecREST task that shows the transfer."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from pipeline_management.choices import TaskStatus
from pipeline_management.models import ApiTask, Transfer
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.services import dispatch
from pipeline_management.services.transactions import atomically
from pipeline_management.transfer_states import FINAL, WORKING, is_legal

_CODES: dict[tuple[str, TransferState], TaskStatus] = {
    (Direction.UPLOAD, TransferState.AWAITING): TaskStatus.FORM_RECEIVED,
    (Direction.UPLOAD, TransferState.QUEUED): TaskStatus.UPLOADED,
    (Direction.UPLOAD, TransferState.MOVING): TaskStatus.FETCHING,
    (Direction.UPLOAD, TransferState.CHECKING): TaskStatus.FETCHING,
    (Direction.UPLOAD, TransferState.DONE): TaskStatus.FETCHED,
    (Direction.UPLOAD, TransferState.FAILED): TaskStatus.FETCH_ERROR,
    (Direction.DOWNLOAD, TransferState.QUEUED): TaskStatus.QUEUED,
    (Direction.DOWNLOAD, TransferState.MOVING): TaskStatus.STORING,
    (Direction.DOWNLOAD, TransferState.CHECKING): TaskStatus.STORING,
    (Direction.DOWNLOAD, TransferState.READY): TaskStatus.STORED,
    (Direction.DOWNLOAD, TransferState.FAILED): TaskStatus.STORE_ERROR,
}
_ENDS = {
    TransferState.CANCELLED: TaskStatus.ERROR,
    TransferState.EXPIRED: TaskStatus.ERROR,
    TransferState.INVALID: TaskStatus.INVALID,
}
RELEASED: dict[str, Any] = {"lease_holder": "", "lease_until": None}


class IllegalMove(Exception):
    """A move that ``transfer_states`` does not have: a bug in the caller."""


def task_status(transfer: Transfer) -> TaskStatus:
    """The FirecREST code (section 6.3 of its contract) of a transfer's state. The task's data is composed
    from the transfer when somebody asks for it."""
    state = transfer.state_enum
    return _ENDS.get(state) or _CODES[Direction(transfer.direction), state]


def change(transfer: Transfer, to: TransferState, *, fenced: bool = False, **fields: Any) -> bool:
    """Move a transfer from the state in which it was read; False, and nothing written, if it has left that
    state, or with ``fenced`` if somebody else has taken it over. ``transfer`` is brought up to date.

    A final state frees the lease. Rings for a worker where there is work.
    """
    was = transfer.state_enum
    if not is_legal(was, to):
        raise IllegalMove(f"{transfer}: {was} to {to}")
    if to in FINAL:
        fields = {"finished_at": timezone.now(), "rate": 0.0, **RELEASED, **fields}
    rows = Transfer.objects.filter(pk=transfer.pk, state=was)
    if fenced:
        rows = rows.filter(fence=transfer.fence)

    def write() -> bool:
        if not rows.update(state=to, **fields):
            return False
        transfer.state = to
        for name, value in fields.items():
            setattr(transfer, name, value)
        if transfer.api_task_id:
            status = task_status(transfer)
            ApiTask.objects.filter(pk=transfer.api_task_id).update(
                status=status, data=status.label, updated_at=timezone.now()
            )
        if to == TransferState.QUEUED or (to not in WORKING and fields.get("leftovers")):
            dispatch.ring_on_commit(dispatch.TRANSFER, dispatch.NO_ACCOUNT)
        return True

    return atomically(write)


def note(transfer: Transfer, **fields: Any) -> bool:
    """Write progress of a transfer that this worker holds; False if it does not hold it any more, or if it has
    been cancelled."""
    rows = Transfer.objects.filter(pk=transfer.pk, fence=transfer.fence, state=transfer.state)
    if not fields:
        return rows.exists()
    done = bool(atomically(lambda: rows.update(**fields)))
    if done:
        for name, value in fields.items():
            setattr(transfer, name, value)
    return done
