"""Long periods are read from the sums by month, and say what the days say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from pipeline_management.choices import RunState
from pipeline_management.models import RunUsage
from pipeline_management.services.usage import counting, reading
from pipeline_management.services.usage.periods import Period
from tests import factories

TODAY = date(2026, 11, 22)
DAYS = st.dates(date(2024, 1, 1), TODAY + timedelta(days=40))


@given(DAYS, DAYS)
def test_whole_months_and_the_rest_are_the_period(one: date, other: date) -> None:
    period = Period(min(one, other), max(one, other))
    months = period.whole_months(TODAY)
    if months is None:
        assert period.days < 61
        return
    assert months.first.day == 1
    assert (months.last + timedelta(days=1)).day == 1
    rest = period.without(months)
    assert all(span.days <= 31 for span in rest)
    covered = sum(span.days for span in rest) + months.days
    beyond = max(0, (months.last - period.last).days)
    assert covered == period.days + beyond
    assert beyond == 0 or period.last >= TODAY


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2026-11-01", "2026-11-22", ("2026-11-01", "2026-11-30")),
        ("2026-11-01", "2026-11-21", None),
        ("2026-10-01", "2026-10-31", ("2026-10-01", "2026-10-31")),
        ("2026-01-02", "2026-10-30", ("2026-02-01", "2026-09-30")),
        ("2025-12-31", "2026-02-01", ("2026-01-01", "2026-01-31")),
        ("2026-11-02", "2026-11-22", None),
    ],
)
def test_which_months_are_whole(first: str, last: str, months: tuple[str, str] | None) -> None:
    found = Period(date.fromisoformat(first), date.fromisoformat(last)).whole_months(TODAY)
    said = None if found is None else (found.first.isoformat(), found.last.isoformat())
    assert said == months


@pytest.mark.django_db
def test_every_group_and_course_of_a_long_period_is_that_of_its_days() -> None:
    admin = User.objects.create(username="boss", is_staff=True)
    version, account = factories.make_version(), factories.make_account()
    labs = [factories.make_lab(slug) for slug in ("lab-a", "lab-b")]
    last = counting.day_of(datetime.now(UTC))
    period = Period(last - timedelta(days=200), last)
    found = {}
    for number in range(40):
        end = datetime.combine(period.first, datetime.min.time(), UTC) + timedelta(days=5 * number)
        run = factories.make_run(
            lab=labs[number % 2], submitter=admin, version=version, account=account,
            state=RunState.FAILED if number % 3 else RunState.SUCCEEDED, finished_at=end,
        )  # fmt: skip
        RunUsage.objects.create(run=run)
        found[run.pk] = {"core_seconds": number * 3600}
    counting.record(found)
    counted = reading.of(admin, period)
    assert len(counted.parts()) > 1, "months and days"
    for column in ("lab_id", "submitter_id", "pipeline_id", "system_id"):
        assert counted.grouped(column) == reading._grouped([(1, counted.by_day())], [column])
    assert reading.altogether(counted).core_hours == sum(range(40))
    assert [row.label for row in reading.by(reading.Group.LAB, counted)] == ["lab-b", "lab-a"]
    steps = reading.course(counted)
    assert sum(step.sums.runs for step in steps) == 40
    assert [step.day for step in steps] == period.steps()
    for days in (3, 8, 14, 20, 26, 29):  # a few days more than months, and a few less
        other = reading.of(
            admin, Period(period.first + timedelta(days=days), last - timedelta(days))
        )
        assert other.grouped("lab_id") == reading._grouped([(1, other.by_day())], ["lab_id"])
        assert reading.altogether(other) == reading.added(other.grouped("lab_id").values())
    for group in reading.Group:
        for one in (counted, reading.of(admin, Period(last - timedelta(days=60), last))):
            both = (reading.by(group, one), reading.course(one))
            assert reading.by_and_course(group, one) == both
    of_one = reading.of(admin, period, labs[0])
    assert reading.altogether(of_one).runs == 20
