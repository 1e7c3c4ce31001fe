"""One question for many: how often it is asked, who gets which answer, what an error does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline_management.services.coalescing import Coalesced
from tests.asking import Clock, Question


def test_an_answer_is_kept_for_its_time() -> None:
    clock, ask = Clock(), Question()
    answers: Coalesced[int] = Coalesced(2.0, clock=clock)
    assert [answers.get("a", ask) for _ in range(3)] == [1, 1, 1]
    clock.time = 1.9
    assert answers.get("a", ask) == 1
    clock.time = 2.0
    assert answers.get("a", ask) == 2
    assert answers.get("b", ask) == 3
    assert answers.kept("a") == 2
    assert answers.kept("a", stamp="other") is None
    assert answers.kept("c") is None
    answers.clear()
    assert answers.kept("a") is None
    assert answers.get("a", ask) == 4


def test_another_stamp_and_a_later_time_want_a_new_answer() -> None:
    clock, ask = Clock(), Question()
    answers: Coalesced[int] = Coalesced(2.0, clock=clock)
    assert answers.get("a", ask, stamp=1) == 1
    assert answers.get("a", ask, stamp=2) == 2
    assert answers.get("a", ask, stamp=2) == 2
    clock.time = 0.5
    assert answers.get("a", ask, stamp=2, since=0.4) == 3
    assert answers.get("a", ask, stamp=2, since=0.4) == 3


def test_who_comes_meanwhile_waits_for_the_same_answer() -> None:
    release, ask = threading.Event(), Question()
    answers: Coalesced[int] = Coalesced(60.0)

    def slow() -> int:
        assert release.wait(10)
        return ask()

    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(answers.get, "a", slow) for _ in range(8)]
        threading.Timer(0.2, release.set).start()
        assert {future.result(10) for future in futures} == {1}
    assert ask.asked == 1


def test_who_does_not_wait_has_the_last_answer_while_a_newer_one_is_on_its_way() -> None:
    clock, release, begun = Clock(), threading.Event(), threading.Event()
    answers: Coalesced[int] = Coalesced(2.0, stale=5.0, clock=clock)
    assert answers.get("a", lambda: 1) == 1

    def slow() -> int:
        begun.set()
        assert release.wait(10)
        return 2

    clock.time = 3.0
    assert answers.kept("a") is None  # somebody has to ask
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(answers.get, "a", slow)
        assert begun.wait(10)
        assert answers.kept("a") == 1
        assert answers.kept("a", stamp="other") is None
        clock.time = 5.0
        assert answers.kept("a") is None
        release.set()
        assert future.result(10) == 2
    assert answers.kept("a") == 2


def test_who_does_not_wait_can_leave_word() -> None:
    answers: Coalesced[int] = Coalesced(2.0)
    release, begun, done = threading.Event(), threading.Event(), []

    def slow() -> int:
        begun.set()
        assert release.wait(10)
        return 1

    assert answers.on_its_way("a") is None
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(answers.get, "a", slow)
        assert begun.wait(10)
        assert answers.on_its_way("a", stamp="other") is None
        flight = answers.on_its_way("a")
        assert flight is not None
        flight.afterwards(lambda: done.append(answers.kept("a")))
        assert not flight.done.wait(0.05) and done == []
        release.set()
        assert future.result(10) == 1
    assert done == [1]
    flight.afterwards(lambda: done.append(2))
    assert done == [1, 2]
    assert answers.on_its_way("a") is None


def test_an_error_is_for_all_who_wait_and_is_not_kept() -> None:
    release = threading.Event()
    answers: Coalesced[int] = Coalesced(60.0)
    calls: list[int] = []

    def failing() -> int:
        calls.append(1)
        assert release.wait(10)
        raise RuntimeError("no answer")

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(answers.get, "a", failing) for _ in range(4)]
        threading.Timer(0.2, release.set).start()
        for future in futures:
            with pytest.raises(RuntimeError, match="no answer"):
                future.result(10)
    assert len(calls) == 1
    assert answers.get("a", Question()) == 1


def test_old_answers_do_not_pile_up() -> None:
    clock = Clock()
    answers: Coalesced[int] = Coalesced(2.0, most=10, clock=clock)
    for number in range(100):
        clock.time = float(number)
        answers.get(number, Question())
    assert len(answers._flights) <= 11
