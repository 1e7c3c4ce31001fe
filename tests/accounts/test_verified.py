"""The memory of right passwords: fast, and void at the next request after any change."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection

from accounts import verified
from accounts.throttle import Throttled
from tests.factories import make_user

ADDRESS = "10.0.0.1"
PASSWORD = "correct horse 7"


class Counter:
    """Counts the password hashes computed in a test."""

    def __init__(self) -> None:
        self.number = 0


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    cache.clear()
    verified.forget_all()
    yield
    verified.forget_all()


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()
    original = User.check_password
    verified._decoy()

    def counted(self: User, raw: str) -> bool:
        counter.number += 1
        return original(self, raw)

    monkeypatch.setattr(User, "check_password", counted)
    return counter


@pytest.mark.django_db
def test_the_second_time_costs_no_hash_and_one_query(
    hashes: Counter, django_assert_num_queries: object
) -> None:
    make_user("alice", password=PASSWORD)
    assert verified.check("alice", PASSWORD, ADDRESS) is not None
    with django_assert_num_queries(1):  # type: ignore[operator]  # a fixture without types
        found = verified.check("alice", PASSWORD, ADDRESS)
    assert found is not None and found.username == "alice"
    assert hashes.number == 1


@pytest.mark.django_db
def test_wrong_passwords_are_never_remembered(hashes: Counter) -> None:
    make_user("alice", password=PASSWORD)
    for _ in range(3):
        assert verified.check("alice", "wrong", ADDRESS) is None
    assert hashes.number == 3


@pytest.mark.django_db
def test_a_changed_password_is_void_at_once(hashes: Counter) -> None:
    user = make_user("alice", password=PASSWORD)
    assert verified.check("alice", PASSWORD, ADDRESS)
    user.set_password("another one 8")
    user.save()
    assert verified.check("alice", PASSWORD, ADDRESS) is None
    assert verified.check("alice", "another one 8", ADDRESS)


@pytest.mark.django_db
def test_a_disabled_or_removed_person_is_out_at_once(hashes: Counter) -> None:
    user = make_user("alice", password=PASSWORD)
    assert verified.check("alice", PASSWORD, ADDRESS)
    user.is_active = False
    user.save()
    assert verified.check("alice", PASSWORD, ADDRESS) is None
    user.delete()
    assert verified.check("alice", PASSWORD, ADDRESS) is None


@pytest.mark.django_db
def test_memory_ends_after_its_time(hashes: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    make_user("alice", password=PASSWORD)
    assert verified.check("alice", PASSWORD, ADDRESS)
    now = verified.time.monotonic()
    monkeypatch.setattr(verified.time, "monotonic", lambda: now + verified.LIFETIME + 1)
    assert verified.check("alice", PASSWORD, ADDRESS)
    assert hashes.number == 2


@pytest.mark.django_db
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "MAX_ENTRIES", 3)
    for number in range(10):
        verified._remember(str(number).encode())
    assert len(verified._until) == 3


@pytest.mark.django_db
def test_unknown_names_cost_the_same_work(hashes: Counter) -> None:
    make_user("alice", password=PASSWORD)
    make_user("nobody-can-log-in")
    for name in ("nobody", "nobody-can-log-in", "ALICE", "", "a\0b", "\ud800", "x" * 151):
        before = hashes.number
        assert verified.check(name, PASSWORD, f"10.1.0.{len(name)}") is None
        assert hashes.number == before + 1, name


@pytest.mark.django_db
def test_nothing_is_hashed_once_throttled(hashes: Counter) -> None:
    make_user("alice", password=PASSWORD)
    refused = 0
    for number in range(1000):
        try:
            assert (
                verified.check("alice" if number % 2 else f"user{number}", "wrong", ADDRESS) is None
            )
        except Throttled:
            refused += 1
    assert hashes.number <= 20
    assert refused >= 980


@pytest.mark.django_db
def test_those_who_are_in_stay_in_while_others_guess() -> None:
    make_user("alice", password=PASSWORD)
    make_user("bob", password=PASSWORD)
    assert verified.check("alice", PASSWORD, ADDRESS)
    for number in range(40):
        try:
            verified.check(f"user{number}", "wrong", ADDRESS)
        except Throttled:
            break
    with pytest.raises(Throttled):
        verified.check("bob", PASSWORD, ADDRESS)
    assert verified.check("alice", PASSWORD, ADDRESS)
    assert verified.check("bob", PASSWORD, "10.0.0.2"), "another address is not concerned"


@pytest.mark.django_db
def test_an_overlong_password_is_wrong_without_a_hash(hashes: Counter) -> None:
    make_user("alice", password=PASSWORD)
    assert verified.check("alice", "x" * 5000, ADDRESS) is None
    assert hashes.number == 0


@pytest.mark.django_db
def test_an_old_hash_is_renewed_and_then_remembered(hashes: Counter) -> None:
    user = make_user("alice", password=PASSWORD)
    User.objects.filter(pk=user.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    assert verified.check("alice", PASSWORD, ADDRESS)
    user.refresh_from_db()
    assert user.password.startswith("argon2")
    assert verified.check("alice", PASSWORD, ADDRESS)
    assert hashes.number == 1


@pytest.mark.django_db(transaction=True)
def test_sixteen_at_once_hash_once(hashes: Counter) -> None:
    make_user("alice", password=PASSWORD)
    start = threading.Barrier(16)
    results: list[bool] = []

    def enter() -> None:
        start.wait()
        try:
            results.append(verified.check("alice", PASSWORD, ADDRESS) is not None)
        finally:
            connection.close()

    threads = [threading.Thread(target=enter) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 16
    # A thread that came after the flight had landed finds the memory.
    assert hashes.number == 1
