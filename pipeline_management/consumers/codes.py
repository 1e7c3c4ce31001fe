"""How a websocket ends, and how one is refused before it begins (docs/howto/websocket.md lists both)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from channels.exceptions import StopConsumer

OVER = 1000
"""The run is over and nothing has happened to it for a while."""
UNEXPECTED = 1008
TOO_LARGE = 1009
LATER = 1013
LOGGED_OUT = 4401
FORBIDDEN = 4403
TOO_SLOW = 4408

REASONS = {
    OVER: "the run is over",
    UNEXPECTED: "too many messages",
    TOO_LARGE: "message too large",
    LATER: "try again later",
    LOGGED_OUT: "the session or token has ended",
    FORBIDDEN: "the run may not be seen any more",
    TOO_SLOW: "read too slowly; go on with after=",
}

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def deny(send: Send, status: int, message: str) -> None:
    """Refuse a websocket before it is accepted: an HTTP status with a JSON object (RFC 9457)."""
    body = json.dumps({"status": status, "detail": message}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if status in (429, 503):
        headers.append((b"retry-after", b"10"))
    start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})


async def deny_and_stop(send: Send, status: int, message: str) -> None:
    """The same from within a consumer, which ends by it."""
    await deny(send, status, message)
    raise StopConsumer
