"""The websocket of transfers: the person's own, as they are and as they change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, TransferState
from tests.factories import make_account, make_user
from tests.websockets.clients import Process, Refusal, Scenario, awaited, by_token, play

pytestmark = pytest.mark.django_db(transaction=True)
Play = Callable[[Scenario], None]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Play:
    monkeypatch.setattr("pipeline_management.consumers.transfers.IDLE_SECONDS", 0.1)
    monkeypatch.setattr("pipeline_management.consumers.transfers.BUSY_SECONDS", 0.1)
    return lambda scenario: play(scenario, monkeypatch)


def make_transfer(user: User, **fields: Any) -> Transfer:
    values = {
        "direction": Direction.UPLOAD, "user": user, "account": make_account(user=user), "path": "/a/b.bam",
        "key": uuid.uuid4().hex, "limit": 100, "size": 100, "state": TransferState.MOVING,
        "expires_at": timezone.now(),
    } | fields  # fmt: skip
    return Transfer.objects.create(**values)


def test_progress_and_the_end_are_told_to_the_owner_only(played: Play) -> None:
    alice = make_user("alice")
    own = make_transfer(alice)
    make_transfer(make_user("bob"))
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        async with process.socket("/ws/transfers/", headers) as socket:
            first = await socket.next()
            assert first["type"] == "snapshot"
            assert [row["id"] for row in first["transfers"]] == [str(own.pk)]
            rows = Transfer.objects.filter(pk=own.pk)
            await awaited(process, lambda: rows.update(bytes_done=40, rate=20.0))
            told = await socket.next()
            assert (told["type"], told["transfer"]["bytes_done"]) == ("transfer", 40)
            assert told["transfer"]["remaining_seconds"] == 3
            assert told["transfer"]["links"]["self"].startswith("http://centro.example/api/")
            await awaited(process, lambda: rows.update(state=TransferState.DONE))
            assert (await socket.next())["transfer"]["state"] == "done"

    played(scenario)


def test_a_new_transfer_is_told(played: Play) -> None:
    alice = make_user("alice")
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        async with process.socket("/ws/transfers/", headers) as socket:
            assert (await socket.next())["transfers"] == []
            made = await awaited(process, make_transfer, alice)
            assert (await socket.next())["transfer"]["id"] == str(made.pk)

    played(scenario)


def test_nobody_has_no_transfers(played: Play) -> None:
    async def scenario(process: Process) -> None:
        with pytest.raises(Refusal) as caught:
            async with process.socket("/ws/transfers/", {}):
                pass
        assert caught.value.status == 401

    played(scenario)
