"""Figures that a busy neighbour disturbed are measured again, and the best is kept with what was taken from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import stolen


def _counted(monkeypatch: pytest.MonkeyPatch, shares: list[tuple[int, int]]) -> None:
    """Each measurement finds so many busy and stolen ticks."""
    seen = [(0, 0)]
    for busy, taken in shares:
        seen += [(seen[-1][0] + busy, seen[-1][1] + taken)] * 2
    found: Iterator[tuple[int, int]] = iter(seen)
    monkeypatch.setattr(stolen, "counters", lambda: next(found))


@pytest.mark.parametrize(
    ("shares", "kept", "share"),
    [
        ([(98, 2)], 1, 0.02),
        ([(50, 50), (99, 1)], 2, 0.01),
        ([(50, 50), (80, 20), (70, 30)], 2, 0.2),
        ([(0, 0)], 1, 0.0),
    ],
)
def test_the_least_disturbed_is_kept(
    monkeypatch: pytest.MonkeyPatch, shares: list[tuple[int, int]], kept: int, share: float
) -> None:
    _counted(monkeypatch, shares)
    numbers = iter(range(1, 10))
    assert stolen.undisturbed(lambda: next(numbers), tries=3, pause=0) == (kept, share)
    assert next(numbers) == len(shares) + 1  # and no more were made than needed


def test_the_kernel_tells_both_counters() -> None:
    busy, taken = stolen.counters()
    assert busy > 0
    assert taken >= 0


def test_at_least_one_try() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        stolen.undisturbed(int, tries=0)
