"""The websocket application of one process in a test's own event loop, and clients of it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path

from accounts.services import create_token
from api.live import ApiWords, Gate
from pipeline_management.consumers.hub import Hub
from pipeline_management.consumers.runs import RunConsumer, RunListConsumer
from pipeline_management.consumers.transfers import TransferListConsumer
from pipeline_management.models import Run
from pipeline_management.services import announcing
from pipeline_management.services.transition import Change, Note, apply

_numbers = itertools.count()
ORIGIN = "http://127.0.0.1"
SECONDS = 10


class Refusal(Exception):
    """The websocket was not accepted."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


class Socket:
    """One websocket, as its client sees it."""

    def __init__(
        self, application: Any, address: str, headers: dict[str, str], gate: asyncio.Event
    ) -> None:
        parts = urlsplit(address)
        pairs = {"host": "127.0.0.1"} | headers
        scope = {
            "type": "websocket", "scheme": "ws", "path": parts.path, "query_string": parts.query.encode(),
            "http_version": "1.1", "subprotocols": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
        }  # fmt: skip

        async def slowed(scope: Any, receive: Any, send: Any) -> None:
            async def sent(message: dict[str, Any]) -> None:
                if message["type"] == "websocket.send":
                    await gate.wait()
                await send(message)

            await application(scope, receive, sent)

        self.inner = ApplicationCommunicator(slowed, scope)

    async def open(self) -> None:
        """Raises ``Refusal`` with the HTTP status."""
        await self.inner.send_input({"type": "websocket.connect"})
        answer = await self.inner.receive_output(SECONDS)
        if answer["type"] == "websocket.http.response.start":
            body = (await self.inner.receive_output(SECONDS))["body"]
            raise Refusal(answer["status"], json.loads(body)["detail"])
        assert answer["type"] == "websocket.accept"

    async def next(self, *, heartbeats: bool = False) -> dict[str, Any]:
        """The next message."""
        while True:
            answer = await self.inner.receive_output(SECONDS)
            assert answer["type"] == "websocket.send", answer
            message: dict[str, Any] = json.loads(answer["text"])
            if heartbeats or message["type"] != "heartbeat":
                return message

    async def seqs(self, count: int) -> list[int]:
        """The numbers of the next events."""
        return [(await self.next())["event"]["seq"] for _ in range(count)]

    async def closed(self) -> int:
        """Read until the server closes; the code."""
        while True:
            answer = await self.inner.receive_output(SECONDS)
            if answer["type"] == "websocket.close":
                return int(answer["code"])

    async def say(self, text: str) -> None:
        await self.inner.send_input({"type": "websocket.receive", "text": text})

    async def leave(self) -> None:
        await self.inner.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.inner.wait(SECONDS)


class Process:
    """The hub of one web process and its two addresses."""

    def __init__(self, hub: Hub, heartbeat: float) -> None:
        self.hub = hub
        told: dict[str, Any] = {"hub": hub, "heartbeat": heartbeat}
        routes: list[Any] = [
            ("ws/runs/<uuid:run_id>/", RunConsumer),
            ("ws/runs/", RunListConsumer),
            ("ws/transfers/", TransferListConsumer),
        ]
        self.application = URLRouter(
            [path(at, Gate(kind.as_asgi(**told), hub)) for at, kind in routes]
        )  # type: ignore[arg-type]  # Channels' use of routes

    @asynccontextmanager
    async def socket(
        self, address: str, headers: dict[str, str], gate: asyncio.Event | None = None
    ) -> AsyncIterator[Socket]:
        """An accepted websocket; raises ``Refusal``."""
        if gate is None:
            gate = asyncio.Event()
            gate.set()
        socket = Socket(self.application, address, headers, gate)
        try:
            await socket.open()
            yield socket
        finally:
            await socket.leave()


Scenario = Callable[[Process], Coroutine[Any, Any, None]]


def play(
    scenario: Scenario,
    monkeypatch: pytest.MonkeyPatch,
    *,
    heartbeat: float = 5,
    per_person: int = 50,
    announced: bool = True,
) -> None:
    """Run a scenario; announcements reach the hub as if by Redis, or not at all.

    In a thread of its own: tests with a browser leave an event loop running in the main one.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        hub = Hub(ApiWords("http://centro.example"), per_person, threads=2)

        def publish(message: str) -> None:
            if announced:
                loop.call_soon_threadsafe(
                    hub._heard, [UUID(entry["run"]) for entry in json.loads(message)]
                )

        monkeypatch.setattr(announcing, "_publish", publish)
        try:
            await scenario(Process(hub, heartbeat))
        finally:
            await hub.close()

    with ThreadPoolExecutor(1) as own:
        own.submit(lambda: asyncio.run(main())).result()


def by_token(user: User) -> dict[str, str]:
    """Headers of a program."""
    return {"authorization": f"Bearer {create_token(user, f'socket {next(_numbers)}')[1]}"}


def by_session(user: User, origin: str | None = ORIGIN) -> dict[str, str]:
    """Headers of a browser."""
    client = Client()
    client.force_login(user)
    cookie = {"cookie": f"sessionid={client.cookies['sessionid'].value}"}
    return cookie | ({"origin": origin} if origin else {})


def note(run: Run, number: int = 1) -> None:
    """Write events."""
    for _ in range(number):
        apply(
            [Change(Run.objects.get(pk=run.pk), notes=[Note("message", data={"text": "ä <b>"})])],
            actor="test",
        )


def awaited(process: Process, work: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
    """Do something with the database beside the event loop."""
    return process.hub.database(work, *arguments)
