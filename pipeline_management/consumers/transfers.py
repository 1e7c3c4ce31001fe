"""The websocket of a person's transfers: how they are, then each whenever it has changed."""

from __future__ import annotations

import time

from pipeline_management.consumers.mailbox import Letter
from pipeline_management.consumers.runs import LiveConsumer
from pipeline_management.models import Transfer
from pipeline_management.services import watching
from pipeline_management.transfer_states import OPEN

BUSY_SECONDS = 1.0
IDLE_SECONDS = 4.0
"""How often the database is asked, with and without a transfer of which something is still to come."""


class TransferListConsumer(LiveConsumer):
    """``/ws/transfers/``: the person's newest transfers, then each again after every change.

    Progress is no event: the mover writes it down every few seconds, and here it is read and compared.
    """

    _told: dict[str, str]
    _busy = False

    async def prepare(self) -> None:
        """Nothing: who is logged in has a list, which may be empty."""

    async def begin(self, first: None) -> None:
        """The list as it is."""
        rows = await self.hub.database(watching.recent_transfers, self.watcher.user)
        self._told = self._texts(rows)
        await self.send(self.hub.words.transfers(rows))

    async def _until_beat(self) -> None:
        beat = time.monotonic() + self.heartbeat
        while (left := beat - time.monotonic()) > 0:
            await self.mailbox.take(min(left, BUSY_SECONDS if self._busy else IDLE_SECONDS))
            rows = await self.hub.database(watching.recent_transfers, self.watcher.user)
            now = self._texts(rows)
            for key, text in now.items():
                if self._told.get(key) != text:
                    await self.tell(Letter(text))
            self._told = now

    def _texts(self, rows: list[Transfer]) -> dict[str, str]:
        self._busy = any(row.state_enum in OPEN for row in rows)
        return {str(row.pk): self.hub.words.transfer(row) for row in rows}
