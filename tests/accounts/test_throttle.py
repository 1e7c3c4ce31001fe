"""How often a password may be tried."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from accounts import throttle
from accounts.throttle import PER_ADDRESS, PER_NAME_AND_ADDRESS, Throttled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clean() -> None:
    cache.clear()


def test_a_name_is_refused_after_its_failures_and_told_how_long() -> None:
    for _ in range(PER_NAME_AND_ADDRESS.failures):
        throttle.reserve("alice", "10.0.0.1")
    with pytest.raises(Throttled) as caught:
        throttle.reserve("alice", "10.0.0.1")
    assert 0 < caught.value.retry_after <= PER_NAME_AND_ADDRESS.seconds


def test_spelling_of_the_name_makes_no_second_counter() -> None:
    for name in ("alice", "ALICE", "Alice", "aLICE", "alicE"):
        throttle.reserve(name, "10.0.0.1")
    with pytest.raises(Throttled):
        throttle.check("alice", "10.0.0.1")


def test_other_addresses_and_names_are_free() -> None:
    for _ in range(PER_NAME_AND_ADDRESS.failures):
        throttle.reserve("alice", "10.0.0.1")
    throttle.check("alice", "10.0.0.2")
    throttle.check("bob", "10.0.0.1")


def test_an_address_is_refused_whatever_the_names() -> None:
    for number in range(PER_ADDRESS.failures):
        throttle.reserve(f"user{number}", "10.0.0.1")
    with pytest.raises(Throttled) as caught:
        throttle.check("somebody", "10.0.0.1")
    assert caught.value.retry_after <= PER_ADDRESS.seconds


def test_one_ipv6_network_is_one_client() -> None:
    for number in range(PER_ADDRESS.failures):
        throttle.reserve(f"user{number}", f"2001:db8:1:2::{number:x}")
    with pytest.raises(Throttled):
        throttle.check("somebody", "2001:db8:1:2:ffff::1")
    throttle.check("somebody", "2001:db8:1:3::1")


def test_a_mapped_ipv4_address_is_the_ipv4_address() -> None:
    for _ in range(PER_NAME_AND_ADDRESS.failures):
        throttle.reserve("alice", "::ffff:10.0.0.1")
    with pytest.raises(Throttled):
        throttle.check("alice", "10.0.0.1")


def test_a_right_password_forgets_the_failures_before_it() -> None:
    for _ in range(PER_NAME_AND_ADDRESS.failures - 1):
        throttle.reserve("alice", "10.0.0.1")
    throttle.reserve("alice", "10.0.0.1")
    throttle.refund("alice", "10.0.0.1")
    for _ in range(PER_NAME_AND_ADDRESS.failures):
        throttle.reserve("alice", "10.0.0.1")


def test_right_passwords_leave_the_address_free() -> None:
    for number in range(3 * PER_ADDRESS.failures):
        throttle.reserve(f"user{number}", "10.0.0.1")
        throttle.refund(f"user{number}", "10.0.0.1")
    throttle.check("somebody", "10.0.0.1")


def test_a_window_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "PER_NAME_AND_ADDRESS", throttle.Limit(1, 1))
    throttle.reserve("alice", "10.0.0.1")
    with pytest.raises(Throttled):
        throttle.check("alice", "10.0.0.1")
    import time

    time.sleep(1.1)
    throttle.check("alice", "10.0.0.1")


def test_a_refund_after_the_window_never_locks_the_next_one() -> None:
    throttle.reserve("alice", "10.0.0.1")
    cache.clear()  # the window ended
    throttle.reserve("bob", "10.0.0.1")
    throttle.refund("alice", "10.0.0.1")
    throttle.refund("bob", "10.0.0.1")
    throttle.check("carol", "10.0.0.1")


@pytest.mark.parametrize("name", ["", "\0", "\ud800", "ä" * 5000, "a b:c"])
def test_any_name_can_be_counted(name: str) -> None:
    throttle.reserve(name, "not an address")
