"""The order of versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from pipeline_management.services.site.versions import sort_key

ORDER = [
    "branch-9",
    "branch-10",
    "nightly",
    "0.9",
    "1.0.dev1",
    "1.0a1.dev2",
    "1.0a1",
    "1.0b2",
    "1.0rc1",
    "v1.0",
    "1.0.post1.dev1",
    "1.0.post1",
    "1.0.1",
    "1.2",
    "1.10",
    "2026.1",
    "20260131120000",
    "1!0.1",
]


def test_the_order() -> None:
    assert sorted(reversed(ORDER), key=sort_key) == ORDER


@pytest.mark.parametrize("version", [*ORDER, "x" * 64, "1." * 31 + "1", "9" * 64])
def test_keys_are_plain_and_short(version: str) -> None:
    key = sort_key(version)
    assert len(key) <= 200
    assert key.isascii() and key.isalnum() and key == key.lower()


numbers = st.integers(0, 10**6)
versions = st.builds(
    lambda release, pre, post, dev: ".".join(map(str, release)) + pre + post + dev,
    st.lists(numbers, min_size=1, max_size=5),
    st.sampled_from(["", "a1", "b2", "rc3", "rc12"]),
    st.sampled_from(["", ".post1", ".post10"]),
    st.sampled_from(["", ".dev1", ".dev20"]),
)


@given(versions, versions)
def test_the_order_is_that_of_pep_440(first: str, second: str) -> None:
    a, b = Version(first), Version(second)
    assert (a < b) == (sort_key(first) < sort_key(second))
    assert (a == b) == (sort_key(first) == sort_key(second))
