"""Counting, finding and searching lines: bounded looks into files of any size."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpc.commands import CommandResult
from hpc.errors import BadFrame, BadPattern, FileForbidden, FileMissing, IsADirectory, NotRegular
from hpc.files.lines import Match, Matches, count_lines, find_line, search_lines
from hpc.transports.base import Transport
from hpc.transports.local import LocalTransport
from tests.hpc.far_files import HOSTILE, hostile_names, names, refused


@pytest.fixture
def local() -> Iterator[Transport]:
    """Plain processes of this machine."""
    with LocalTransport() as transport:
        yield transport


TEXT = b"".join(b"line %d\n" % number for number in range(1, 1001)) + b"no newline at the end"


def put(transport: Transport, folder: str, data: bytes = TEXT, name: str = "log") -> str:
    transport.write(f"{folder}/{name}", data)
    return f"{folder}/{name}"


def test_newlines_are_counted_by_blocks(transport: Transport, far_dir: str) -> None:
    path = put(transport, far_dir)
    found = transport.execute(count_lines(path, 0, 10**15, 1000))
    blocks = [TEXT[at : at + 1000].count(b"\n") for at in range(0, len(TEXT), 1000)]
    assert (found.size, list(found.counts)) == (len(TEXT), blocks)
    assert found.inode == transport.execute(count_lines(path, 0, 0, 1)).inode
    part = transport.execute(count_lines(path, 1000, 2500, 1000))
    assert part.counts == (blocks[1], TEXT[2000:2500].count(b"\n"))
    assert transport.execute(count_lines(path, len(TEXT) + 5, len(TEXT) + 9, 10)).counts == ()


def test_the_place_behind_a_newline(transport: Transport, far_dir: str) -> None:
    path = put(transport, far_dir)
    for start, lines in ((0, 1), (0, 500), (7, 3), (0, 1000)):
        expected = [at.end() for at in re.finditer(b"\n", TEXT) if at.end() > start][lines - 1]
        assert transport.execute(find_line(path, start, len(TEXT), lines)) == expected
    assert transport.execute(find_line(path, 0, len(TEXT), 1001)) == len(TEXT)
    assert transport.execute(find_line(path, 0, 10, 5)) == 10


def test_matches_have_place_number_and_text(transport: Transport, far_dir: str) -> None:
    path = put(transport, far_dir)
    found = transport.execute(search_lines(path, ["ne 99"], 0, 10**9))
    assert [(m.line, m.text) for m in found.found] == [
        (number, b"line %d" % number) for number in (99, *range(990, 1000))
    ]
    assert all(TEXT[m.offset :].startswith(m.text + b"\n") for m in found.found)
    assert (found.stop, found.size) == (len(TEXT), len(TEXT))
    last = transport.execute(search_lines(path, ["no newline"], 0, 10**9)).found
    assert last == (Match(TEXT.index(b"no newline"), 1001, b"no newline at the end"),)
    assert transport.execute(search_lines(path, ["nothing"], 0, 10**9)).found == ()
    assert transport.execute(search_lines(path, ["line"], len(TEXT), 5)).found == ()


def test_plain_text_regular_expressions_and_case(transport: Transport, far_dir: str) -> None:
    path = put(transport, far_dir, b"a.c\nabc\nA.C\nerror: x\nERROR 7\n$(touch ran) `touch ran`\n-e\n\xc3\xa9t\xe9\n")

    def lines(*patterns: str, **options: bool) -> list[int]:
        found = transport.execute(search_lines(path, patterns, 0, 10**6, **options)).found
        return [match.line for match in found]

    assert lines("a.c") == [1]
    assert lines("a.c", regex=True) == [1, 2]
    assert lines("a.c", ignore_case=True) == [1, 3]
    assert lines("^(error:|ERROR [0-9])", regex=True) == [4, 5]
    assert lines("abc", "ERROR") == [2, 5]
    assert lines("$(touch ran) `touch ran`") == [6]
    assert lines("-e") == [7]
    assert lines("é") == [8]
    assert "ran" not in names(transport, far_dir)


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\n" not in text])
def test_no_pattern_runs_or_becomes_an_option(local: Transport, tmp_path: Path, text: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + text.encode("utf-8", "surrogateescape") + b" here\n")
    found = local.execute(search_lines(str(path), [text], 0, 10**6)).found
    assert [match.line for match in found][-1] == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["log"]


def test_names_that_break_shells(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        path = f"{folder}/{name}"
        transport.run(["sh", "-c", 'printf "one\\ntwo\\n" >"$1"', "sh", path])
        assert transport.execute(count_lines(path, 0, 100, 100)).counts == (2,)
        assert transport.execute(search_lines(path, ["two"], 0, 100)).found[0].offset == 4
        assert transport.execute(find_line(path, 0, 100, 1)) == 4
        assert names(transport, folder) == [name]


@pytest.mark.parametrize("count", [1, 7, 64, 1000, 100_000])
def test_searching_part_by_part_finds_each_line_once(local: Transport, tmp_path: Path, count: int) -> None:
    rng = random.Random(count)  # noqa: S311  the same lines each time
    lines = [b"x" * rng.randrange(0, 90) + rng.choice([b"hit", b"hat", b""]) for _ in range(60)]
    data = b"\n".join(lines)
    path = tmp_path / "log"
    path.write_bytes(data)
    count = max(count, 130)  # longer than any line: a longer one is cut where a search ends
    at, offsets = 0, []
    while at < len(data):
        found = local.execute(search_lines(str(path), ["hit"], at, count, most=3))
        assert found.stop > at
        offsets += [match.offset for match in found.found]
        at = found.stop
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    assert offsets == [start for start, line in zip(starts, lines, strict=True) if b"hit" in line]


def test_more_matches_than_asked_for(local: Transport, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(TEXT)
    found = local.execute(search_lines(str(path), ["line"], 0, 10**6, most=10))
    assert len(found.found) == 10
    assert found.stop == TEXT.index(b"line 11\n")


def test_a_line_without_end_is_cut(local: Transport, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"y" * 3_000_000 + b"needle\n")
    found = local.execute(search_lines(str(path), ["y"], 0, 1_000_000))
    assert (len(found.found), len(found.found[0].text), found.stop) == (1, 500, 1_000_000)
    assert local.execute(search_lines(str(path), ["needle"], 2_000_000, 2_000_000)).found[0].offset == 2_000_000


def test_a_huge_file_is_looked_at_in_part(local: Transport, tmp_path: Path) -> None:
    """20 GiB of which nothing is on the disk; dd is told what to read, so no other byte is."""
    path = tmp_path / "log"
    size = 20 * 2**30
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size - 12)
        file.write(b"\nfound here\n")
    assert local.execute(count_lines(str(path), size - 4096, size, 4096)).counts == (2,)
    found = local.execute(search_lines(str(path), ["found"], size - 4096, 2**30))
    assert [(match.offset, match.text) for match in found.found] == [(size - 11, b"found here")]
    assert local.execute(search_lines(str(path), ["found"], 0, 4096)).stop == 4096


def test_what_cannot_be_searched(transport: Transport, far_dir: str) -> None:
    for command in (count_lines, search):
        refused(transport, command(f"{far_dir}/no", 0, 5, 5), FileMissing, f"{far_dir}/no")
        refused(transport, command(far_dir, 0, 5, 5), IsADirectory)
    transport.run(["mkfifo", "pipe"], cwd=far_dir)
    refused(transport, count_lines(f"{far_dir}/pipe", 0, 5, 5), NotRegular)
    path = put(transport, far_dir)
    if transport.run(["id", "-u"]).text.strip() != "0":
        transport.run(["chmod", "000", path])
        refused(transport, search(path, 0, 5, 5), FileForbidden)


def search(path: str, start: int, count: int, _block: int) -> object:
    return search_lines(path, ["x"], start, count)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2", "*(", "[[:nothing:]]"])
def test_a_pattern_that_grep_cannot_read(local: Transport, tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"text\n")
    command = search_lines(str(path), [pattern], 0, 10, regex=True)
    try:
        assert local.execute(command).found == ()  # some are taken as plain text
    except BadPattern as error:
        assert str(error) and not str(error).startswith("grep")
    else:
        assert pattern in ("a{2", "*(")


@pytest.mark.parametrize("call", [
    lambda: count_lines("/x", -1, 5, 5), lambda: count_lines("/x", 6, 5, 5), lambda: count_lines("/x", 0, 5, 0),
    lambda: count_lines("x", 0, 5, 5), lambda: find_line("/x", 0, 5, 0), lambda: find_line("/x", -1, 5, 1),
    lambda: search_lines("/x", [], 0, 5), lambda: search_lines("/x", [""], 0, 5),
    lambda: search_lines("/x", ["a\nb"], 0, 5), lambda: search_lines("/x", ["a\0"], 0, 5),
    lambda: search_lines("/x", ["a"], 0, 0), lambda: search_lines("/x", ["a"], 0, 5, most=0),
    lambda: search_lines("/x", ["a"], 0, 5, most=1001), lambda: search_lines("/x\0", ["a"], 0, 5),
])  # fmt: skip
def test_senseless_requests(call) -> None:  # noqa: ANN001
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize("text", [b"", b"x\n", b"5\n", b"5 7 x\n"])
def test_a_damaged_answer_is_no_answer(text: bytes) -> None:
    commands = (count_lines("/x", 0, 5, 5), find_line("/x", 0, 5, 1), search_lines("/x", ["a"], 0, 5))
    for command in commands:
        with pytest.raises(BadFrame):
            command.parse(CommandResult(0, text, b"", 0.1))


def test_a_damaged_match_is_no_answer() -> None:
    command = search_lines("/x", ["a"], 0, 500)
    with pytest.raises(BadFrame):
        command.parse(CommandResult(0, b"500 7 500 0\nnonsense\n", b"", 0.1))
    found = command.parse(CommandResult(0, b"500 7 500 0\n3:17:a:b\n", b"", 0.1))
    assert found == Matches(500, 7, 500, (Match(17, 3, b"a:b"),))
