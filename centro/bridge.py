"""HTTP of an ASGI server answered by Django's WSGI application in a bounded pool of threads.

Plain Django under ASGI costs 2 to 5 times as many requests per second and opens a database connection per
request; here one thread answers one request from its first to its last byte, as under a WSGI server, and keeps its
database connection. The event loop only reads small bodies and hands over. An answer that is known as a whole is
sent by the thread itself: Granian's ``send`` may be called from any thread and acts when called.

What it adds for views: ``environ["CENTRO_WEBSOCKETS"]`` is true, because this server also takes websockets.
"""

from __future__ import annotations

import asyncio
import io
import logging
import queue
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Application = Callable[[Environ, Any], Any]
"""A WSGI application; Django's own answers with a response object."""

WHOLE_BODY = 128 * 1024
"""Request bodies up to this size are read before a thread is taken, so that a slow sender holds none."""
WHOLE_ANSWER = 256 * 1024
"""Streamed answers of a known length up to this (static files, mostly) are sent in one piece."""
PATIENCE = 60.0
"""Seconds without a byte of the request's body after which it is given up."""
TIDY_SECONDS = 0.05

_CONSTANT: Environ = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "CENTRO_WEBSOCKETS": True,
}


class ClientGone(ConnectionError):
    """The client left before its request was whole or its answer sent."""


