"""Health answers with parts missing, metrics, and who may read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from centro import health, metrics
from centro.heartbeat import Heart
from pipeline_management.models import Heartbeat
from pipeline_management.services.clients import pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def redis_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_redis", lambda: "answers")


def beat(name: str, seconds_ago: float = 0, **data: Any) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    Heartbeat.objects.create(name=name, at=at, data=data)


def parts(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/readyz").json()["parts"]
    return found


def test_healthz_asks_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "connection", None)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_all_parts_are(client: Client, redis_answers: None) -> None:
    beat("worker:a:1")
    beat("beat:a:2", 20)
    beat("worker", 3)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert set(answer.json()["parts"]) == {"database", "redis", "worker", "beat", "sweeps"}
    assert "no-store" in answer["Cache-Control"]


def test_missing_beat_is_not_ready(client: Client, redis_answers: None) -> None:
    beat("worker:a:1")
    beat("worker")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    found = answer.json()["parts"]
    assert found["worker"]["ok"] is True
    assert found["beat"] == {"ok": False, "detail": "no sign of life yet"}


def test_old_heartbeat_is_not_ready(client: Client, redis_answers: None) -> None:
    beat("worker:a:1", 31)
    found = parts(client)["worker"]
    assert found["ok"] is False
    assert found["age_seconds"] in (31, 32)


def test_living_processes_without_arriving_sweeps_are_not_ready(
    client: Client, redis_answers: None
) -> None:
    beat("worker:a:1")
    beat("beat:a:2", since=(datetime.now(UTC) - timedelta(minutes=1)).isoformat())
    beat("worker", 40)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert [name for name, part in answer.json()["parts"].items() if not part["ok"]] == ["sweeps"]


def test_beat_that_has_just_started_may_still_send_its_first_sweep(
    client: Client, redis_answers: None
) -> None:
    beat("worker:a:1")
    beat("beat:a:2", since=datetime.now(UTC).isoformat())
    assert client.get("/readyz").status_code == 200


def test_youngest_of_several_workers_counts() -> None:
    now = datetime.now(UTC)
    signs = [
        health.Sign("worker:a:1", now - timedelta(hours=1), {}),
        health.Sign("worker:b:1", now, {}),
        health.Sign("worker:c:1", None, {}),
    ]
    assert health.process_state("worker", signs)["ok"] is True
    assert health.process_state("beat", signs)["ok"] is False


def test_heart_beats_and_removes_its_row_when_stopped() -> None:
    heart = Heart("worker")
    beat("worker:dead:9", 2 * 86_400)
    beat("beat:dead:9", 2 * 86_400)
    heart.beat()
    found = {h.name: h for h in Heartbeat.objects.all()}
    assert set(found) == {heart.name, "beat:dead:9"}
    assert found[heart.name].data["connections"] == pool.statistics().open_now
    assert health.process_state("worker", [health.Sign(heart.name, found[heart.name].at, {})])["ok"]


def test_heart_survives_a_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heart = Heart("beat")

    def fail() -> None:
        heart._stop.set()
        raise OperationalError(2002, "away")

    monkeypatch.setattr(heart, "beat", fail)
    monkeypatch.setattr("centro.heartbeat.connection.close", lambda: None)
    heart._run()
    assert "the database is away" in caplog.text


def test_dead_redis_is_not_ready(client: Client, settings: Settings) -> None:
    settings.CENTRO_REDIS_URL = "redis://127.0.0.1:1/0"
    found = parts(client)["redis"]
    assert (found["ok"], found["detail"]) == (False, "ConnectionError")


def test_dead_database_is_not_ready_and_tells_no_internals(
    client: Client, redis_answers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise OperationalError(2002, "Can't connect to 'db.internal' as 'centro'")

    monkeypatch.setattr(health, "_database", fail)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "internal" not in answer.content.decode()
    assert {name: part["ok"] for name, part in answer.json()["parts"].items()} == {
        "database": False,
        "redis": True,
        "worker": False,
        "beat": False,
        "sweeps": False,
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_only_reading_is_allowed(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def test_metrics_show_runs_polling_and_heartbeats(client: Client) -> None:
    beat("worker:a:1", 5, connections=2)
    Heartbeat.objects.create(name="never", at=None)
    text = client.get("/metrics").content.decode()
    assert 'centro_runs{state="queued"} 0.0' in text
    assert 'centro_heartbeat_age_seconds{name="worker:a:1"} 5.' in text
    assert 'centro_system_connections{name="worker:a:1"} 2.0' in text
    assert "never" not in text


def test_metrics_are_hidden_from_others(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200


@pytest.mark.parametrize("address", ["", "unix:", "127.0.0.2", "not an address"])
def test_unknown_addresses_may_not_read_metrics(address: str) -> None:
    assert metrics.may_read(address) is False


def test_metrics_cost_a_constant_number_of_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        Heartbeat.objects.create(name=f"worker:{number}", at=datetime.now(UTC))
    with django_assert_max_num_queries(4):
        client.get("/metrics")
