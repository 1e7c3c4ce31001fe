"""What jobs and people write reaches watchers as it was, in messages of bounded size."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from pipeline_management.models import Run
from pipeline_management.services.reports import tokens
from tests.hostile.values import TABS_AND_LINES, UNSTORABLE, VALUES
from tests.hostile.world import fill
from tests.websockets.clients import Process, awaited, by_token

pytestmark = pytest.mark.django_db(transaction=True)
Play = Callable[..., None]
LARGEST = 64 * 1024
"""Bytes of an event's message: the job's own 16 KiB, each of whose bytes JSON may escape, and Centro's words."""
TEXTS = [
    *VALUES.values(),
    *TABS_AND_LINES.values(),
    UNSTORABLE["NUL"],
    UNSTORABLE["lone surrogate"],
]


def reported(run: Run, texts: list[Any]) -> int:
    """Each text in every kind of event that a job may send; returns how many were taken. What is refused is 4xx."""
    token = tokens.token_for(run)
    taken = 0
    for number, text in enumerate(texts):
        kinds: dict[str, dict[str, Any]] = {
            "progress": {"percent": 1, "text": text},
            "message": {"text": text},
            "error": {"text": text},
            "task": {
                "name": text,
                "state": "running",
                "log_path": text,
                "resources": {"note": text},
            },
            "metric": {"name": text, "value": 1, "unit": text},
            "artifact": {"path": text, "label": text},
        }
        for at, (kind, data) in enumerate(kinds.items(), start=1):
            event = {
                "sender": "job-1",
                "seq": 10 * number + at,
                "type": kind,
                "at": 1e9,
                "data": data,
            }
            answer = Client().post(
                f"/api/v1/runs/{run.pk}/events/", json.dumps(event), content_type="application/x-ndjson",
                headers={"Authorization": f"Bearer {token}"},
            )  # fmt: skip
            assert answer.status_code in (200, 400, 413, 429), answer.content
            taken += answer.status_code == 200
    return taken


@pytest.fixture
def reporting(run: Run) -> Run:
    run.token_sha256 = tokens.digest_of_new(run.pk)
    run.save()
    return run


def test_reports_come_through_as_they_were(reporting: Run, alice: User, played: Play) -> None:
    headers, told = by_token(alice), []

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{reporting.pk}/?after=1", headers) as socket:
            assert (await socket.next())["type"] == "snapshot"
            taken = await awaited(process, reported, reporting, TEXTS[::5])
            told.extend([await socket.next() for _ in range(taken)])

    played(scenario)
    api = Client(headers=headers)
    rows = api.get(f"/api/v1/runs/{reporting.pk}/events/?after=1").json()["results"]
    assert [message["event"] for message in told] == rows
    assert len(rows) > 40
    assert {row["data"]["text"] for row in rows if row["type"] == "message"} > set(TEXTS[:24:5])
    assert max(len(json.dumps(message)) for message in told) < LARGEST


def test_large_reports_are_refused_or_bounded(reporting: Run, alice: User, played: Play) -> None:
    """A line of a megabyte, one of the largest that is taken, and one of nothing but what JSON has to escape."""
    headers = by_token(alice)
    texts = [
        UNSTORABLE["1 MB"],
        "x" * 16_000,
        "\x1b" * 2_600,
        "\u202e" * 2_600,
        "\U0001f469" * 1_300,
    ]
    sizes: list[int] = []

    async def scenario(process: Process) -> None:
        async with process.socket(f"/ws/runs/{reporting.pk}/?after=1", headers) as socket:
            await socket.next()
            taken = await awaited(process, reported, reporting, texts)
            for _ in range(taken):
                answer = await socket.inner.receive_output(10)
                json.loads(answer["text"])
                sizes.append(len(answer["text"].encode()))

    played(scenario)
    assert sizes and max(sizes) < LARGEST


def test_bytes_that_are_no_text_are_refused(reporting: Run, alice: User) -> None:
    token = tokens.token_for(reporting)
    for noise in (b"\xff\xfe", b"\xed\xa0\x80", b"\x1b]0;x\x07\xc0\xaf", b"\0"):
        body = (
            b'{"sender": "job-1", "seq": 1, "type": "message", "at": 1, "data": {"text": "'
            + noise
            + b'"}}'
        )
        answer = Client().post(
            f"/api/v1/runs/{reporting.pk}/events/", body, content_type="application/x-ndjson",
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["message"]
    assert reporting.events.count() == 1


def test_snapshots_hold_hostile_runs_as_they_are(run: Run, alice: User, played: Play) -> None:
    headers, told = by_token(alice), []
    fill(run, list(VALUES.values()))

    async def scenario(process: Process) -> None:
        for address in (f"/ws/runs/{run.pk}/", "/ws/runs/"):
            async with process.socket(address, headers) as socket:
                told.append(await socket.next())

    played(scenario)
    assert told[0]["run"]["name"] == told[1]["runs"][0]["name"] == run.name
    assert run.name.startswith("<script xq7>")
