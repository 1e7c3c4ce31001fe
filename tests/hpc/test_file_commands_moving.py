"""Files piece by piece: every piece in its place, a whole file or none, the system's own words for what fails."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hpc.commands import MIB
from hpc.errors import (
    FileForbidden,
    FileMissing,
    IsADirectory,
    NotADirectory,
    ParentMissing,
    RemoteFileError,
)
from hpc.files import moving
from hpc.transports.base import Transport

CONTENT = os.urandom(3 * MIB + 77)
NAME = ".centro-0123.part"


class Store(ThreadingHTTPServer):
    """One object at /object, with ranges; what is PUT is kept by its path."""

    daemon_threads = True

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path != "/object":
            self.send_error(404)
            return
        first, last = self.headers.get("Range", "bytes=0-99999999")[6:].split("-")
        data = CONTENT[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self) -> None:
        if "Content-Length" not in self.headers:
            self.send_error(411)
            return
        self.server.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def write(transport: Transport, part: str, offset: int, data: bytes) -> None:
    source = io.BytesIO(data)
    command = moving.write_at(part, offset, len(data))
    transport.pipe(command, source=iter(lambda: source.read(65536), b""))


def read(transport: Transport, path: str, offset: int, size: int) -> bytes:
    got: list[bytes] = []
    transport.pipe(moving.read_at(path, offset, size), sink=got.append)
    return b"".join(got)


def names(transport: Transport, folder: str) -> list[str]:
    return [entry.name for entry in transport.listdir(folder)]


def test_pieces_in_any_order_and_twice_become_the_file(transport: Transport, far_dir: str) -> None:
    target = f"{far_dir}/it's a file"
    part = transport.execute(moving.begin(target, NAME))
    assert part == f"{far_dir}/{NAME}"
    write(transport, part, 2 * MIB, CONTENT[2 * MIB :])
    write(transport, part, 0, CONTENT[:MIB])
    write(transport, part, MIB, CONTENT[MIB : 2 * MIB])
    write(transport, part, MIB, CONTENT[MIB : 2 * MIB])
    assert transport.execute(moving.begin(target, NAME)) == part
    assert names(transport, far_dir) == [NAME]
    found = transport.execute(moving.digests(part, len(CONTENT), md5_of=MIB))
    assert found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert found.md5s == tuple(
        hashlib.md5(CONTENT[start : start + MIB], usedforsecurity=False).hexdigest()
        for start in range(0, len(CONTENT), MIB)
    )
    transport.execute(moving.publish(target, NAME, len(CONTENT)))
    assert names(transport, far_dir) == ["it's a file"]
    assert transport.read(target) == CONTENT
    with pytest.raises(FileMissing):
        transport.execute(moving.publish(target, NAME, len(CONTENT)))


def test_what_is_replaced_keeps_its_permissions_and_its_link(
    transport: Transport, far_dir: str
) -> None:
    transport.write(f"{far_dir}/old", b"old", 0o640)
    transport.run(["ln", "-s", "old", f"{far_dir}/link"])
    part = transport.execute(moving.begin(f"{far_dir}/link", NAME))
    assert transport.stat(part).mode & 0o777 == 0o600
    write(transport, part, 0, b"new")
    assert transport.read(f"{far_dir}/old") == b"old"
    transport.execute(moving.publish(f"{far_dir}/link", NAME, 3))
    assert transport.read(f"{far_dir}/old") == b"new"
    assert transport.stat(f"{far_dir}/old").mode & 0o777 == 0o640
    assert transport.stat(f"{far_dir}/link", follow=False).is_link


def test_an_incomplete_file_is_not_published(transport: Transport, far_dir: str) -> None:
    transport.write(f"{far_dir}/file", b"old")
    part = transport.execute(moving.begin(f"{far_dir}/file", NAME))
    write(transport, part, 0, b"new")
    with pytest.raises(RemoteFileError, match="not complete"):
        transport.execute(moving.publish(f"{far_dir}/file", NAME, 4))
    assert transport.read(f"{far_dir}/file") == b"old"
    for _ in range(2):
        transport.execute(moving.discard(f"{far_dir}/file", NAME))
    assert names(transport, far_dir) == ["file"]
    transport.execute(moving.discard(f"{far_dir}/gone/file", NAME))


def test_a_discarded_file_does_not_come_back(transport: Transport, far_dir: str) -> None:
    part = transport.execute(moving.begin(f"{far_dir}/file", NAME))
    transport.execute(moving.discard(f"{far_dir}/file", NAME))
    with pytest.raises(FileMissing):
        write(transport, part, 0, b"late")
    assert names(transport, far_dir) == []


def test_a_piece_that_comes_short_is_told(transport: Transport, far_dir: str) -> None:
    part = transport.execute(moving.begin(f"{far_dir}/file", NAME))
    with pytest.raises(RemoteFileError, match="incomplete"):
        transport.pipe(moving.write_at(part, 0, 100), source=iter([b"only this"]))


def test_refusals_are_named(transport: Transport, far_dir: str) -> None:
    transport.write(f"{far_dir}/plain", b"")
    cases: list[tuple[str, type[Exception]]] = [
        (f"{far_dir}/gone/file", ParentMissing),
        (f"{far_dir}/plain/file", NotADirectory),
        (far_dir, IsADirectory),
    ]
    if transport.run(["id", "-u"]).text.strip() != "0":
        cases.append(("/etc/centro-test", FileForbidden))
    for path, kind in cases:
        with pytest.raises(kind):
            transport.execute(moving.begin(path, NAME))
    with pytest.raises(FileMissing):
        transport.execute(moving.moment(f"{far_dir}/gone"))
    with pytest.raises(FileMissing):
        transport.execute(moving.digests(f"{far_dir}/gone", 10))
    with pytest.raises(FileMissing):
        read(transport, f"{far_dir}/gone", 0, MIB)


def test_the_moment_of_a_file_changes_with_it(transport: Transport, far_dir: str) -> None:
    transport.write(f"{far_dir}/file", b"12345")
    size, first = transport.execute(moving.moment(f"{far_dir}/file"))
    assert size == 5
    assert transport.execute(moving.moment(f"{far_dir}/file")) == (size, first)
    transport.write(f"{far_dir}/file", b"54321")
    assert transport.execute(moving.moment(f"{far_dir}/file")) != (size, first)


def test_pieces_are_read_from_their_places(transport: Transport, far_dir: str) -> None:
    transport.write(f"{far_dir}/file", CONTENT)
    assert read(transport, f"{far_dir}/file", MIB, 2 * MIB) == CONTENT[MIB : 3 * MIB]
    assert read(transport, f"{far_dir}/file", 3 * MIB, MIB) == CONTENT[3 * MIB :]


def test_the_system_fetches_pieces_itself(transport: Transport, far_dir: str, store: Store) -> None:
    part = transport.execute(moving.begin(f"{far_dir}/file", NAME))
    for start, size in ((0, 2 * MIB), (2 * MIB, MIB + 77)):
        transport.execute(moving.pull(part, start, size, store.url("/object")))
    assert transport.read(part) == CONTENT
    with pytest.raises(moving.StoreUnanswered, match="404"):
        transport.execute(moving.pull(part, 0, MIB, store.url("/gone")))
    with pytest.raises(FileMissing):
        transport.execute(moving.pull(f"{far_dir}/none", 0, MIB, store.url("/object")))
    closed = store.url("/object").replace(str(store.server_port), "1")
    with pytest.raises(moving.StoreUnanswered):
        transport.execute(moving.pull(part, 0, MIB, closed))


def test_the_system_sends_parts_itself(transport: Transport, far_dir: str, store: Store) -> None:
    path = f"{far_dir}/a file"
    transport.write(path, CONTENT)
    parts = [
        moving.PartToSend(0, 2 * MIB, store.url("/p?n=1&x=%20")),
        moving.PartToSend(2 * MIB, MIB + 77, store.url("/p?n=2")),
    ]
    transport.execute(moving.push(path, parts))
    assert store.kept == {"/p?n=1&x=%20": CONTENT[: 2 * MIB], "/p?n=2": CONTENT[2 * MIB :]}
    closed = moving.PartToSend(0, MIB, store.url("/p").replace(str(store.server_port), "1"))
    with pytest.raises(moving.StoreUnanswered):
        transport.execute(moving.push(path, [closed]))


def test_links_stand_in_no_argument(far_dir: str, transport: Transport, store: Store) -> None:
    link = store.url("/object?signature=secret")
    commands = [
        moving.pull("/x", 0, MIB, link),
        moving.push("/x", [moving.PartToSend(0, MIB, link)]),
        moving.probe(link, "x"),
    ]
    for command in commands:
        assert "secret" not in " ".join(command.argv) + repr(command.env)
        assert command.stdin is not None and b"signature=secret" in command.stdin


def test_a_link_that_would_say_more_is_refused() -> None:
    for url in ('http://x/"\nfile = "/etc/passwd', "http://x/$(id)", "http://x/a b"):
        with pytest.raises(ValueError, match="link"):
            moving.pull("/x", 0, MIB, url)
    with pytest.raises(ValueError, match="multiple"):
        moving.pull("/x", 5, MIB, "http://x/")


def test_the_probe_says_why_not(transport: Transport, far_dir: str, store: Store) -> None:
    store.kept.clear()
    got = transport.execute(moving.probe(store.url("/gone"), "word"))
    assert got.startswith("The system does not reach the store") and "404" in got
    assert "something stands between" in transport.execute(moving.probe(store.url("/object"), "x"))
