"""Announcing events: after commit only, one message for many, and never in the way."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import LazySettings
from django.db import transaction

from pipeline_management.choices import RunState
from pipeline_management.models import RunEvent
from pipeline_management.services import announcing
from pipeline_management.services.transition import Change, Note, apply
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


class Server:
    """Stands for Redis; takes messages or is down."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []
        self.calls = 0
        self.down = False

    def publish(self, channel: str, message: str) -> None:
        self.calls += 1
        if self.down:
            raise redis.ConnectionError("refused")
        self.messages.append((channel, json.loads(message)))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(announcing, "_client", lambda url: server)
    monkeypatch.setattr(announcing, "_rest_until", 0.0)
    return server


def test_a_transition_announces_its_newest_event_after_commit(server: Server) -> None:
    run, other = make_run(), make_run()
    server.messages.clear()
    with transaction.atomic():
        changes = [
            Change(run, RunState.SUBMITTING, notes=[Note("attention")]),
            Change(other, notes=[Note("late")]),
        ]
        assert len(apply(changes, actor="test")) == 2
        assert server.messages == []
    ((_, entries),) = server.messages
    assert {(e["run"], e["seq"], e["type"]) for e in entries} == {
        (str(run.pk), 3, "state"),
        (str(other.pk), 2, "late"),
    }


def test_what_is_rolled_back_is_not_announced(server: Server) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        announcing.announce(uuid4(), 1, "state")
        raise RuntimeError
    assert server.messages == []


def test_a_loser_announces_nothing(server: Server) -> None:
    run = make_run(state=RunState.RUNNING)
    server.messages.clear()
    run.state = RunState.QUEUED
    assert apply([Change(run, RunState.SUBMITTING)], actor="test") == set()
    assert server.messages == []


def test_a_dead_redis_is_left_alone_for_a_while(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.down = True
    announcing.announce(uuid4(), 1, "state")
    announcing.announce(uuid4(), 1, "state")
    assert server.calls == 1
    server.down = False
    monkeypatch.setattr(announcing, "_rest_until", 0.0)
    announcing.announce(uuid4(), 7, "state")
    assert [entries[0]["seq"] for _, entries in server.messages] == [7]


def test_no_events_no_message(server: Server) -> None:
    announcing.announce_all([])
    announcing.announce_all(RunEvent.objects.none())
    assert server.calls == 0


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://127.0.0.1:6379/3", "centro:3:run-events"),
        ("redis://127.0.0.1:6379", "centro:0:run-events"),
        ("redis://127.0.0.1:6379/0?db=5", "centro:5:run-events"),
        ("unix:///var/run/valkey.sock?db=2", "centro:2:run-events"),
        ("unix:///var/run/valkey.sock", "centro:0:run-events"),
    ],
)
def test_numbered_databases_have_channels_of_their_own(
    url: str, name: str, settings: LazySettings
) -> None:
    settings.CENTRO_REDIS_URL = url
    assert announcing.channel() == name
