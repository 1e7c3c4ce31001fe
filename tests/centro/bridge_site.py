"""A small WSGI application that says what it was asked, behind the bridge: run by tests/centro/test_bridge.py."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from centro.bridge import Bridge

THREADS = 3
NOTES = Path(os.environ.get("BRIDGE_NOTES", os.devnull))


class Whole:
    """Like Django's response that is known as a whole."""

    streaming = False

    def __init__(self, content: bytes) -> None:
        self.content = content

    def close(self) -> None:
        note("closed whole")


class Stream:
    """An answer in pieces that says by its path when it was closed, which is after the client has all of it."""

    streaming = True

    def __init__(self, environ: dict[str, Any], pieces: Iterator[bytes]) -> None:
        self.path = environ["PATH_INFO"]
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        note(f"closed {self.path}")


def note(text: str) -> None:
    with NOTES.open("a") as notes:
        notes.write(text + "\n")


def environment(environ: dict[str, Any]) -> Whole:
    shown = {k: v for k, v in environ.items() if isinstance(v, str | int | bool)}
    return Whole(json.dumps(shown).encode())


def echo(environ: dict[str, Any]) -> Whole:
    digest, size = hashlib.sha256(), 0
    while piece := environ["wsgi.input"].read(65536):
        digest.update(piece)
        size += len(piece)
    return Whole(f"{size} {digest.hexdigest()} {memory()}".encode())


def wrong(environ: dict[str, Any]) -> Whole:
    raise RuntimeError("wrong on purpose")


def thread(environ: dict[str, Any]) -> Whole:
    time.sleep(0.05)
    return Whole(threading.current_thread().name.encode())


def sleep(environ: dict[str, Any]) -> Whole:
    time.sleep(float(environ["QUERY_STRING"] or 0))
    return Whole(b"slept")


ANSWERS: dict[str, Any] = {
    "environ": environment, "echo": echo, "wrong": wrong, "thread": thread, "sleep": sleep,
    "refuse": lambda environ: Whole(b"no"),
    "nothing": lambda environ: Whole(b""),
    "numbers": lambda environ: Stream(environ, (f"{number}\n".encode() for number in range(5))),
    "static": lambda environ: Stream(environ, iter([b"abc", b"def"])),
    "endless": lambda environ: Stream(environ, iter(lambda: b"x" * 100_000, b"")),
    "half": lambda environ: Stream(environ, half()),
}  # fmt: skip
STATUSES = {"refuse": "413 Too large", "nothing": "204 No Content"}


def application(environ: dict[str, Any], start_response: Any) -> Whole | Stream:
    """Answers by the first word of the path."""
    word = environ["PATH_INFO"].split("/")[1]
    answer: Whole | Stream = ANSWERS[word](environ)
    headers = [("Content-Type", "text/plain"), ("X-Twice", "1"), ("X-Twice", "2")]
    if isinstance(answer, Whole):
        headers.append(("Content-Length", str(len(answer.content))))
    elif word == "static":
        headers.append(("Content-Length", "6"))
    start_response(STATUSES.get(word, "200 OK"), headers)
    return answer


def half() -> Iterator[bytes]:
    yield b"first half"
    raise RuntimeError("wrong in the middle, on purpose")


def memory() -> int:
    """Resident megabytes of this process, at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


bridge = Bridge(application, THREADS)


async def site(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application."""
    if scope["type"] != "lifespan":
        await bridge(scope, receive, send)
        return
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            bridge.start()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
