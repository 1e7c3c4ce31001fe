"""How many requests may wait for one system at a time."""

from __future__ import annotations

import threading
import time

import pytest

from api.firecrest.gate import PATIENCE, SLOW, Crowded, Gate


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_quick_system_may_use_all_threads_but_two() -> None:
    clock = Clock()
    gate = Gate(8, clock)
    leaves = [gate.enter("quick") for _ in range(6)]
    leaves[0](True)
    leaves[0](True)  # twice does no harm
    gate.enter("quick")
    clock.now += SLOW + 0.1
    with pytest.raises(Crowded) as raised:
        gate.enter("quick")
    assert raised.value.slow
    assert str(raised.value) == "quick answers slowly at the moment; try again shortly"


def test_a_slow_system_gets_half_and_is_refused_at_once() -> None:
    clock = Clock()
    gate = Gate(8, clock)
    for _ in range(4):
        gate.enter("slow")
    clock.now += SLOW + 0.1
    started = time.monotonic()
    with pytest.raises(Crowded):
        gate.enter("slow")
    assert time.monotonic() - started < 0.1
    for _ in range(6):
        gate.enter("other")


def test_an_answer_makes_a_system_quick_again() -> None:
    clock = Clock()
    gate = Gate(8, clock)
    leaves = [gate.enter("one") for _ in range(5)]
    clock.now += SLOW + 0.1
    leaves[0](False)  # an error of the way to it is no answer
    with pytest.raises(Crowded):
        gate.enter("one")
    leaves[1](True)
    gate.enter("one")


def test_several_slow_systems_leave_threads_as_well() -> None:
    clock = Clock()
    gate = Gate(8, clock)
    for name in ("a", "b"):
        for _ in range(3):
            gate.enter(name)
    clock.now += SLOW + 0.1
    for name in ("a", "b"):
        with pytest.raises(Crowded):
            gate.enter(name)
    gate.enter("quick")


def test_who_comes_to_a_busy_system_waits_for_a_moment() -> None:
    gate = Gate(4)
    leaves = [gate.enter("busy") for _ in range(2)]
    passed: list[float] = []

    def come() -> None:
        started = time.monotonic()
        gate.enter("busy")
        passed.append(time.monotonic() - started)

    thread = threading.Thread(target=come)
    thread.start()
    time.sleep(0.2)
    assert not passed
    leaves[0](True)
    thread.join(5)
    assert 0.15 < passed[0] < PATIENCE


def test_it_is_not_waited_for_ever() -> None:
    gate = Gate(3)
    leave = gate.enter("busy")
    started = time.monotonic()
    with pytest.raises(Crowded):
        gate.enter("busy")
    assert time.monotonic() - started < PATIENCE + 1
    leave(True)
    gate.enter("busy")
