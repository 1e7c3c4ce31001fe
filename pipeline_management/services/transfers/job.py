"""What a mover has at hand for one transfer, and when it has to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from hpc.client import SystemClient
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import TransferState
from pipeline_management.services.transfers.changes import change, note
from staging.base import MIB, StagingArea

_NOTE_EVERY = 1.0  # seconds
_SMOOTH = 0.3  # weight of the newest rate
_FIRST_PIECE = 32 * MIB
_LARGEST_PIECE = 512 * MIB
_SMALLEST_PIECE = 8 * MIB
_AIM_SECONDS = 4.0


class TakenOver(Exception):
    """The transfer was cancelled, or somebody else has it: nothing is to be done any more."""


class Stopping(Exception):
    """This process ends: what is done is written down, somebody else goes on."""


class Hopeless(Exception):
    """It cannot succeed as it is; the text is the sentence for the person."""


class Unequal(Exception):
    """The ends have different contents; the text says so."""


@dataclass
class Job:
    """``temporary_name`` is the unfinished file's name beside its target."""

    transfer: Transfer
    client: SystemClient
    area: StagingArea
    stopping: Callable[[], bool]
    piece: int = field(default_factory=lambda: _FIRST_PIECE)
    _noted: float = field(default=0.0)
    _seen: int = field(default=0)

    @property
    def temporary_name(self) -> str:
        return temporary_name(self.transfer)

    def move_to(self, state: TransferState, **fields: Any) -> None:
        """Raises ``TakenOver``."""
        if not change(self.transfer, state, fenced=True, **fields):
            raise TakenOver

    def note(self, **fields: Any) -> None:
        """Write something down. Raises ``TakenOver``, and ``Stopping`` where this process ends."""
        if not note(self.transfer, **fields):
            raise TakenOver
        if self.stopping():
            raise Stopping

    def start_counting(self) -> None:
        """From now on the rate is measured."""
        self._noted, self._seen = time.monotonic(), self.transfer.bytes_done

    def progress(self, done: int) -> None:
        """``done`` bytes have been moved in all; written down once a second. The errors are those of ``note``."""
        now = time.monotonic()
        passed = now - self._noted
        if passed < _NOTE_EVERY:
            return
        rate = max(0, done - self._seen) / passed
        known = self.transfer.rate
        self._noted, self._seen = now, done
        smooth = rate if known < 1 else _SMOOTH * rate + (1 - _SMOOTH) * known
        self.note(bytes_done=done, rate=smooth)

    def adapt(self, size: int, seconds: float) -> None:
        """Choose the size of the next piece so that it takes a few seconds, in whole MiB."""
        wanted = size * _AIM_SECONDS / max(seconds, 0.05)
        bounded = min(max(wanted, self.piece / 4, _SMALLEST_PIECE), self.piece * 4, _LARGEST_PIECE)
        self.piece = max(MIB, int(bounded) // MIB * MIB)

    def finished(self, state: TransferState, **fields: Any) -> None:
        """The last move of a transfer that went well."""
        self.move_to(
            state,
            bytes_done=self.transfer.size,
            rate=0.0,
            error="",
            finished_at=timezone.now(),
            **fields,
        )


def temporary_name(transfer: Transfer) -> str:
    """The same at every try, so that a later one finds what an earlier one left."""
    return f".centro-{transfer.pk.hex}.part"
