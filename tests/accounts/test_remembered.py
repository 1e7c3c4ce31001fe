"""What is remembered of who may do what ends with every change of it, and soon without one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from accounts import remembered
from accounts.remembered import LIFETIME, LOOK, Remembered
from tests.asking import Clock, Question


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()
    remembered.forget()


def test_a_second_question_is_not_asked() -> None:
    memory: Remembered[int] = Remembered()
    question = Question()
    assert (memory.get("a", question), memory.get("a", question)) == (1, 1)
    assert memory.get("b", question) == 2


def test_it_ends_with_its_lifetime() -> None:
    clock, question = Clock(1000.0), Question()
    memory: Remembered[int] = Remembered(clock=clock)
    memory.get("a", question)
    clock.time += LIFETIME - 0.01
    assert memory.get("a", question) == 1
    clock.time += 0.02
    assert memory.get("a", question) == 2


def test_nothing_found_is_asked_again() -> None:
    memory: Remembered[int] = Remembered()
    answers: list[int | None] = [None, 7]
    assert memory.get("a", lambda: answers.pop(0)) is None
    assert memory.get("a", lambda: answers.pop(0)) == 7


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    memory: Remembered[int] = Remembered(most=2)
    question = Question()
    for key in ("a", "b", "c"):
        memory.get(key, question)
    assert memory.get("c", question) == 3
    assert memory.get("a", question) == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["save", "delete"])
def test_a_change_ends_it_at_once(change: str) -> None:
    person = User.objects.create_user("erin")
    memory: Remembered[int] = Remembered()
    question = Question()
    memory.get("a", question)
    getattr(person, change)()
    assert memory.get("a", question) == 2


@pytest.mark.django_db(transaction=True)
def test_a_log_in_does_not_end_it() -> None:
    person = User.objects.create_user("erin")
    memory: Remembered[int] = Remembered()
    question = Question()
    memory.get("a", question)
    person.save(update_fields=["last_login"])
    assert memory.get("a", question) == 1


def test_a_change_by_another_process_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the other process does here is to set the stamp in the shared cache."""
    clock = Clock(1000.0)
    monkeypatch.setattr("accounts.remembered.time.monotonic", clock)
    memory: Remembered[int] = Remembered(clock=clock)
    question = Question()
    memory.get("a", question)
    cache.set("standing", "another")
    clock.time += 2 * LOOK
    assert memory.get("a", question) == 2


def test_a_change_during_the_reading_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1000.0)
    monkeypatch.setattr("accounts.remembered.time.monotonic", clock)
    memory: Remembered[int] = Remembered(clock=clock)

    def read_while_it_changes() -> int:
        cache.set("standing", "another")
        return 1

    memory.get("a", read_while_it_changes)
    clock.time += 2 * LOOK
    assert memory.get("a", lambda: 5) == 5
