"""ASGI entry point: pages and API in threads, websockets in the event loop, on one port.

Written for Granian (docs/adr/0009-websockets.md); each process has its own threads and its own hub.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Any

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from centro.bridge import Bridge, Receive, Scope, Send
from centro.wsgi import application as wsgi_application

# The web server has set Django up by now.
from api.live import ApiWords, Gate  # isort: skip
from pipeline_management.consumers.hub import Hub  # isort: skip
from pipeline_management.consumers.runs import NowhereConsumer, RunConsumer, RunListConsumer  # isort: skip
from pipeline_management.consumers.transfers import TransferListConsumer  # isort: skip

FILES = 8192
"""Open files wanted: every connection is one."""


def _route(address: str, application: Any) -> Any:
    """Channels uses Django's own routes, whose types know of views only."""
    return path(address, application)


class Server:
    """The ASGI application of one process."""

    def __init__(self) -> None:
        self.bridge = Bridge(wsgi_application, settings.CENTRO_WEB_THREADS)
        self.hub = Hub(ApiWords(settings.CENTRO_PUBLIC_URL), settings.CENTRO_WEBSOCKETS_PER_PERSON)
        told: dict[str, Any] = {"hub": self.hub, "heartbeat": settings.CENTRO_WEBSOCKET_HEARTBEAT}
        self.websockets = URLRouter(
            [
                _route("ws/runs/<uuid:run_id>/", Gate(RunConsumer.as_asgi(**told), self.hub)),
                _route("ws/runs/", Gate(RunListConsumer.as_asgi(**told), self.hub)),
                _route("ws/transfers/", Gate(TransferListConsumer.as_asgi(**told), self.hub)),
                re_path(r"", NowhereConsumer.as_asgi()),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.bridge(scope, receive, send)
        elif scope["type"] == "websocket":

            async def received() -> dict[str, Any]:
                # Granian's own is no coroutine, which Channels expects
                return await receive()

            await self.websockets(scope, received, send)
        else:
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                raise_file_limit()
                self.bridge.start()
            else:
                await self.hub.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def raise_file_limit() -> None:
    """Allow this process as many open files as it may have, up to ``FILES``: the usual 1,024 are few for websockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


application = Server()
