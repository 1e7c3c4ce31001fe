"""Line numbers, searching and downloading: bounded, whatever the size of the file."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from django.core.cache import cache

from hpc.commands import MIB
from hpc.errors import ConnectFailed, ConnectionLost
from pipeline_management.choices import RunState
from pipeline_management.errors import InvalidRequest, Missing, Unavailable
from pipeline_management.models import Run
from pipeline_management.services import log_download, log_lines, log_search, logs
from tests.pipeline_management.logs.conftest import Asked

LINE = b"%011d" + b"." * 51 + b"\n"  # 63 bytes
WIDTH = 63


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and steps so small that a small file has many of them."""
    monkeypatch.setattr(log_lines, "BLOCK", 1000)
    monkeypatch.setattr(log_lines, "STEP", 10_000)


def write(tmp_path: Path, lines: int) -> bytes:
    data = b"".join(LINE % number for number in range(1, lines + 1))
    (tmp_path / "stdout").write_bytes(data)
    return data


def ask_until_known(run: Run, line: int) -> log_lines.Place:
    for _ in range(100):
        place = log_lines.place_of(run, "stdout", line)
        if place.complete:
            return place
        assert place.offset is None
    raise AssertionError("never known")


def test_lines_are_found_by_number_and_by_place(run: Run, tmp_path: Path, blocks: None) -> None:
    data = write(tmp_path, 500) + b"no end"
    (tmp_path / "stdout").write_bytes(data)
    for line in (1, 2, 16, 17, 159, 160, 161, 499, 500, 501):
        assert ask_until_known(run, line).offset == (line - 1) * WIDTH, line
    for offset in (0, 1, 62, 63, 999, 1000, 1001, 20_000, 31_499, 31_500, len(data)):
        place = log_lines.line_at(run, "stdout", offset)
        assert place.complete and place.line == data[:offset].count(b"\n") + 1, offset
    behind = ask_until_known(run, 502)
    assert (behind.offset, behind.lines, behind.counted) == (None, 500, len(data))
    beyond = log_lines.line_at(run, "stdout", len(data) + 1)
    assert (beyond.line, beyond.complete, beyond.lines) == (None, True, 500)


def test_counting_goes_on_where_it_stopped(
    run: Run, tmp_path: Path, blocks: None, asked: Asked
) -> None:
    write(tmp_path, 500)
    seen = []
    while True:
        place = log_lines.line_at(run, "stdout", 30_000)
        seen.append(place.counted)
        if place.complete:
            break
    assert seen == [10_000, 20_000, 30_000]
    assert place.line == 30_000 // WIDTH + 1
    asked.names.clear()
    log_lines.line_at(run, "stdout", 29_500)  # known up to there: one look
    assert log_lines.place_of(run, "stdout", 200).offset == 199 * WIDTH
    assert len(asked.names) == 2


def test_a_log_that_grows_is_counted_on(run: Run, tmp_path: Path, blocks: None) -> None:
    write(tmp_path, 100)
    assert log_lines.place_of(run, "stdout", 100).offset == 99 * WIDTH
    write(tmp_path, 150)
    assert log_lines.place_of(run, "stdout", 150).offset == 149 * WIDTH


def test_another_file_in_its_place_is_counted_anew(run: Run, tmp_path: Path, blocks: None) -> None:
    write(tmp_path, 100)
    log_lines.line_at(run, "stdout", 6300)
    log = tmp_path / "stdout"
    log.unlink()
    (tmp_path / "keeps the inode").write_bytes(b"")
    log.write_bytes(b"\n" * 9000)
    assert log_lines.line_at(run, "stdout", 8500).line == 8501
    log.write_bytes(b"\n" * 1500)  # the same file, cut
    assert log_lines.line_at(run, "stdout", 1200).line == 1201


