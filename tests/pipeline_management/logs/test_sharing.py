"""Many watchers, one read: counted at the door to the system."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from django.core.cache import cache

from hpc.errors import CommandTimeout, ConnectFailed, FileMissing
from pipeline_management.models import Run
from pipeline_management.services import log_sharing
from tests.factories import make_account
from tests.pipeline_management.logs.conftest import Asked

WATCHERS = 50


def look(run: Run, offset: int = -1000, limit: int = 1000, **options: bool) -> bytes:
    over = options.get("over", False)
    return log_sharing.read(run.account, f"{run.directory}/stdout", offset, limit, over=over).data


def later() -> None:
    """As if the time for which answers are kept had passed; what was read stays known."""
    log_sharing._tails.clear()  # noqa: SLF001  there is no clock to turn
    log_sharing._parts.clear()  # noqa: SLF001
    cache.clear()


def test_many_who_watch_the_end_cost_one_read(run: Run, tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "stdout").write_bytes(b"first\n" * 100)
    for round_ in range(3):
        later()
        with ThreadPoolExecutor(WATCHERS) as pool:
            # each has read up to another place
            places = [600 - 6 * (number % 40) for number in range(WATCHERS)]
            wanted = places if round_ else [-1000] * WATCHERS
            answers = list(pool.map(partial(look, run), wanted))
        if round_:
            assert [len(answer) for answer in answers] == [600 - place for place in places]
        else:
            assert {len(answer) for answer in answers} == {600}
        assert len(asked.names) == round_ + 1


def test_only_what_is_new_is_read_again(run: Run, tmp_path: Path, asked: Asked) -> None:
    log = tmp_path / "stdout"
    log.write_bytes(b"x" * 200_000 + b"\n")
    assert len(look(run, -10_000, 10_000)) == 10_000
    first = asked.bytes
    for number in range(5):
        with log.open("ab") as file:
            file.write(b"line %d\n" % number)
        later()
        assert look(run, 200_001).endswith(b"line %d\n" % number)
    assert first == 200_001
    assert asked.bytes - first <= 5 * (64 + 7)


def test_a_file_that_was_cut_or_written_anew_is_read_whole(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "stdout"
    log.write_bytes(b"old " * 1000)
    look(run)
    for text in (b"short\n", b"new " * 3000):
        log.write_bytes(text)
        later()
        assert look(run) == text[-1000:]
    log.write_bytes(b"tiny")
    later()
    assert look(run, 100) == b""


def test_more_than_the_kept_end_was_written_at_once(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "stdout"
    log.write_bytes(b"begin\n")
    look(run)
    text = b"begin\n" + b"".join(b"%09d\n" % number for number in range(100_000))
    log.write_bytes(text)
    later()
    assert look(run, -50, 50) == text[-50:]
    assert look(run, 6, 30) == text[6:36]
    assert look(run, 500_000, 30) == text[500_000:500_030]


def test_the_end_of_a_run_that_is_over_is_read_after_it_was_over(
    run: Run, tmp_path: Path, asked: Asked
) -> None:
    log = tmp_path / "stdout"
    log.write_bytes(b"going on\n")
    assert look(run) == b"going on\n"
    log.write_bytes(b"going on\nlast words\n")
    assert look(run) == b"going on\n"  # kept for a moment
    assert look(run, over=True) == b"going on\nlast words\n"
    assert len(asked.names) == 2


def test_another_process_s_answer_is_taken(run: Run, tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "stdout").write_bytes(b"text\n")
    assert look(run) == b"text\n"
    log_sharing.forget()  # another process, which shares nothing but the cache
    assert look(run) == b"text\n"
    assert len(asked.names) == 1


def test_another_process_that_asks_is_waited_for(run: Run, tmp_path: Path, asked: Asked) -> None:
    path = f"{run.directory}/stdout"
    name = log_sharing._name(run.account, path, over=False)  # noqa: SLF001
    cache.set(f"{name}:asking", 1, 10)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(look, run)
        time.sleep(0.2)
        assert not answer.done()
        cache.set(name, ("slice", b"theirs\n", 7, 0), 5)
        assert answer.result(timeout=20) == b"theirs\n"
    assert asked.names == []


def test_a_file_that_is_not_there_yet_is_asked_for_once(run: Run, asked: Asked) -> None:
    for _ in range(3):
        with pytest.raises(FileMissing):
            look(run)
    log_sharing._tails.clear()  # noqa: SLF001
    with pytest.raises(FileMissing):
        look(run)
    assert len(asked.names) == 1


def test_accounts_do_not_share(run: Run, tmp_path: Path, asked: Asked) -> None:
    """What one account may read says nothing about another one."""
    (tmp_path / "stdout").write_bytes(b"text\n")
    look(run)
    other = make_account(run.system, username="somebody")
    log_sharing.read(other, f"{run.directory}/stdout", -10, 10, over=False)
    assert len(asked.names) == 2


def test_a_failure_is_nobody_s_answer_for_long(run: Run, tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "stdout").write_bytes(b"text\n")

    def broken() -> None:
        raise ConnectFailed("no route")

    asked.before = broken
    with pytest.raises(ConnectFailed):
        look(run)
    asked.before = lambda: None
    assert look(run) == b"text\n"


def test_a_system_that_hangs_holds_one_thread(
    run: Run, tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sharing, "PATIENCE", 0.1)
    (tmp_path / "stdout").write_bytes(b"text\n")
    go, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        go.wait(60)

    asked.before = hang
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(look, run)
        assert hanging.wait(20)
        with pytest.raises(CommandTimeout):
            look(run)
        go.set()
        assert first.result(timeout=20) == b"text\n"
    assert len(asked.names) == 1


def test_a_kept_end_is_shown_while_the_system_hangs(run: Run, tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "stdout").write_bytes(b"text\n")
    assert look(run) == b"text\n"
    go, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        go.wait(60)

    asked.before = hang
    time.sleep(log_sharing.FRESH)
    cache.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(look, run)
        assert hanging.wait(20)
        assert look(run) == b"text\n"
        go.set()
        assert first.result(timeout=20) == b"text\n"


def test_memory_is_bounded(run: Run, tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"log{number}").write_bytes(b"x")
        log_sharing.read(run.account, f"{tmp_path}/log{number}", -5, 5, over=False)
    assert len(log_sharing._last) == log_sharing._MOST_TAILS  # noqa: SLF001
