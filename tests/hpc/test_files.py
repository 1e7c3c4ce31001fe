"""Slices of files: growing, cut, huge, missing."""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpc.commands import CommandResult
from hpc.errors import BadFrame, FileMissing, RemoteFileError
from hpc.files.ranges import FileSlice, read_range, tails
from hpc.transports.base import Transport
from hpc.transports.local import LocalTransport


def test_ranges(transport: Transport, far_dir: str) -> None:
    data = os.urandom(300_000)
    transport.write(f"{far_dir}/log", data)
    for offset, limit in ((0, 10), (1, 0), (65_535, 2), (65_537, 200_000), (299_999, 5), (300_000, 5)):
        found = transport.execute(read_range(f"{far_dir}/log", offset, limit))
        assert found == FileSlice(data[offset:offset + limit], 300_000, offset)


def test_from_the_end(transport: Transport, far_dir: str) -> None:
    transport.write(f"{far_dir}/log", b"0123456789")
    assert transport.execute(read_range(f"{far_dir}/log", -3, 100)) == FileSlice(b"789", 10, 7)
    assert transport.execute(read_range(f"{far_dir}/log", -3, 1)) == FileSlice(b"7", 10, 7)
    assert transport.execute(read_range(f"{far_dir}/log", -99, 100)) == FileSlice(b"0123456789", 10, 0)


def test_a_file_that_was_cut(transport: Transport, far_dir: str) -> None:
    transport.write(f"{far_dir}/log", b"short")
    assert transport.execute(read_range(f"{far_dir}/log", 1000, 10)) == FileSlice(b"", 5, 1000)


def test_a_huge_file_is_not_read_through(transport: Transport, far_dir: str) -> None:
    size = 50 * 2**40
    assert transport.run(["truncate", "-s", str(size), "log"], cwd=far_dir).exit_code in (0, 1)
    size = transport.stat(f"{far_dir}/log").size or 2**33
    transport.run(["truncate", "-s", str(size), "log"], cwd=far_dir)
    found = transport.execute(read_range(f"{far_dir}/log", size - 100, 10))
    assert found == FileSlice(bytes(10), size, size - 100)


def test_what_is_no_file(transport: Transport, far_dir: str) -> None:
    with pytest.raises(FileMissing):
        transport.execute(read_range(f"{far_dir}/no", 0, 5))
    transport.run(["mkfifo", "pipe"], cwd=far_dir)
    for path in (far_dir, f"{far_dir}/pipe"):
        with pytest.raises(RemoteFileError, match="regular"):
            transport.execute(read_range(path, 0, 5))


def test_several_tails_in_one_command(transport: Transport, far_dir: str) -> None:
    odd = f"{far_dir}/-n 'x'\ny"
    transport.write(odd, b"hello\n")
    transport.write(f"{far_dir}/empty", b"")
    wanted = [(odd, 3), (f"{far_dir}/no", 5), (f"{far_dir}/empty", 5), (odd, 100), (far_dir, 1)]
    assert transport.execute(tails(wanted)) == [
        FileSlice(b"lo\n", 6, 3), None, FileSlice(b"", 0, 0), FileSlice(b"hello\n", 6, 0), None,
    ]


@settings(deadline=None)  # each example starts a process, on a machine that may be busy
@given(content=st.binary(max_size=200), limit=st.integers(0, 250))
def test_any_content_comes_back(content: bytes, limit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / f"slice-{secrets.token_hex(4)}"
    path.write_bytes(content)
    with LocalTransport() as transport:
        (found,) = transport.execute(tails([(str(path), limit)]))
    assert found is not None
    assert found.data == content[max(0, len(content) - limit):]
    path.unlink()


@pytest.mark.parametrize("call", [
    lambda: read_range("relative", 0, 1), lambda: read_range("/x", 0, -1), lambda: tails([]),
    lambda: tails([("/x", 1)] * 501), lambda: tails([("/x\0", 1)]),
])
def test_senseless_requests(call) -> None:  # noqa: ANN001
    with pytest.raises(ValueError):
        call()


def test_a_half_answer_is_no_answer() -> None:
    command = tails([("/x", 5), ("/y", 5)])
    nonce = command.argv[4]
    half = f"\n@{nonce} slice 5 0\nhello\n@{nonce} missing\n".encode()
    for text, code in ((half, 0), (b"", 0), (half + f"\n@{nonce} end\n".encode(), 1)):
        with pytest.raises(BadFrame):
            command.parse(CommandResult(code, text, b"sh: broken", 0.1))
