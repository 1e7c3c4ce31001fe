"""How figures are judged and printed."""

from __future__ import annotations

import pytest

from bench.figures import Bound, Figure, Pair, Target


def test_a_time_is_judged_by_the_median_pair() -> None:
    target = Target(2.0, extra=25.0)
    assert target.met([Pair(10, 45), Pair(10, 45), Pair(10, 900)])
    assert not target.met([Pair(10, 46), Pair(10, 46), Pair(10, 1)])


def test_a_rate_must_be_at_least_so_much() -> None:
    target = Target(0.6, at_least=True)
    assert target.met([Pair(100, 60)])
    assert not target.met([Pair(100, 59)])


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (
            Figure("P5", "new-run", "ms", [Pair(10, 30), Pair(20, 60)], Target(2.0, extra=25.0)),
            "P5 new-run ratio=3.00 limit=<=2x+25ms extra_ms=15.0 centro_ms=45.0 raw_ms=15.0 rounds=2 PASS",
        ),
        (
            Figure("P8", "tick", "ms", [Pair(10, 15)], Target(2.0), [Bound("execs", 2, 1)], {"cpu_ms": 7.25}),
            "P8 tick ratio=1.50 limit=<=2x centro_ms=15.0 raw_ms=10.0 rounds=1 execs=2 limit_execs=1 "
            "cpu_ms=7.25 MISS",
        ),
        (
            Figure("P13", "mixed", "", [], bounds=[Bound("errors", 0, 0)], facts={"requests": 1000}),
            "P13 mixed errors=0 limit_errors=0 requests=1000 PASS",
        ),
        (
            Figure("P7", "open", "rps", [Pair(100, 20)]),
            "P7 open ratio=0.20 centro_rps=20.0 raw_rps=100.0 rounds=1 INFO",
        ),
    ],
)
def test_lines(figure: Figure, line: str) -> None:
    assert figure.line() == line
