"""A small HTTP client on a kept connection: as little processor time beside the server as possible."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from typing import Any

from tests.lab.sitefile import PASSWORDS


def basic(user: str) -> str:
    """The Authorization header of one of the lab's people."""
    return "Basic " + base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()


class KeepAlive:
    """One connection. ``call`` answers (status, headers, body) and raises OSError when it breaks."""

    def __init__(self, port: int, authorization: str | None = None, timeout: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = {"Authorization": authorization} if authorization else {}

    def call(
        self, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request; ``data`` goes as JSON."""
        sent = self._headers | (headers or {})
        body = None
        if data is not None:
            body = json.dumps(data).encode()
            sent = {"Content-Type": "application/json"} | sent
        self._connection.request(method, path, body=body, headers=sent)
        answer = self._connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def new_run(self, configuration: dict[str, Any]) -> str:
        """Post a run; its id. RuntimeError unless it was created."""
        status, _, body = self.call("POST", "/api/v1/new-run/", configuration)
        if status != 201:
            raise RuntimeError(f"new-run: {status} {body[:500]!r}")
        return str(json.loads(body)["id"])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
