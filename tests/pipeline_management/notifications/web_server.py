"""A small web server that keeps what it is sent, plain or with TLS, on a free port of loopback."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Call:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebServer:
    """``answers`` are the status codes to come, then ``status``; ``location`` makes them redirects.

    ``pause`` seconds pass before the answer; with ``drip`` the body comes byte by byte, a second each.
    """

    status: int = 200
    answers: list[int] = field(default_factory=list)
    text: bytes = b"thank you"
    location: str = ""
    pause: float = 0
    drip: bool = False
    calls: list[Call] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """The server names that clients asked for in TLS."""
    port: int = 0

    def start(self, tls: ssl.SSLContext | None = None) -> WebServer:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                owner.calls.append(Call(self.path, dict(self.headers.items()), body))
                _answer(owner, self)

            def log_message(self, format: str, *args: object) -> None:
                """Tests read ``calls``, nobody the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
        self.port = self._server.server_address[1]
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name or "")
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/hook", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def _answer(owner: WebServer, handler: BaseHTTPRequestHandler) -> None:
    time.sleep(owner.pause)
    handler.send_response(owner.answers.pop(0) if owner.answers else owner.status)
    if owner.location:
        handler.send_header("Location", owner.location)
    handler.send_header("Content-Length", str(len(owner.text)))
    handler.end_headers()
    for at in range(len(owner.text)) if owner.drip else ():
        handler.wfile.write(owner.text[at : at + 1])
        handler.wfile.flush()
        time.sleep(1)
    if not owner.drip:
        handler.wfile.write(owner.text)
