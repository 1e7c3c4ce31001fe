"""The geometry of plots: numbers for an SVG that stretches to its place and holds no text.

Units are of the view box: ``STEP`` wide for each bar, ``HEIGHT`` high, y downwards. Text stands beside the picture as
HTML, since it would be stretched with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEP = 12
GAP = 2
HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle of a bar; ``kind`` says what it stands for (a CSS class)."""

    kind: str
    y: float
    height: float

    @property
    def y_text(self) -> str:
        """As SVG wants it: a point for a comma, whatever the language of the page."""
        return f"{self.y:g}"

    @property
    def height_text(self) -> str:
        return f"{self.height:g}"


@dataclass(frozen=True, slots=True)
class Bar:
    """All parts of one step. ``text`` says in words what it shows."""

    x: float
    width: float
    parts: tuple[Part, ...]
    text: str

    @property
    def x_text(self) -> str:
        return f"{self.x:g}"

    @property
    def width_text(self) -> str:
        return f"{self.width:g}"


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars below each other in time; ``top`` is the value at the upper edge."""

    bars: tuple[Bar, ...]
    top: float
    width: int

    @property
    def view_box(self) -> str:
        return f"0 0 {self.width} {HEIGHT}"

    @property
    def half(self) -> float:
        return self.top / 2


def bars(steps: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> Plot:
    """Stacked bars: for each step its words and its values by kind, from the bottom upwards; none below zero."""
    sums = [math.fsum(value for _kind, value in values) for _text, values in steps]
    top = rounded_up(max(sums, default=0.0))
    drawn = []
    for number, (text, values) in enumerate(steps):
        parts, used = [], 0.0
        for kind, value in values:
            height = round(HEIGHT * value / top, 3)
            if height > 0:
                parts.append(Part(kind, round(HEIGHT - used - height, 3), height))
                used += height
        drawn.append(Bar(number * STEP + GAP / 2, STEP - GAP, tuple(parts), text))
    return Plot(tuple(drawn), top, max(1, len(drawn)) * STEP)


def rounded_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten, so that the axis has even numbers; 1 for nothing."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((factor * power for factor in (1, 2, 5) if value <= factor * power), 10 * power)


def share(value: float | None, most: float) -> float:
    """The width in percent of a bar beside a table's row."""
    return 0.0 if not value or most <= 0 else round(min(100.0, 100 * value / most), 2)