class _Start:
    """WSGI's ``start_response``: keeps status and headers."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        self.headers = headers

    def message(self) -> Message:
        """The same as ASGI says it."""
        pairs = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in self.headers]
        return {"type": "http.response.start", "status": self.status, "headers": pairs}

    def length(self) -> int | None:
        """The declared length of the body, if there is one."""
        for name, value in self.headers:
            if name.lower() == "content-length" and value.isdigit():
                return int(value)
        return None


class _Body(io.RawIOBase):
    """A large request body, fetched from the event loop piece by piece as the view reads it."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive = receive
        self._loop = loop
        self._rest = memoryview(b"")
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises ``ClientGone`` or ``TimeoutError``, which Django takes for an unreadable request (400)."""
        while not self._rest and self._more:
            message = _wait(_as_coroutine(self._receive), self._loop, PATIENCE)
            if message["type"] != "http.request":
                raise ClientGone("the client left while it sent its request")
            self._rest = memoryview(message.get("body", b""))
            self._more = message.get("more_body", False)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Bridge:
    """An ASGI application for the ``http`` scope; needs ``start`` before the first request."""

    def __init__(self, application: Application, threads: int) -> None:
        self.application = application
        self.threads = threads
        self._work: queue.SimpleQueue[tuple[Environ, Receive, Send, asyncio.Future[None]]] = (
            queue.SimpleQueue()
        )
        self._done: list[tuple[asyncio.Future[None], BaseException | None]] = []
        self._in_flight = 0
        self._tidying = False
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Start the threads; to be called in the event loop. They live as long as the process."""
        self._loop = asyncio.get_running_loop()
        for number in range(self.threads):
            threading.Thread(target=self._serve, name=f"http-{number}", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = environ_of(scope)
        length = environ.get("CONTENT_LENGTH", "")
        if not length and "HTTP_TRANSFER_ENCODING" not in environ:
            environ["wsgi.input"] = io.BytesIO()
        elif length.isdigit() and int(length) <= WHOLE_BODY:
            try:
                environ["wsgi.input"] = io.BytesIO(await _whole(receive))
            except TimeoutError:
                await _refuse(send, 408, b"The body of the request did not arrive.\n")
                return
            except ClientGone:
                return
        else:
            environ["wsgi.input"] = io.BufferedReader(_Body(receive, self._loop), 64 * 1024)
        future = self._loop.create_future()
        self._in_flight += 1
        self._work.put((environ, receive, send, future))
        # Threads do not wake the loop when they are done, which would cost as much as a small request:
        # the futures are settled a moment later, many at once.
        if not self._tidying:
            self._tidying = True
            self._loop.call_later(TIDY_SECONDS, self._tidy)
        await future

    def _tidy(self) -> None:
        done, self._done = self._done, []
        for future, error in done:
            self._in_flight -= 1
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        self._tidying = self._in_flight > 0
        if self._tidying:
            self._loop.call_later(TIDY_SECONDS, self._tidy)

    def _serve(self) -> None:
        while True:
            environ, receive, send, future = self._work.get()
            error: BaseException | None = None
            try:
                self._answer(environ, receive, send)
            except ClientGone:
                pass
            except BaseException as raised:  # the thread must outlive everything
                logger.exception("%s %s failed", environ["REQUEST_METHOD"], environ["PATH_INFO"])
                error = raised
            self._done.append((future, error))
            del environ, receive, send, future, error

    def _answer(self, environ: Environ, receive: Receive, send: Send) -> None:
        start = _Start()
        result = self.application(environ, start)
        try:
            if not getattr(result, "streaming", True):
                _send_whole(send, start, result.content)
            elif environ["REQUEST_METHOD"] == "HEAD":
                _send_whole(send, start, b"")
            elif (length := start.length()) is not None and length <= WHOLE_ANSWER:
                _send_whole(send, start, b"".join(result))
            else:
                self._stream(start, result, receive, send)
        finally:
            # Ends the request for Django too: what the answer holds open, and database connections too old.
            if close := getattr(result, "close", None):
                close()

    def _stream(self, start: _Start, pieces: Iterable[bytes], receive: Receive, send: Send) -> None:
        """Piece by piece, as fast as the client takes them. Raises ``ClientGone`` when it leaves."""
        gone = threading.Event()
        watcher = asyncio.run_coroutine_threadsafe(_left(receive, gone), self._loop)
        try:
            _wait(_sent(send, start.message()), self._loop)
            for piece in pieces:
                if gone.is_set():
                    raise ClientGone("the client left during the answer")
                if piece:
                    message = {"type": "http.response.body", "body": piece, "more_body": True}
                    _wait(_sent(send, message), self._loop)
            _wait(_sent(send, {"type": "http.response.body", "body": b""}), self._loop)
        finally:
            watcher.cancel()


def environ_of(scope: Scope) -> Environ:
    """The WSGI environment (PEP 3333) of an ASGI request.

    A header with an underscore in its name is left out: it could pass for one that a proxy has set.
    """
    server, client = scope.get("server") or ("", ""), scope.get("client") or ("", "")
    environ = {
        **_CONSTANT,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.url_scheme": scope["scheme"],
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "content-length":
            environ["CONTENT_LENGTH"] = value
        elif name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif "_" not in name:
            key = "HTTP_" + name.upper().replace("-", "_")
            if key in environ:
                joint = "; " if name == "cookie" else ","
                value = f"{environ[key]}{joint}{value}"
            environ[key] = value
    return environ


def _send_whole(send: Send, start: _Start, body: bytes) -> None:
    """From the thread itself: the awaitables that come back are ready."""
    send(start.message())
    send({"type": "http.response.body", "body": body})


async def _whole(receive: Receive) -> bytes:
    parts = []
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone("the client left while it sent its request")
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(parts)


async def _refuse(send: Send, status: int, text: bytes) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"connection", b"close")]}
    )
    await send({"type": "http.response.body", "body": text})


async def _left(receive: Receive, gone: threading.Event) -> None:
    while (await receive())["type"] == "http.request":
        pass
    gone.set()


async def _as_coroutine(receive: Receive) -> Message:
    return await receive()


async def _sent(send: Send, message: Message) -> None:
    await send(message)


def _wait(
    work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, seconds: float | None = None
) -> Any:
    """Have the event loop do it, from a thread."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(seconds)
    except TimeoutError:
        future.cancel()
        raise
