"""Usage as it is written and drawn on pages: amounts in words, bars beside rows, the course as a plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from pipeline_management.services.usage import plots
from pipeline_management.services.usage.periods import Period
from pipeline_management.services.usage.plots import Plot
from pipeline_management.services.usage.reading import Measure, Row, Step, Sums
from pipeline_management.templatetags.centro_pages import duration


@dataclass(frozen=True, slots=True)
class Cell:
    """One amount of a row; ``share`` is the width of its bar in percent, None where none is drawn."""

    name: str
    label: str
    text: str
    share: float | None

    @property
    def share_text(self) -> str:
        """The width as SVG wants it."""
        return f"{self.share or 0:g}"


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A row with its amounts in the order of ``Measure`` and the address of its runs ("" for none)."""

    row: Row
    cells: tuple[Cell, ...]
    address: str


@dataclass(frozen=True, slots=True)
class Course:
    """A plot with the words around it."""

    plot: Plot
    title: str
    summary: str
    top: str
    half: str
    first: str
    last: str
    kinds: tuple[tuple[str, str], ...]


def amount(value: float | None, measure: str) -> str:
    """ "1,234.5", "12 %", "3 min 20 s"; a dash for what is not known."""
    if value is None:
        return "–"
    if measure == Measure.FAILURES:
        digits = 1 if 0 < value < 0.1 else 0
        return f"{number_format(round(100 * value, digits), digits)} %"
    if measure == Measure.WAIT:
        return duration(value)
    if 0 < value < 0.01:
        return "<\N{NO-BREAK SPACE}" + number_format(0.01, 2)
    digits = 0 if measure == Measure.RUNS or value >= 100 or value == 0 else 1 if value >= 1 else 2
    return number_format(round(value, digits), digits, force_grouping=True)


def drawn_rows(rows: Sequence[Row], measure: str, address: Callable[[Row], str]) -> list[DrawnRow]:
    """The rows with a bar for the chosen measure."""
    most = max((row.sums.of(measure) or 0 for row in rows), default=0)
    return [
        DrawnRow(row, tuple(_cell(row.sums, m, measure, most) for m in Measure), address(row))
        for row in rows
    ]


def _cell(sums: Sums, measure: Measure, chosen: str, most: float) -> Cell:
    value = sums.of(measure)
    share = plots.share(value, most) if measure == chosen else None
    return Cell(measure.value, str(measure.label), amount(value, measure), share)


def drawn(steps: Sequence[Step], measure: str, period: Period) -> Course:
    """The course of one measure. Runs are stacked by how they ended; the others have one bar a step."""
    plot = plots.bars([(_words(step, measure, period), _values(step, measure)) for step in steps])
    kinds: tuple[tuple[str, str], ...] = ()
    if measure == Measure.RUNS:
        kinds = (("ok", _("Succeeded")), ("bad", _("Failed")), ("off", _("Cancelled")))
    title = _("%(measure)s by day") if not period.by_month else _("%(measure)s by month")
    return Course(
        plot,
        title % {"measure": Measure(measure).label},
        _summary(steps, measure, period),
        amount(plot.top, measure),
        _at_half(plot.half, measure),
        _day(steps[0].day, period) if steps else "",
        _day(steps[-1].day, period) if steps else "",
        kinds,
    )


def _at_half(value: float, measure: str) -> str:
    """The label of the middle of an axis, whose ends are round numbers: "50", not "50.0"."""
    whole = measure in (Measure.CORE, Measure.GPU) and value >= 1 and value == int(value)
    return number_format(int(value), 0, force_grouping=True) if whole else amount(value, measure)


def _values(step: Step, measure: str) -> list[tuple[str, float]]:
    sums = step.sums
    if measure == Measure.RUNS:
        return [("ok", sums.succeeded), ("bad", sums.failed), ("off", sums.cancelled)]
    kind = "bad" if measure == Measure.FAILURES else "one"
    return [(kind, sums.of(measure) or 0)]


def _words(step: Step, measure: str, period: Period) -> str:
    day = _day(step.day, period)
    if measure == Measure.RUNS:
        facts = {
            "day": day,
            "ok": step.sums.succeeded,
            "bad": step.sums.failed,
            "off": step.sums.cancelled,
        }
        return _("%(day)s: %(ok)s succeeded, %(bad)s failed, %(off)s cancelled") % facts
    return f"{day}: {amount(step.sums.of(measure), measure)}"


def _summary(steps: Sequence[Step], measure: str, period: Period) -> str:
    """What the picture shows, for those who cannot see it."""
    known = [step for step in steps if step.sums.of(measure)]
    if not known:
        return _("Nothing in this period.")
    most = max(known, key=lambda step: step.sums.of(measure) or 0)
    facts = {"day": _day(most.day, period), "amount": amount(most.sums.of(measure), measure)}
    return _("Most on %(day)s: %(amount)s. All values are in the table below.") % facts


def _day(day: date, period: Period) -> str:
    return date_format(day, "M Y" if period.by_month else "j M Y")