def test_searching(run: Run, tmp_path: Path) -> None:
    text = b"ok\n\x1b[31mERROR: first\x1b[0m\nall 0 errors\nValueError: second\nERRORS\n10%\r20%\rdone\n"
    (tmp_path / "stdout").write_bytes(text)
    found = log_search.search(run, "stdout", "error", ignore_case=True)
    assert [hit.text for hit in found.hits] == [
        "ERROR: first",
        "all 0 errors",
        "ValueError: second",
        "ERRORS",
    ]
    assert [text[hit.offset :].split(b"\n")[0] for hit in found.hits][1] == b"all 0 errors"
    assert (found.next_offset, found.size, found.complete) == (len(text), len(text), True)
    errors = log_search.errors(run, "stdout")
    assert [hit.text for hit in errors.hits] == ["ERROR: first", "ValueError: second"]
    assert [hit.text for hit in log_search.search(run, "stdout", "^(ok|10)", regex=True).hits] == [
        "ok",
        "done",
    ]
    part = log_search.search(run, "stdout", "r", most=1)
    assert not part.complete and len(part.hits) == 1
    assert (
        log_search.search(run, "stdout", "r", start=part.next_offset).hits[0].text
        == "all 0 errors"
    )


@pytest.mark.parametrize(
    ("line", "is_error"),
    [
        ("ERROR", True), ("[ERROR] x", True), ("2026 FATAL: y", True), ("error: no such thing", True),
        ("KeyError: 'x'", True), ("java.lang.IOException: x", True), ("Segmentation fault (core dumped)", True),
        ("Traceback (most recent call last):", True), ("bash: samtool: command not found", True),
        ("cat: x: No such file or directory", True), ("Detected 1 oom-kill event(s)", True),
        ("*** JOB 5 ON n1 CANCELLED AT 2026-11-22 DUE TO TIME LIMIT ***", True), ("::error file=x::y", True),
        ("0 errors", False), ("TERROR", False), ("no error found", False), ("error_rate=0.1", False),
        ("Exception handling enabled", False), ("", False),
    ],
)  # fmt: skip
def test_what_looks_like_an_error(run: Run, tmp_path: Path, line: str, is_error: bool) -> None:
    (tmp_path / "stdout").write_text(f"before\n{line}\nafter\n")
    assert [hit.offset for hit in log_search.errors(run, "stdout").hits] == (
        [7] if is_error else []
    )


@pytest.mark.parametrize("pattern", ["", "x" * 201, "a\nb", "a\0b"])
def test_patterns_that_are_refused(run: Run, pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 200 printable"):
        log_search.search(run, "stdout", pattern)


def test_a_pattern_that_grep_cannot_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"x\n")
    with pytest.raises(InvalidRequest, match="Unmatched"):
        log_search.search(run, "stdout", "(", regex=True)


def test_without_patterns_there_are_no_errors(run: Run, settings: object) -> None:
    settings.CENTRO_LOG_ERROR_PATTERNS = []  # type: ignore[attr-defined]  # pytest-django's
    assert log_search.errors(run, "stdout").complete


def test_files_that_are_not_there(run: Run, tmp_path: Path, asked: Asked) -> None:
    assert log_search.search(run, "stdout", "x").complete, "nothing has been written yet"
    with pytest.raises(Missing, match="no such file"):
        log_lines.place_of(run, "stdout", 2)
    run.state = RunState.SUCCEEDED
    for call in (
        lambda: log_search.search(run, "stdout", "x"),
        lambda: log_download.log_file(run, "stdout"),
    ):
        with pytest.raises(Missing):
            call()
    (tmp_path / "stderr").mkdir()
    with pytest.raises(Missing, match="directory"):
        log_lines.line_at(run, "stderr", 5)
    asked.names.clear()
    run.state = RunState.QUEUED
    with pytest.raises(Missing):
        log_download.log_file(run, "stdout")
    assert asked.names == [], "a run without a job has no files to ask for"


def test_a_system_that_does_not_answer(run: Run, asked: Asked) -> None:
    def broken() -> None:
        raise ConnectFailed("no route to host")

    asked.before = broken
    for call in (
        lambda: log_search.search(run, "stdout", "x"), lambda: log_search.errors(run, "stdout"),
        lambda: log_lines.line_at(run, "stdout", 5), lambda: log_lines.place_of(run, "stdout", 5),
        lambda: log_download.log_file(run, "stdout"),
    ):  # fmt: skip
        with pytest.raises(Unavailable, match="no route to host"):
            call()


