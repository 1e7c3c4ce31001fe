"""Core hours that labs may use: how much is used, and who is told. A budget warns; it never stops a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.models import Lab
from accounts.policy import Viewer, scope_of
from pipeline_management.choices import BudgetKind
from pipeline_management.models import Budget
from pipeline_management.services.audit import record as record_audit
from pipeline_management.services.usage import reading
from pipeline_management.services.usage.counting import day_of
from pipeline_management.services.usage.periods import Period, month_of

THRESHOLDS = (80, 95, 100)
"""Percent at which people are warned."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget and how much of it is used in the current period, in core hours."""

    budget: Budget
    period: Period
    used: float

    @property
    def percent(self) -> int:
        """Rounded down; it may be above 100."""
        return int(100 * self.used / self.budget.core_hours)

    @property
    def threshold(self) -> int:
        """The highest threshold that is reached; 0 where none is."""
        return max((limit for limit in THRESHOLDS if self.percent >= limit), default=0)

    @property
    def tone(self) -> str:
        """The colour of its bar: success, warning (80 %), danger (95 %)."""
        return "danger" if self.threshold >= 95 else "warning" if self.threshold else "success"

    @property
    def width_text(self) -> str:
        """The width of its bar in percent, as SVG wants it."""
        return f"{min(100.0, 100 * self.used / self.budget.core_hours):g}"

    @property
    def used_text(self) -> str:
        digits = 0 if self.used >= 10 else 1
        return number_format(round(self.used, digits), digits, force_grouping=True)

    @property
    def budget_text(self) -> str:
        return number_format(self.budget.core_hours, force_grouping=True)


def today() -> date:
    return day_of(timezone.now())


def period_of(budget: Budget, day: date) -> Period | None:
    """The period of the budget in which a day lies; None before and after it."""
    if budget.kind == BudgetKind.MONTH:
        return month_of(day)
    if budget.starts is None or budget.ends is None or not budget.starts <= day <= budget.ends:
        return None
    return Period(budget.starts, budget.ends)


def standings(budgets: Iterable[Budget]) -> list[Standing]:
    """How the budgets stand today; those whose period is not now are left out. At most three queries per
    distinct period."""
    by_period: dict[Period, list[Budget]] = {}
    for budget in budgets:
        period = period_of(budget, today())
        if period is not None:
            by_period.setdefault(period, []).append(budget)
    found = []
    for period, some in by_period.items():
        used = reading.of_labs([budget.lab_id for budget in some], period).grouped("lab_id")
        found += [Standing(b, period, used.get(b.lab_id, reading.Sums()).core_hours) for b in some]
    return sorted(found, key=lambda one: (-one.percent, one.budget.lab.name))


def seen_by(viewer: Viewer) -> list[Standing]:
    """The budgets of the labs that the person manages or submits for; all for administrators."""
    scope = scope_of(viewer)
    budgets = Budget.objects.select_related("lab")
    if not scope.everything:
        budgets = budgets.filter(lab_id__in=scope.manages | scope.submits)
    return standings(budgets)


def managed_labs(viewer: Viewer) -> list[Lab]:
    """The labs whose budgets the person may set, at most 200."""
    scope = scope_of(viewer)
    labs = Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.manages)
    return list(labs[:200])


def may_set(viewer: Viewer, lab: Lab) -> bool:
    """Managers of the lab and administrators."""
    scope = scope_of(viewer)
    return scope.everything or lab.pk in scope.manages


def budget_warning(lab: Lab | None, expected_core_hours: float) -> str | None:
    """A sentence if a run that takes that many core hours brings the lab's budget to a threshold, or if it is
    there already; else None. One or two queries."""
    budget = Budget.objects.filter(lab=lab).first() if lab is not None else None
    found = standings([budget]) if budget is not None else []
    if not found:
        return None
    now = found[0]
    after = Standing(now.budget, now.period, now.used + max(0.0, expected_core_hours))
    if not after.threshold:
        return None
    facts = {
        "used": now.used_text,
        "budget": now.budget_text,
        "percent": after.percent,
        "expected": number_format(round(expected_core_hours), force_grouping=True),
        "until": now.period.last.isoformat(),
    }
    if now.percent >= THRESHOLDS[-1]:
        return (
            _("The lab's budget is used up: %(used)s of %(budget)s core hours until %(until)s.")
            % facts
        )
    if after.threshold > now.threshold:
        return (
            _(
                "This run may take %(expected)s core hours; the lab would then have used %(percent)s %% of its "
                "%(budget)s core hours until %(until)s."
            )
            % facts
        )
    return _("The lab has used %(used)s of its %(budget)s core hours until %(until)s.") % facts


def save(
    lab: Lab,
    *,
    user: User,
    kind: str,
    core_hours: int,
    starts: date | None = None,
    ends: date | None = None,
    address: str | None = None,
) -> Budget:
    """Set the lab's budget. Raises ``PermissionDenied`` for whoever may not, ``ValidationError`` for bad values."""
    if not may_set(user, lab):
        raise PermissionDenied
    values: dict[str, Any] = {
        "kind": kind, "core_hours": core_hours, "starts": starts, "ends": ends,
    }  # fmt: skip
    Budget(lab=lab, kind=kind, core_hours=core_hours, starts=starts, ends=ends).clean_fields()
    values |= {"updated_by": user, "told_percent": 0, "told_for": None}
    budget, _new = Budget.objects.update_or_create(lab=lab, defaults=values)
    what = {"kind": kind, "core_hours": core_hours}
    record_audit(user, "budget.set", f"lab {lab.slug}", address=address, data=what)
    return budget


def remove(lab: Lab, *, user: User, address: str | None = None) -> None:
    """Take the lab's budget away. Raises ``PermissionDenied``."""
    if not may_set(user, lab):
        raise PermissionDenied
    if Budget.objects.filter(lab=lab).delete()[0]:
        record_audit(user, "budget.remove", f"lab {lab.slug}", address=address)


def pace(standing: Standing) -> date | None:
    """The day on which the budget will be used up if it goes on as so far; None if not within the period."""
    gone = (today() - standing.period.first).days + 1
    if standing.used <= 0 or standing.percent >= THRESHOLDS[-1]:
        return None
    needed = gone * standing.budget.core_hours / standing.used
    if needed > standing.period.days:
        return None
    return standing.period.first + timedelta(days=int(needed))
