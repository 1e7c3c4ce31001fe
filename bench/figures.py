"""Measured pairs, their ratios and how they are printed: a table for people, a line a figure for programs."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Pair:
    """The bare command (or the limit) and Centro, measured directly one after the other."""

    raw: float
    centro: float


@dataclass(frozen=True, slots=True)
class Target:
    """``centro <= ratio * raw + extra`` for times, ``centro >= ratio * raw`` for rates."""

    ratio: float
    extra: float = 0.0
    at_least: bool = False

    def met(self, pairs: list[Pair]) -> bool:
        """By the median of the paired distances from the bound, so that one busy second decides nothing."""
        room = statistics.median(self.ratio * p.raw + self.extra - p.centro for p in pairs)
        return room <= 0 if self.at_least else room >= 0

    def __str__(self) -> str:
        if self.at_least:
            return f">={self.ratio:g}x"
        return f"<={self.ratio:g}x" + (f"+{self.extra:g}ms" if self.extra else "")


@dataclass(frozen=True, slots=True)
class Bound:
    """A side condition of a figure: ``value`` must not be above ``most``."""

    name: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        return self.value <= self.most


@dataclass(slots=True)
class Figure:
    """One line of the scoreboard. ``unit`` is ms or rps; a figure without target is told, not judged."""

    id: str
    name: str
    unit: str
    pairs: list[Pair]
    target: Target | None = None
    bounds: list[Bound] = field(default_factory=list)
    facts: dict[str, float | str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median of the paired ratios."""
        return statistics.median(pair.centro / pair.raw for pair in self.pairs)

    @property
    def verdict(self) -> str:
        if self.target is None and not self.bounds:
            return "INFO"
        met = (self.target is None or self.target.met(self.pairs)) and all(b.met for b in self.bounds)
        return "PASS" if met else "MISS"

    def line(self) -> str:
        """``P5 new-run ratio=1.9 … PASS``: blank-separated, key=value between name and verdict."""
        words = [self.id, self.name]
        if self.pairs:
            raw = statistics.median(pair.raw for pair in self.pairs)
            centro = statistics.median(pair.centro for pair in self.pairs)
            words.append(f"ratio={self.ratio:.2f}")
            if self.target is not None:
                words.append(f"limit={self.target}")
                if self.target.extra:
                    over = statistics.median(p.centro - self.target.ratio * p.raw for p in self.pairs)
                    words.append(f"extra_ms={over:.1f}")
            words += [f"centro_{self.unit}={centro:.1f}", f"raw_{self.unit}={raw:.1f}"]
            words.append(f"rounds={len(self.pairs)}")
        for bound in self.bounds:
            words += [f"{bound.name}={_short(bound.value)}", f"limit_{bound.name}={_short(bound.most)}"]
        words += [f"{name}={_short(value)}" for name, value in self.facts.items()]
        return " ".join([*words, self.verdict])

    def row(self) -> str:
        """The same as a row of a Markdown table."""
        spread = "-"
        ratio = "-"
        if self.pairs:
            ratios = sorted(pair.centro / pair.raw for pair in self.pairs)
            ratio = f"{self.ratio:.2f}"
            spread = f"{ratios[0]:.2f} … {ratios[-1]:.2f}"
        limits = [str(self.target)] if self.target else []
        limits += [f"{b.name} {_short(b.value)} (<={_short(b.most)})" for b in self.bounds]
        return f"| {self.id} {self.name} | {ratio} | {spread} | {', '.join(limits) or '-'} | {self.verdict} |"


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(slots=True)
class Report:
    """All figures of one bench, with where and when they were measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        """Keep a figure and say its line at once on stderr: a bench that is stopped still told what it had."""
        self.figures.append(figure)
        self.loads.append(os.getloadavg()[0])
        say(figure.line())

    def print(self) -> None:
        """The table, then one line per figure."""
        load = f"load {min(self.loads):.1f} to {max(self.loads):.1f}" if self.loads else ""
        print(f"## {self.title}\n\n{stamp()}, {load}\n")
        print("| figure | ratio | smallest … largest | target | |\n|---|---|---|---|---|")
        for figure in self.figures:
            print(figure.row())
        print("\n```")
        for figure in self.figures:
            print(figure.line())
        print("```", flush=True)

    @property
    def missed(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.verdict == "MISS"]


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout holds the result only."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def stamp() -> str:
    """Date, commit and machine in one line."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now}, commit {commit or 'unknown'}, {os.cpu_count()} cores {model}, Python {platform.python_version()}"


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that ``work`` took on the wall clock."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000