# --- 2 GB -------------------------------------------------------------------------------------------------------


@pytest.fixture
def huge(run: Run, tmp_path: Path) -> int:
    """2 GiB of which little is on the disk: a log at both ends; its size."""
    size = 2 * 2**30
    with (tmp_path / "stdout").open("wb") as file:
        file.write(b"".join(LINE % number for number in range(1, 1001)))
        file.truncate(size)
        file.seek(size - 12_000)
        file.write(b"\n" + b"".join(b"tail %05d\n" % number for number in range(1090)))
        file.truncate(size)
    run.state = RunState.SUCCEEDED
    return size


def test_two_gigabytes_cost_no_more_than_a_small_log(run: Run, huge: int, asked: Asked) -> None:
    """What comes over the connection, what is asked, and what is in memory: bounded by the piece."""
    tracemalloc.start()
    tail = logs.read_log(run=run, stream="stdout", limit=65536, lines="whole")
    assert tail.size == huge and tail.data.endswith(b"\n") or tail.data.endswith(b"\0")
    logs.read_log(run=run, stream="stdout", offset=huge // 2, limit=65536, lines="whole")
    logs.read_log(run=run, stream="stdout", before=huge // 3, limit=65536, lines="whole")
    assert log_lines.place_of(run, "stdout", 900).offset == 899 * WIDTH
    found = log_search.search(run, "stdout", "00000000500")
    assert found.hits[0].offset == 499 * WIDTH
    assert found.next_offset == log_search.STEP and not found.complete
    last = log_search.search(run, "stdout", "tail 00500", start=huge - 12_000)
    assert [hit.text for hit in last.hits] == ["tail 00500"] and last.complete
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB
    assert asked.bytes < MIB
    assert len(asked.names) <= 8


def test_a_download_holds_one_piece_at_a_time(run: Run, huge: int, asked: Asked) -> None:
    file = log_download.log_file(run, "stdout")
    assert file.size == huge
    tracemalloc.start()
    total = sum(len(piece) for piece in log_download.pieces(run, file, huge - 30 * MIB - 7, huge))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 30 * MIB + 7
    assert peak < 10 * MIB
    assert cache.get("nothing") is None


def test_a_download_of_a_file_that_was_cut_breaks(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 10)
    file = log_download.log_file(run, "stdout")
    (tmp_path / "stdout").write_bytes(b"")
    with pytest.raises(ConnectionLost, match="became shorter"):
        list(log_download.pieces(run, file, 0, file.size))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None), ("bytes=0-", (0, 100)), ("bytes=10-19", (10, 20)), ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)), ("bytes=-500", (0, 100)), ("bytes=99-99", (99, 100)), ("bytes = 1 - 2", (1, 3)),
        ("bytes=-", None), ("bytes=5-4", None), ("bytes=0-1,5-6", None), ("lines=1-2", None), ("bytes=x-", None),
        ("bytes=100-", ValueError), ("bytes=-0", ValueError),
    ],
)  # fmt: skip
def test_which_part_a_range_header_asks_for(header: str, part: object) -> None:
    if part is ValueError:
        with pytest.raises(ValueError):
            log_download.part_of(header, 100)
    else:
        assert log_download.part_of(header, 100) == part


def test_nothing_of_an_empty_file(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 0)
    assert log_download.log_file(run, "stdout").size == 0
    with pytest.raises(ValueError):
        log_download.part_of("bytes=0-", 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("GIAB/NA 12878", "GIAB_NA_12878-stdout.log"), ("../../etc", "etc-stdout.log"), ("…", "run-stdout.log"),
     ('a"b\r\nc', "a_b_c-stdout.log"), ("x" * 300, "x" * 80 + "-stdout.log")],
)  # fmt: skip
def test_what_a_download_is_called(run: Run, tmp_path: Path, name: str, expected: str) -> None:
    write(tmp_path, 1)
    run.name = name
    assert log_download.log_file(run, "stdout").name == expected
