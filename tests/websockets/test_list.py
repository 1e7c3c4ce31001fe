"""What watchers of lists are told, and the end of a process that has watchers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from pipeline_management.consumers import hub as hubs
from pipeline_management.consumers.bell import Bell
from pipeline_management.models import Run
from tests.factories import make_lab, make_run, make_user
from tests.websockets.clients import (
    Process,
    awaited,
    by_session,
    by_token,
    note,
)

pytestmark = pytest.mark.django_db(transaction=True)
Play = Callable[..., None]


def test_the_list_tells_of_visible_runs_only(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LIST_SECONDS", 0.05)
    foreign = make_run(lab=make_lab("lab-b"))
    headers, boss = by_token(alice), by_session(make_user("boss", staff=True))

    async def scenario(process: Process) -> None:
        async with (
            process.socket("/ws/runs/", headers) as mine,
            process.socket("/ws/runs/", boss) as all_,
        ):
            assert [row["id"] for row in (await mine.next())["runs"]] == [str(run.pk)]
            assert {row["id"] for row in (await all_.next())["runs"]} == {
                str(run.pk),
                str(foreign.pk),
            }
            await awaited(process, note, foreign)
            message = await all_.next()
            told = (message["type"], message["run"]["id"], message["seq"])
            assert told == ("run", str(foreign.pk), 2)
            await awaited(process, note, run)
            assert (await all_.next())["run"]["id"] == str(run.pk)
            message = await mine.next()  # the first since the snapshot: nothing of the other lab
            assert (message["run"]["id"], message["run"]["state"]) == (str(run.pk), "running")

    played(scenario)


def test_without_announcements_the_list_is_told_a_little_later(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LIST_SECONDS", 0.05)
    monkeypatch.setattr(hubs, "LOOK_SECONDS_DEAF", 0.1)
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        process.hub._bell.listen = asyncio.Event().wait  # type: ignore[method-assign,assignment]  # a Redis that is away
        async with process.socket("/ws/runs/", headers) as socket:
            await socket.next()
            await asyncio.sleep(0.5)
            await awaited(process, note, run)
            assert (await socket.next())["seq"] == 2

    played(scenario, announced=False)


def test_a_process_ends_though_a_library_lost_the_first_cancellation(
    run: Run, alice: User, monkeypatch: pytest.MonkeyPatch, played: Play
) -> None:
    lost: list[str] = []

    async def deaf(self: Bell) -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append("once")

    monkeypatch.setattr(Bell, "listen", deaf)
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            assert (await socket.next())["type"] == "snapshot"

    played(scenario)
    assert lost == ["once"]
