"""Beginnings, ends, whole contents and new contents of files, over every transport."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpc.errors import (
    CommandTimeout,
    FileForbidden,
    FileMissing,
    FileTooLarge,
    HpcError,
    InvalidCount,
    IsADirectory,
    NotADirectory,
    NotRegular,
    OutputTooLarge,
    ParentMissing,
    PatternNotFound,
    RemoteFileError,
)
from hpc.files.content import download, head, tail, upload, view
from hpc.transports.base import Transport
from hpc.transports.ssh import SSHTransport
from tests.hpc.far_files import hostile_names, names, refused, shell

LINES = "".join(f"line {number}\n" for number in range(1, 31)).encode()


def put(transport: Transport, path: str, data: bytes, size: int | None = None) -> None:
    source = io.BytesIO(data)
    chunks = iter(lambda: source.read(100_000), b"")
    transport.pipe(upload(path, len(data) if size is None else size), source=chunks)


def take(transport: Transport, path: str, limit: int | None = None) -> bytes:
    pieces: list[bytes] = []
    transport.pipe(download(path, limit), sink=pieces.append)
    return b"".join(pieces)


def put_refused(transport: Transport, path: str, kind: type[HpcError], data: bytes = b"new") -> None:
    with pytest.raises(HpcError) as caught:
        put(transport, path, data)
    assert type(caught.value) is kind, repr(caught.value)


@pytest.fixture
def lines(transport: Transport, far_dir: str) -> str:
    transport.write(f"{far_dir}/lines", LINES)
    return f"{far_dir}/lines"


def test_head(transport: Transport, lines: str) -> None:
    whole = LINES.splitlines(keepends=True)
    for options, expected in (
        ({}, whole[:10]), ({"lines": "3"}, whole[:3]), ({"lines": "100"}, whole), ({"lines": "0"}, []),
        ({"lines": "28", "skip_ending": True}, whole[:2]), ({"lines": "-28"}, whole[:2]),
        ({"count": "9"}, [b"line 1\nli"]), ({"count": "5", "skip_ending": True}, [LINES[:-5]]),
        ({"count": "1K"}, whole), ({"lines": "1KB"}, whole), ({"lines": "1kB"}, whole), ({"count": "2b"}, whole),
        ({"lines": "12", "grep": "1"}, [whole[0], whole[9], whole[10], whole[11]]),
        ({"count": "12", "grep": "ine"}, [b"line 1\n", b"line \n"]),
        ({"lines": "2", "grep": ""}, whole[:2]),
    ):
        assert transport.execute(head(lines, **options)) == b"".join(expected), options


def test_tail(transport: Transport, lines: str) -> None:
    whole = LINES.splitlines(keepends=True)
    for options, expected in (
        ({}, whole[-10:]), ({"lines": "3"}, whole[-3:]), ({"lines": "0"}, []),
        ({"lines": "29", "skip_beginning": True}, whole[28:]), ({"lines": "+29"}, whole[28:]),
        ({"count": "4"}, [b" 30\n"]), ({"count": "8", "skip_beginning": True}, [LINES[7:]]),
        ({"lines": "12", "grep": "20"}, [whole[19]]),
        ({"lines": "20", "skip_beginning": True, "grep": "line 3"}, [whole[29]]),
    ):
        assert transport.execute(tail(lines, **options)) == b"".join(expected), options


@pytest.mark.parametrize("pattern", ["-e", "--help", "a.c", "[x]", "$(id)", "'", '"; id; "', "\\", "^x", "é", "*"])
def test_the_filter_is_a_fixed_text(transport: Transport, far_dir: str, pattern: str) -> None:
    transport.write(f"{far_dir}/f", f"abc\nx\nhas {pattern} in it\n".encode() + b"bin\0ary\xff\n")
    assert transport.execute(head(f"{far_dir}/f", grep=pattern)) == f"has {pattern} in it\n".encode()
    assert transport.execute(tail(f"{far_dir}/f", grep=pattern)) == f"has {pattern} in it\n".encode()


@pytest.mark.parametrize("part", [head, tail], ids=["head", "tail"])
def test_head_and_tail_are_refused(part: Callable, transport: Transport, far_dir: str, lines: str) -> None:
    for options in ({}, {"grep": "x"}):
        refused(transport, part(f"{far_dir}/no", **options), FileMissing, f"{far_dir}/no")
        refused(transport, part(far_dir, **options), IsADirectory, far_dir)
        refused(transport, part(f"{lines}/x", **options), NotADirectory, f"{lines}/x")
    refused(transport, part(lines, grep="nothing like it"), PatternNotFound, lines)
    refused(transport, part(lines, lines="9" * 30), RemoteFileError)
    refused(transport, part(lines, lines="9" * 30, grep="x"), RemoteFileError)
    shell(transport, far_dir, "head -c 300000 /dev/zero | tr '\\0' 'x' > big")
    refused(transport, part(f"{far_dir}/big", max_output=100_000), OutputTooLarge)
    assert len(transport.execute(part(f"{far_dir}/big", max_output=300_000))) == 300_000


@pytest.mark.parametrize("part", [head, tail], ids=["head", "tail"])
@pytest.mark.parametrize("value", ["x", "1x", "", " 1", "1 2", "0x10", "1.5", "--5", "1; id", "$(id)", "٣"])
def test_numbers_that_are_none(part: Callable, value: str) -> None:
    with pytest.raises(InvalidCount, match="bytes"):
        part("/x", count=value)
    if value:
        with pytest.raises(InvalidCount, match="lines"):
            part("/x", lines=value)


def test_head_and_tail_that_cannot_be_meant() -> None:
    for make in (
        lambda: head("/x", lines="1", count="1"), lambda: tail("/x", lines="1", count="1"),
        lambda: head("/x", grep="a\nb"), lambda: head(""), lambda: tail("a\0"),
    ):
        with pytest.raises(ValueError):
            make()
    for part, option in ((head, "skip_ending"), (tail, "skip_beginning")):
        with pytest.raises(InvalidCount):
            part("/x", lines="-3", **{option: True})


def test_view_and_download(transport: Transport, far_dir: str) -> None:
    for data in (b"", b"x", b"no newline", b"bin\0\xff\r\n", os.urandom(500_000)):
        transport.write(f"{far_dir}/f", data)
        assert transport.execute(view(f"{far_dir}/f", max(1, len(data)))) == data
        assert take(transport, f"{far_dir}/f", len(data)) == data
    refused(transport, view(f"{far_dir}/f", 499_999), FileTooLarge, f"{far_dir}/f")
    with pytest.raises(FileTooLarge, match="499999 bytes"):
        take(transport, f"{far_dir}/f", 499_999)
    shell(transport, far_dir, "ln -s f l")
    assert take(transport, f"{far_dir}/l") == data
    assert b"Linux" in transport.execute(view("/proc/version", 10_000))
    refused(transport, view("/proc/version", 5), FileTooLarge)


def test_view_and_download_are_refused(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkfifo pipe; echo x > f; ln -s no gone")
    for path, kind in (
        (f"{far_dir}/no", FileMissing), (f"{far_dir}/gone", FileMissing), (far_dir, IsADirectory),
        (f"{far_dir}/f/x", NotADirectory), (f"{far_dir}/pipe", NotRegular), ("/dev/zero", NotRegular),
    ):
        refused(transport, view(path, 100), kind, path)
        with pytest.raises(HpcError) as caught:
            take(transport, path)
        assert type(caught.value) is kind


def test_upload(transport: Transport, far_dir: str) -> None:
    path = f"{far_dir}/f"
    for data in (b"", b"x", os.urandom(500_000), b"shorter\n"):
        put(transport, path, data)
        assert transport.read(path) == data
    assert names(transport, far_dir) == ["f"]
    mask = int(shell(transport, far_dir, "umask"), 8)
    assert stat.S_IMODE(transport.stat(path).mode) == 0o666 & ~mask


def test_upload_keeps_what_an_existing_file_is(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "echo old > f; chmod 751 f; mkdir d; echo old > d/real; ln -s d/real l; ln -s x gone")
    put(transport, f"{far_dir}/f", b"new")
    assert stat.S_IMODE(transport.stat(f"{far_dir}/f").mode) == 0o751
    put(transport, f"{far_dir}/l", b"through the link")
    assert transport.stat(f"{far_dir}/l", follow=False).is_link
    assert transport.read(f"{far_dir}/d/real") == b"through the link"
    put(transport, f"{far_dir}/gone", b"now there")
    assert transport.read(f"{far_dir}/gone") == b"now there"
    assert names(transport, f"{far_dir}/d") == ["real"]


def test_upload_is_refused(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "echo old > f; mkdir d; mkfifo p; ln -s d to-d")
    put_refused(transport, f"{far_dir}/no/x", ParentMissing)
    put_refused(transport, f"{far_dir}/f/x", NotADirectory)
    put_refused(transport, f"{far_dir}/f/x/y", NotADirectory)
    put_refused(transport, f"{far_dir}/d", IsADirectory, os.urandom(3_000_000))
    put_refused(transport, f"{far_dir}/to-d", IsADirectory)
    put_refused(transport, f"{far_dir}/p", NotRegular)
    put_refused(transport, f"{far_dir}/{'x' * 256}", RemoteFileError)
    assert names(transport, far_dir) == ["d", "f", "p", "to-d"]
    assert transport.run(["true"]).exit_code == 0


@pytest.mark.parametrize("size", [2, 4])
def test_half_an_upload_changes_nothing(transport: Transport, far_dir: str, size: int) -> None:
    transport.write(f"{far_dir}/f", b"old")
    with pytest.raises(RemoteFileError, match="incomplete"):
        put(transport, f"{far_dir}/f", b"new", size)
    assert transport.read(f"{far_dir}/f") == b"old"
    assert names(transport, far_dir) == ["f"]


def test_an_upload_whose_source_fails_changes_nothing(transport: Transport, far_dir: str) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a" * 100_000
        raise OSError("the sender went away")

    with pytest.raises((OSError, HpcError)):
        transport.pipe(upload(f"{far_dir}/f", 200_000), source=broken())
    # The far side clears up when it sees the end of what it reads, after us: on a busy machine well after.
    shell(transport, far_dir, "n=100; while [ $n -gt 0 ] && [ -n \"$(ls -A)\" ]; do sleep 0.2; n=$((n-1)); done")
    assert transport.listdir(far_dir) == []


def test_half_an_upload_that_nobody_listens_to_leaves_nothing(tmp_path: Path) -> None:
    """The other end closed all it had of the command, as sshd does after a connection broke."""
    reader, nobody = os.pipe()
    os.close(reader)
    argv = upload(f"{tmp_path}/f", 200_000).argv
    writing = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=nobody, stderr=nobody)
    os.close(nobody)
    writing.communicate(b"a" * 100_000)
    assert writing.returncode != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lab
def test_content_without_rights(ssh: SSHTransport, lab: object) -> None:
    folder = ssh.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    shell(ssh, folder, "echo old > locked; chmod 444 locked; mkdir shut; chmod 500 shut")
    for command in (
        head("/etc/shadow"), tail("/etc/shadow"), head("/etc/shadow", grep="root"), view("/etc/shadow", 10_000),
        head("/root/x"), tail("/root/x", grep="x"), view("/root/x", 10),
    ):
        refused(ssh, command, FileForbidden)
    with pytest.raises(FileForbidden):
        take(ssh, "/etc/shadow")
    for path in ("/etc/new", "/etc/passwd", "/root/x", f"{folder}/locked", f"{folder}/shut/x"):
        put_refused(ssh, path, FileForbidden)
    assert ssh.read(f"{folder}/locked") == b"old\n"
    ssh.run(["rm", "-r", folder])


def test_hostile_names(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        path = f"{folder}/{name}"
        put(transport, path, b"one\ntwo\n")
        put(transport, path, b"two\nthree\n")
        assert names(transport, folder) == [name]
        assert transport.execute(head(path, lines="1")) == b"two\n"
        assert transport.execute(tail(path, lines="1")) == b"three\n"
        assert transport.execute(tail(path, grep="wo")) == b"two\n"
        assert transport.execute(view(path, 100)) == b"two\nthree\n"
        assert take(transport, path) == b"two\nthree\n"
        shell(transport, folder, "rm -r -- ./* ./.h* 2>/dev/null; true")
        transport.run(["ln", "-s", "--", "target", path])
        transport.write(f"{folder}/target", b"")
        put(transport, path, b"through")
        assert transport.read(f"{folder}/target") == b"through"


@pytest.mark.parametrize("name", ["ends\n", "a b", "\udcff"])
def test_a_link_to_a_hostile_name_is_followed(transport: Transport, far_dir: str, name: str) -> None:
    transport.write(f"{far_dir}/{name}", b"old")
    transport.run(["ln", "-s", "--", name, f"{far_dir}/l"])
    put(transport, f"{far_dir}/l", b"new")
    assert transport.read(f"{far_dir}/{name}") == b"new"
    assert len(names(transport, far_dir)) == 2


def test_a_tail_that_takes_too_long_leaves_no_process(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkfifo pipe")
    for options in ({}, {"grep": "x"}):
        refused(transport, tail(f"{far_dir}/pipe", timeout=0.5, **options), CommandTimeout)
    assert transport.is_usable
    assert transport.run(["pgrep", "-f", f"tail --lines=10 -- {far_dir}/pipe"]).text == ""


def test_a_gigabyte_costs_no_memory(transport: Transport, far_dir: str) -> None:
    size = 2**30
    shell(transport, far_dir, f"truncate -s {size} big")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(transport, view(f"{far_dir}/big", 5 * 2**20), FileTooLarge)
    with pytest.raises(FileTooLarge):
        take(transport, f"{far_dir}/big", 5 * 2**20)
    assert len(transport.execute(tail(f"{far_dir}/big", count="10"))) == 10
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 * 1024  # KiB


def test_streams_cost_no_memory(transport: Transport, far_dir: str) -> None:
    """A quarter of a gigabyte up and down, with what a handful of pieces takes."""
    size, piece = 2**28, bytes(2**18)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    transport.pipe(upload(f"{far_dir}/big", size), source=(piece for _ in range(size // len(piece))))
    assert transport.stat(f"{far_dir}/big").size == size
    got = [0]

    def sink(data: bytes) -> None:
        got[0] += len(data)

    transport.pipe(download(f"{far_dir}/big"), sink=sink)
    assert got == [size]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 48 * 1024  # KiB
