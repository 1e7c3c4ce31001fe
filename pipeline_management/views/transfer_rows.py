"""One line of the list of transfers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.templatetags.centro_pages import duration
from pipeline_management.transfer_states import OPEN

_ICONS = {
    TransferState.AWAITING: "upload",
    TransferState.QUEUED: "queued",
    TransferState.MOVING: "running",
    TransferState.CHECKING: "finishing",
    TransferState.DONE: "succeeded",
    TransferState.READY: "succeeded",
    TransferState.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the template shows; ``share`` of the movement is from 0 to 1, None where nobody can say."""

    id: uuid.UUID
    state: str
    label: str
    tone: str
    icon: str
    upload: bool
    name: str
    path: str
    system: str
    size: str
    created_at: datetime
    moving: bool
    share: float | None
    progress: str
    error: str
    failed: bool
    link: bool
    may_cancel: bool
    may_retry: bool

    @property
    def busy(self) -> bool:
        """Whether the line will change by itself soon."""
        return self.moving or self.state in (TransferState.QUEUED, TransferState.AWAITING)


def row(transfer: Transfer) -> Row:
    """The line of a transfer that was read with its account and system."""
    state = TransferState(transfer.state)
    moving = state in (TransferState.MOVING, TransferState.CHECKING)
    failed = state == TransferState.FAILED
    return Row(
        id=transfer.pk,
        state=state.value,
        label=str(state.label),
        tone=state.colour,
        icon=_ICONS.get(state, "cancelled"),
        upload=transfer.direction == Direction.UPLOAD,
        name=transfer.name,
        path=transfer.shown_path,
        system=transfer.system.name,
        size=size(transfer.size),
        created_at=transfer.created_at,
        moving=moving,
        share=_share(transfer),
        progress=_progress(transfer),
        error=transfer.error,
        failed=failed,
        link=state == TransferState.READY,
        may_cancel=state in OPEN or state == TransferState.READY,
        may_retry=failed,
    )


def size(number: int | None) -> str:
    """A number of bytes in words; a dash for None."""
    return "–" if number is None else str(filesizeformat(number))


def _share(transfer: Transfer) -> float | None:
    if not transfer.size:
        return None
    return min(1.0, transfer.bytes_done / transfer.size)


def _progress(transfer: Transfer) -> str:
    """How far the movement is, and how long the rest takes."""
    if transfer.state == TransferState.CHECKING:
        return _("comparing checksums")
    if transfer.state != TransferState.MOVING:
        return ""
    parts = [f"{size(transfer.bytes_done)} / {size(transfer.size)}"]
    if transfer.rate >= 1:
        parts.append(f"{size(int(transfer.rate))}/s")
    left: Any = transfer.remaining
    if left is not None:
        parts.append(_("%(time)s left") % {"time": duration(left.total_seconds())})
    return " · ".join(parts)
