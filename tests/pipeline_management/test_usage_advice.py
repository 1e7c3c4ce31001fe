"""What is advised from what a run used."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_management.choices import Reason, RunState
from pipeline_management.models import Run, RunUsage
from pipeline_management.services.usage_advice import advice_on, bars, size, span

FITTING: dict[str, Any] = {
    "elapsed_seconds": 5400, "walltime_seconds": 7200, "cpus": 4, "nodes": 1, "memory_mb": 4096,
    "max_memory_mb": 3000, "cpu_seconds": 18_000.0, "core_seconds": 21_600,
}  # fmt: skip


def said(run: dict[str, Any] | None = None, **values: Any) -> str:
    of = Run(**{"state": RunState.SUCCEEDED, **(run or {})})
    return "\n".join(advice_on(of, RunUsage(**(FITTING | values))))


def test_what_fits_is_said_to_fit() -> None:
    assert said() == "What it asked for fits what it used."


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"memory_mb": 16384, "max_memory_mb": 2150}, "asked for 16 GB, used 2.1 GB: 4 GB would do"),
        ({"max_memory_mb": 3900}, "used 3.8 GB of 4 GB, which is close: ask for 6 GB"),
        ({"nodes": 3, "max_memory_mb": 10}, "it had 3 nodes; what one task held says too little"),
        ({"max_memory_mb": None}, "Memory: not known"),
        ({"memory_mb": None}, "Memory: not known"),
        ({"elapsed_seconds": 20, "max_memory_mb": 1}, "too short for its measurements"),
        ({"walltime_seconds": 86_400}, "asked for 1 d 0 h, took 1 h 30 min: 3 h 00 min would do"),
        ({"elapsed_seconds": 7000}, "took 1 h 56 min of 2 h 00 min, which is close"),
        ({"walltime_seconds": None}, "no limit or no duration is known"),
        ({"cpus": 16, "core_seconds": 86_400, "cpu_seconds": 10_000}, "asked for 16, used 1.9 on average: 3 would do"),
        ({"cpu_seconds": None}, "Processors: not known"),
    ],
)  # fmt: skip
def test_each_misfit_has_its_sentence(values: dict[str, Any], sentence: str) -> None:
    assert sentence in said(**values)


def test_what_was_too_little_is_said() -> None:
    failed = {"state": RunState.FAILED, "reason": Reason.OUT_OF_MEMORY}
    assert "4 GB were too little; try 8 GB" in said(failed, max_memory_mb=4096)
    failed["reason"] = Reason.TIMEOUT
    assert "2 h 00 min were too short" in said(failed, elapsed_seconds=7200)


def test_the_time_of_a_run_that_failed_early_advises_nothing() -> None:
    sentences = said({"state": RunState.FAILED}, elapsed_seconds=90, max_memory_mb=3000)
    assert "would do" not in sentences and "fits" not in sentences
    assert "how long it took says nothing" in sentences


def test_bars_say_both_numbers_and_never_grow_past_their_frame() -> None:
    shown = {bar.name: bar for bar in bars(RunUsage(**(FITTING | {"cpu_seconds": 40_000.0})))}
    assert (shown["cpu"].percent, shown["cpu"].length) == (185, 100)
    assert (shown["memory"].used, shown["memory"].asked, shown["memory"].percent) == (
        "2.9 GB",
        "4 GB",
        73,
    )
    assert (shown["time"].used, shown["time"].percent) == ("1 h 30 min", 75)
    unknown = {bar.name: (bar.used, bar.asked, bar.percent) for bar in bars(RunUsage())}
    assert set(unknown.values()) == {("unknown", "unknown", None)}


@pytest.mark.parametrize(
    ("given", "text"), [(None, "unknown"), (512, "512 MB"), (1024, "1 GB"), (2150, "2.1 GB")]
)
def test_sizes(given: int | None, text: str) -> None:
    assert size(given) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [(None, "unknown"), (-1, "0 s"), (75, "1 min 15 s"), (3600, "1 h 00 min"), (90_000, "1 d 1 h")],
)
def test_spans(given: int | None, text: str) -> None:
    assert span(given) == text
