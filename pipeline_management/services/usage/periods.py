"""Spans of UTC days that usage is looked at for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

LONGEST = 366 * 10
"""Days that one question may span."""


class PeriodName(TextChoices):
    """The spans that have a name; "custom" is from one given day to another."""

    MONTH = "month", _("This month")
    LAST_MONTH = "last-month", _("Last month")
    QUARTER = "quarter", _("This quarter")
    YEAR = "year", _("This year")
    CUSTOM = "custom", _("From … to …")


@dataclass(frozen=True, slots=True)
class Period:
    """The UTC days from ``first`` to ``last``, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def by_month(self) -> bool:
        """Whether it is too long to be drawn day by day."""
        return self.days > 92

    def steps(self) -> list[date]:
        """The first day of each step of its course: the days themselves, or the months."""
        if not self.by_month:
            return [self.first + timedelta(days=number) for number in range(self.days)]
        found, at = [], self.first.replace(day=1)
        while at <= self.last:
            found.append(at)
            at = _next_month(at)
        return found

    def whole_months(self, today: date) -> Period | None:
        """The calendar months that lie in it; of the month of ``today`` (UTC) what is still to come is not missed."""
        first = self.first if self.first.day == 1 else _next_month(self.first.replace(day=1))
        over = _next_month(self.last.replace(day=1))
        if self.last < min(over - timedelta(days=1), today):
            over = self.last.replace(day=1)
        return Period(first, over - timedelta(days=1)) if first < over else None

    def without(self, other: Period) -> list[Period]:
        """What of it comes before and after ``other``."""
        before = Period(self.first, other.first - timedelta(days=1))
        after = Period(other.last + timedelta(days=1), self.last)
        return [rest for rest in (before, after) if rest.first <= rest.last]


def named(name: str, today: date) -> Period:
    """The span of that name, up to ``today`` (UTC) where it is not over. ``ValueError`` for "custom" and for a
    name that does not exist."""
    month = today.replace(day=1)
    if name == PeriodName.MONTH:
        return Period(month, today)
    if name == PeriodName.LAST_MONTH:
        last = month - timedelta(days=1)
        return Period(last.replace(day=1), last)
    if name == PeriodName.QUARTER:
        return Period(month.replace(month=3 * ((today.month - 1) // 3) + 1), today)
    if name == PeriodName.YEAR:
        return Period(today.replace(month=1, day=1), today)
    raise ValueError(f"period {name!r} has no days of its own")


def month_of(day: date) -> Period:
    """The whole calendar month of a day."""
    first = day.replace(day=1)
    return Period(first, _next_month(first) - timedelta(days=1))


def _next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
