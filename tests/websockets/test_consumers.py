"""What watchers of runs are told, whom it is refused, and how a websocket ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import ApiToken, Membership, Role
from pipeline_management.choices import RunState
from pipeline_management.consumers import hub as hubs
from pipeline_management.consumers import mailbox, runs
from pipeline_management.models import Run
from pipeline_management.services import watching
from pipeline_management.services.transition import Change, apply
from tests.factories import make_lab, make_user
from tests.websockets.clients import (
    Process,
    Refusal,
    awaited,
    by_session,
    by_token,
    note,
)

pytestmark = pytest.mark.django_db(transaction=True)
Play = Callable[..., None]


def test_snapshot_then_events_in_the_words_of_the_api(run: Run, alice: User, played: Play) -> None:
    headers, told = by_token(alice), []

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            told.append(await socket.next())
            await awaited(process, note, run, 2)
            told.extend([await socket.next() for _ in range(2)])

    played(scenario)
    snapshot, *events = told
    assert (snapshot["type"], snapshot["seq"], snapshot["run"]["id"]) == (
        "snapshot",
        1,
        str(run.pk),
    )
    assert snapshot["run"]["links"]["self"] == f"http://centro.example/api/v1/runs/{run.pk}/"
    rows = Client(headers=headers).get(f"/api/v1/runs/{run.pk}/events/?after=1").json()["results"]
    assert [message["event"] for message in events] == rows
    assert {(m["type"], m["run"]) for m in events} == {("event", str(run.pk))}


def test_after_replays_in_pages(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PAGE", 3)
    note(run, 10)
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/?after=4", headers) as socket:
            assert (await socket.next())["type"] == "snapshot"
            assert await socket.seqs(7) == list(range(5, 12))
            await awaited(process, note, run, 8)
            assert await socket.seqs(8) == list(range(12, 20))

    played(scenario)


def test_nothing_is_lost_or_doubled_over_breaks(run: Run, alice: User, played: Play) -> None:
    """Events are written all the time while the client leaves and comes back with what it saw last."""
    headers, total = by_token(alice), 60
    seen: list[int] = []

    async def scenario(process: Process) -> None:
        writing = asyncio.ensure_future(awaited(process, note, run, total))
        while len(seen) < total:
            after = seen[-1] if seen else 1
            async with process.socket(f"/ws/runs/{run.pk}/?after={after}", headers) as socket:
                assert (await socket.next())["type"] == "snapshot"
                seen.extend(await socket.seqs(min(7, total - len(seen))))
        await writing

    played(scenario)
    assert seen == list(range(2, total + 2))


def test_without_announcements_events_come_a_little_later(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(hubs, "LOOK_SECONDS_DEAF", 0.1)
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            await socket.next()
            await awaited(process, note, run, 3)
            assert await socket.seqs(3) == [2, 3, 4]

    played(scenario, announced=False)


def test_one_read_serves_all_watchers(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    original = watching.events_of

    def counted(marks: Any) -> Any:
        found = original(marks)
        reads.append(len(found))
        return found

    monkeypatch.setattr(watching, "events_of", counted)
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        sockets = [process.socket(f"/ws/runs/{run.pk}/", headers) for _ in range(20)]
        opened = [await socket.__aenter__() for socket in sockets]
        for socket in opened:
            await socket.next()
        await awaited(process, note, run)
        assert [await socket.seqs(1) for socket in opened] == [[2]] * 20
        for socket in sockets:
            await socket.__aexit__(None, None, None)

    played(scenario)
    assert sum(reads) == 1


# who may


def test_a_session_of_our_own_pages_may(run: Run, alice: User, played: Play) -> None:
    headers = by_session(alice)

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            assert (await socket.next())["type"] == "snapshot"

    played(scenario)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401), ("forged token", 401), ("forged session", 401), ("basic", 401), ("inactive", 401),
        ("session without origin", 403), ("session of another site", 403), ("token at another site", 403),
        ("other lab", 404), ("wrong host", 400),
    ],
)  # fmt: skip
def test_others_are_refused_before_the_websocket_is_open(
    who: str, status: int, run: Run, alice: User, played: Play
) -> None:
    stranger = make_user("mallory")
    make_lab("lab-b", mallory=Role.MANAGER)
    headers = {
        "anonymous": lambda: {},
        "forged token": lambda: {"authorization": "Bearer cto_" + "x" * 40},
        "forged session": lambda: {"cookie": "sessionid=" + "x" * 32, "origin": "http://127.0.0.1"},
        "basic": lambda: {"authorization": "Basic YWxpY2U6eA=="},
        "inactive": lambda: by_token(alice),
        "session without origin": lambda: by_session(alice, None),
        "session of another site": lambda: by_session(alice, "http://127.0.0.1.evil.example"),
        "token at another site": lambda: by_token(alice) | {"origin": "https://evil.example"},
        "other lab": lambda: by_token(stranger),
        "wrong host": lambda: by_session(alice) | {"host": "evil.example"},
    }[who]()
    if who == "inactive":
        User.objects.filter(pk=alice.pk).update(is_active=False)

    async def scenario(process: Process) -> None:
        with pytest.raises(Refusal) as refused:
            async with process.socket(f"/ws/runs/{run.pk}/", headers):
                pass
        assert refused.value.status == status

    played(scenario)


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 10, "²"])
def test_a_wrong_after_is_named(after: str, run: Run, alice: User, played: Play) -> None:
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        with pytest.raises(Refusal) as refused:
            async with process.socket(f"/ws/runs/{run.pk}/?after={after}", headers):
                pass
        assert refused.value.status == 400
        assert refused.value.text.startswith("after: expected the number")

    played(scenario)


def test_a_person_holds_so_many_and_no_more(run: Run, alice: User, played: Play) -> None:
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        address = f"/ws/runs/{run.pk}/"
        async with process.socket(address, headers):
            async with process.socket("/ws/runs/", headers):
                with pytest.raises(Refusal) as refused:
                    async with process.socket(address, headers):
                        pass
                assert refused.value.status == 429
            async with process.socket(address, headers) as socket:
                assert (await socket.next())["type"] == "snapshot"

    played(scenario, per_person=2)


def log_out(alice: User) -> None:
    Session.objects.all().delete()


def revoke(alice: User) -> None:
    ApiToken.objects.all().delete()


def change_password(alice: User) -> None:
    alice.set_password("another")
    alice.save()


def deactivate(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


def leave_lab(alice: User) -> None:
    Membership.objects.all().delete()


@pytest.mark.parametrize(
    ("by", "loss", "code"),
    [
        (by_session, log_out, 4401), (by_session, change_password, 4401), (by_session, deactivate, 4401),
        (by_token, revoke, 4401), (by_token, deactivate, 4401),
        (by_token, leave_lab, 4403), (by_session, leave_lab, 4403),
    ],
)  # fmt: skip
def test_who_may_no_longer_is_dropped_within_a_heartbeat(
    by: Callable[[User], dict[str, str]],
    loss: Callable[[User], None],
    code: int,
    run: Run,
    alice: User,
    played: Play,
) -> None:
    headers = by(alice)

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            await socket.next()
            assert (await socket.next(heartbeats=True))["type"] == "heartbeat"
            await awaited(process, loss, alice)
            assert await socket.closed() == code

    played(scenario, heartbeat=0.1)


# how they end


def test_clients_that_send_much_are_dropped(run: Run, alice: User, played: Play) -> None:
    headers = by_token(alice)

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            await socket.say("ä" * 3000)
            await socket.say("x" * 5000)
            assert await socket.closed() == 1009
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            for _ in range(runs.MESSAGES_PER_BEAT + 1):
                await socket.say("x")
            assert await socket.closed() == 1008

    played(scenario)


def test_a_slow_reader_is_dropped_and_goes_on_where_it_was(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MESSAGES", 5)
    headers, gate = by_token(alice), asyncio.Event()

    async def scenario(process: Process) -> None:
        gate.set()
        async with process.socket(f"/ws/runs/{run.pk}/", headers, gate) as socket:
            await socket.next()
            await awaited(process, note, run)
            assert await socket.seqs(1) == [2]
            gate.clear()  # it reads no more
            await awaited(process, note, run, 10)
            assert await socket.closed() == 4408
        gate.set()
        async with process.socket(f"/ws/runs/{run.pk}/?after=2", headers, gate) as socket:
            await socket.next()
            assert await socket.seqs(10) == list(range(3, 13))

    played(scenario)


def test_a_run_that_is_over_ends_its_websockets_in_a_friendly_way(
    run: Run, alice: User, played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "OVER_SECONDS", 0.1)
    headers = by_token(alice)

    def end() -> None:
        apply([Change(Run.objects.get(pk=run.pk), RunState.FINISHING)], actor="test")
        apply([Change(Run.objects.get(pk=run.pk), RunState.SUCCEEDED)], actor="test")

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{run.pk}/", headers) as socket:
            await socket.next()
            for _ in range(3):  # it goes on, so its websocket does
                assert (await socket.next(heartbeats=True))["type"] == "heartbeat"
            await awaited(process, end)
            assert await socket.seqs(2) == [2, 3]
            assert await socket.closed() == 1000

    played(scenario, heartbeat=0.2)
