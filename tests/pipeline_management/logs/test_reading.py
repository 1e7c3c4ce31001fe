"""Pieces of a run's output: lines and characters are never torn, and all pieces together are the file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hpc.errors import FileMissing
from pipeline_management.choices import RunState, TaskState
from pipeline_management.models import Run, RunLog, RunTask
from pipeline_management.services import logs
from pipeline_management.services.engines.shell import ShellEngine
from pipeline_management.services.log_text import (
    Piece,
    begin_at_line,
    end_with_character,
    end_with_line,
)
from tests.factories import make_job


def random_text(seed: int) -> bytes:
    """Lines of many lengths, some longer than a piece, of one to four bytes a character."""
    rng = random.Random(seed)  # noqa: S311  the same text each time
    lines = ["".join(rng.choices("aé€𝄞", k=rng.choice([0, 1, 5, 20, 200]))) for _ in range(60)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("data", "snap", "expected"),
    [
        (b"\nabc\nd", False, Piece(b"abc\nd", 10, True)),
        (b"xabc\nd", False, Piece(b"abc\nd", 10, False)),
        (b"\nabc\nd", True, Piece(b"abc\nd", 10, True)),
        (b"xabc\nd", True, Piece(b"d", 14, True)),
        (b"x\xa9bc", True, Piece(b"bc", 11, False)),
        (b"xabc\n", True, Piece(b"abc\n", 10, False)),  # else nothing would be left
        (b"x\n", True, Piece(b"\n", 10, False)),
        (b"", True, Piece(b"", 10, False)),
    ],
)
def test_where_a_piece_begins(data: bytes, snap: bool, expected: Piece) -> None:
    assert begin_at_line(data, 10, look_back=True, snap=snap) == expected


def test_where_a_piece_ends() -> None:
    assert end_with_line(Piece(b"ab\ncd", 5, True)) == Piece(b"ab\n", 5, True)
    assert end_with_line(Piece("abé".encode()[:-1], 5, True)).data == b"ab"
    assert end_with_character(Piece("a\né".encode()[:-1], 5, True)).data == b"a\n"
    assert Piece(b"abc", 5, True).end == 8


@pytest.mark.parametrize("limit", [7, 64, 1000])
@pytest.mark.parametrize("seed", [1, 2])
def test_pieces_forwards_and_backwards_are_the_file(
    run: Run, tmp_path: Path, seed: int, limit: int
) -> None:
    data = random_text(seed)
    (tmp_path / "stdout").write_bytes(data)
    run.state = RunState.SUCCEEDED
    offset, forwards = 0, []
    while offset < len(data):
        piece = logs.read_log(run=run, stream="stdout", offset=offset, limit=limit, lines="end")
        assert piece.offset == offset and piece.data and len(piece.data) <= limit
        piece.data.decode()  # no character is torn
        assert piece.starts_line == (offset == 0 or data[offset - 1 : offset] == b"\n")
        if b"\n" in piece.data and not piece.complete:
            assert piece.data.endswith(b"\n")
        forwards.append(piece.data)
        offset = piece.next_offset
    assert b"".join(forwards) == data
    assert piece.complete
    offset, backwards = len(data), []
    while offset > 0:
        piece = logs.read_log(run=run, stream="stdout", before=offset, limit=limit, lines="whole")
        assert piece.next_offset == offset and piece.data
        piece.data.decode()
        backwards.insert(0, piece.data)
        offset = piece.offset
    assert b"".join(backwards) == data


def test_a_jump_into_the_middle_begins_with_a_line(run: Run, tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % number for number in range(5000))
    (tmp_path / "stdout").write_bytes(data)
    for offset in (0, 1, 7, 8, 20_000, 30_003):
        piece = logs.read_log(run=run, stream="stdout", offset=offset, limit=500, lines="whole")
        assert piece.data.startswith(b"line ") and piece.data.endswith(b"\n") and piece.starts_line
        assert 0 <= piece.offset - offset < 10
    tail = logs.read_log(run=run, stream="stdout", limit=500, lines="whole")
    assert tail.data.startswith(b"line ") and tail.data.endswith(b"line 4999\n")
    assert 490 < len(tail.data) <= 500


def test_the_end_of_what_is_being_written_waits_for_its_character(run: Run, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"one\ntwo \xe2\x82")
    assert logs.read_log(run=run, stream="stdout", offset=0, lines="end").data == b"one\ntwo "
    run.state = RunState.FAILED  # nothing will follow
    piece = logs.read_log(run=run, stream="stdout", offset=0, lines="end")
    assert piece.data == b"one\ntwo \xe2\x82" and piece.complete


def test_a_kept_tail_is_cut_the_same_way(run: Run) -> None:
    run.state = RunState.SUCCEEDED
    RunLog.objects.create(
        run=run,
        stream="stdout",
        offset=100,
        size=120,
        data=b"torn\nsecond\nlast one",
        collected_at=run.created_at,
    )
    piece = logs.read_log(run=run, stream="stdout", limit=1000, lines="whole")
    assert (piece.data, piece.offset, piece.source) == (b"second\nlast one", 105, "stored")
    assert piece.complete and piece.starts_line
    assert logs.read_log(run=run, stream="stdout", before=112, lines="whole").data == b"second\n"
    assert logs.read_log(run=run, stream="stdout", before=0, lines="whole").data == b""


def test_which_streams_there_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert logs.streams_of(run) == ("stdout", "stderr", "scheduler")
    with pytest.raises(FileMissing):
        logs.path_of(run, "runner")
    monkeypatch.setattr(ShellEngine, "runner_log", "logs/runner.log")
    assert logs.streams_of(run)[-1] == "runner"
    assert logs.path_of(run, "runner") == f"{run.directory}/logs/runner.log"
    job = make_job()
    assert "runner" not in logs.streams_of(job)
    for name in (
        "secrets",
        "../stdout",
        "task:",
        "task:0",
        "task:-1",
        "task:x",
        "task:1/..",
        "task:²",
        "",
    ):
        assert not logs.is_stream(name)
        with pytest.raises(ValueError):
            logs.read_log(run=run, stream=name)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("logs/align.log", "logs/align.log"),
        ("./a//b.log", "a/b.log"),
        ("{dir}/deep/c.log", "deep/c.log"),
        ("x/../d.log", "d.log"),
        ("../other/stdout", None),
        ("/etc/passwd", None),
        ("{dir}/../stolen", None),
        ("{dir}-beside/log", None),
        (".", None),
    ],
)
def test_the_log_of_a_task_is_in_the_run_s_directory(
    run: Run, path: str, found: str | None
) -> None:
    task = RunTask.objects.create(run=run, name="align", key="k", state=TaskState.RUNNING,
                                  log_path=path.format(dir=run.directory), reported_at=run.created_at)  # fmt: skip
    assert logs.task_streams(run) == [(f"task:{task.pk}", "align")]
    if found is None:
        with pytest.raises(FileMissing, match="not in the run's directory"):
            logs.path_of(run, f"task:{task.pk}")
    else:
        assert logs.path_of(run, f"task:{task.pk}") == f"{run.directory}/{found}"


def test_the_log_of_another_run_s_task_is_not_there(run: Run) -> None:
    other = make_job()
    task = RunTask.objects.create(
        run=other, name="align", key="k", log_path="log", reported_at=run.created_at
    )
    assert logs.task_streams(run) == []
    with pytest.raises(FileMissing):
        logs.path_of(run, f"task:{task.pk}")
    silent = RunTask.objects.create(run=run, name="quiet", key="q", reported_at=run.created_at)
    assert (
        logs.read_log(run=run, stream=f"task:{silent.pk}").note == "Nothing has been written yet."
    )
