"""What runs have used, written once and added up by day, whatever comes twice, late or in another order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Lab
from pipeline_management.choices import RunState
from pipeline_management.models import COUNTERS, Run, RunEvent, RunUsage, UsageDay, UsageMonth
from pipeline_management.services.transition import Change, apply
from pipeline_management.services.usage import counting, pending, upkeep
from tests import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def site() -> dict[str, Any]:
    system = factories.make_system()
    account = factories.make_account(system)
    return {
        "account": account,
        "version": factories.make_version(system=system),
        "lab": factories.make_lab("lab-a"),
        "submitter": factories.make_user("ann"),
    }


def ended(
    site: dict[str, Any],
    at: datetime = NOON,
    state: RunState = RunState.SUCCEEDED,
    **fields: Any,
) -> Run:
    run = factories.make_run(**(site | fields), state=state, finished_at=at)
    RunUsage.objects.create(run=run, next_at=at)
    return run


def sums(**given: Any) -> dict[str, int]:
    """What the days come to; the months say the same."""
    wanted = {n: Sum(n) for n in COUNTERS}
    row, months = (t.objects.filter(**given).aggregate(**wanted) for t in (UsageDay, UsageMonth))
    assert row == months
    return {name: value for name, value in row.items() if value}


def test_an_end_is_written_down_once_with_the_state_itself(site: dict[str, Any]) -> None:
    run = factories.make_run(**site, state=RunState.FINISHING, outcome="failed")
    assert apply([Change(run, RunState.FAILED)], actor="test") == {run.pk}
    usage = RunUsage.objects.get(run=run)
    assert usage.next_at is not None and usage.day is None
    pending.note_ends(RunEvent.objects.filter(run=run))
    assert RunUsage.objects.filter(run=run).count() == 1


def test_a_move_that_is_no_end_is_not_asked_about(site: dict[str, Any]) -> None:
    run = factories.make_run(**site, state=RunState.SUBMITTED)
    apply([Change(run, RunState.RUNNING)], actor="test")
    assert not RunUsage.objects.exists()


def test_a_run_is_counted_under_the_utc_day_of_its_end(site: dict[str, Any]) -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    run = ended(site, late.astimezone())
    assert (
        counting.record({run.pk: {"core_seconds": 50, "elapsed_seconds": 5, "wait_seconds": 0}})
        == 1
    )
    row = UsageDay.objects.get()
    assert (row.day, row.lab, row.submitter) == (date(2026, 11, 20), site["lab"], site["submitter"])
    assert row.pipeline == site["version"].pipeline and row.system == site["account"].system
    assert sums() == {
        "runs": 1, "succeeded": 1, "core_seconds": 50, "elapsed_seconds": 5, "waited": 1, "measured": 1,
    }  # fmt: skip


def test_counting_again_replaces_what_was_counted(site: dict[str, Any]) -> None:
    run = ended(site, state=RunState.FAILED)
    counting.record({run.pk: {"core_seconds": None, "elapsed_seconds": 9}})
    counting.record({run.pk: {"core_seconds": 70, "elapsed_seconds": 7}})
    counting.record({run.pk: {"core_seconds": 70, "elapsed_seconds": 7}})
    assert sums() == {
        "runs": 1,
        "failed": 1,
        "core_seconds": 70,
        "elapsed_seconds": 7,
        "measured": 1,
    }


def test_a_job_script_without_lab_and_pipeline_has_one_row(site: dict[str, Any]) -> None:
    for _ in range(2):
        run = factories.make_job(account=site["account"], submitter=site["submitter"],
                                 state=RunState.CANCELLED, finished_at=NOON)  # fmt: skip
        RunUsage.objects.create(run=run)
        counting.record({run.pk: {"core_seconds": 1}})
    row = UsageDay.objects.get()
    assert (row.lab, row.pipeline, row.runs, row.cancelled) == (None, None, 2, 2)


def test_what_has_not_ended_or_has_no_row_is_left_out(site: dict[str, Any]) -> None:
    running = factories.make_run(**site, state=RunState.RUNNING)
    RunUsage.objects.create(run=running)
    without = factories.make_run(**site, state=RunState.FAILED, finished_at=NOON)
    assert counting.record({running.pk: {"core_seconds": 1}, without.pk: {"core_seconds": 1}}) == 0
    assert not UsageDay.objects.exists()


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 10**9)), st.booleans()),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_any_order_of_answers_leaves_the_sum_of_the_last(
    site: dict[str, Any], answers: list[tuple[int, int | None, bool]]
) -> None:
    RunUsage.objects.all().delete()
    UsageDay.objects.all().delete()
    UsageMonth.objects.all().delete()
    other = factories.make_lab("lab-b")
    runs = [
        ended(site, NOON + timedelta(days=number % 2), (RunState.SUCCEEDED, RunState.FAILED)[number % 2],
              lab=other if number % 3 else site["lab"])
        for number in range(6)
    ]  # fmt: skip
    last: dict[int, int | None] = {}
    for number, core, together in answers:
        last[number] = core
        batch = {runs[number].pk: {"core_seconds": core}}
        if together:
            last[0] = 7
            batch[runs[0].pk] = {"core_seconds": 7 if number else core}
            last[number if number else 0] = core
        counting.record(batch)
    assert sums().get("core_seconds", 0) == sum(core or 0 for core in last.values())
    assert sums()["runs"] == len(last)
    assert counting.rebuild(upkeep.days_between(NOON.date(), NOON.date() + timedelta(days=1))) == 0


def test_rebuilding_mends_whatever_is_wrong(site: dict[str, Any]) -> None:
    runs = [ended(site) for _ in range(3)] + [ended(site, NOON - timedelta(days=1))]
    counting.record({run.pk: {"core_seconds": 10, "gpu_seconds": 1} for run in runs})
    right = sums()
    UsageMonth.objects.update(core_seconds=3)
    UsageDay.objects.filter(day=NOON.date()).update(core_seconds=1, runs=99)
    UsageDay.objects.filter(day=NOON.date() - timedelta(days=1)).delete()
    stray = UsageDay.objects.create(
        key="stray",
        day=NOON.date(),
        submitter=site["submitter"],
        system=site["account"].system,
        runs=4,
    )
    assert counting.rebuild([NOON.date(), NOON.date() - timedelta(days=1)]) == 4
    assert sums() == right
    assert not UsageDay.objects.filter(pk=stray.pk).exists()


def test_two_days_of_two_months_are_counted_in_each(site: dict[str, Any]) -> None:
    ends = [datetime(2026, 10, 31, 23, 59, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), NOON]
    counting.record({ended(site, end).pk: {"core_seconds": 10} for end in ends})
    kept = UsageMonth.objects.order_by("day").values_list("day", "runs", "core_seconds")
    assert list(kept) == [(date(2026, 10, 1), 1, 10), (date(2026, 11, 1), 2, 20)]


def test_the_command_mends_and_finds_runs_of_before(
    site: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    factories.make_run(**site, state=RunState.SUCCEEDED, finished_at=NOON)
    counted = ended(site)
    counting.record({counted.pk: {"core_seconds": 10}})
    UsageDay.objects.update(runs=7)
    call_command("centro_usage", "--missing")
    said = capsys.readouterr().out
    assert "1 runs are to be asked about" in said
    assert "2026-11-20 to 2026-11-20 (UTC): 1 sums mended" in said
    assert RunUsage.objects.filter(next_at__isnull=False, day__isnull=True).count() == 1


def test_the_nightly_round_does_the_same(site: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    run = ended(site, now)
    counting.record({run.pk: {"core_seconds": 10}})
    UsageDay.objects.update(core_seconds=11)
    upkeep.mend_lately()
    assert sums()["core_seconds"] == 10


def test_who_answers_for_which_usage(site: dict[str, Any]) -> None:
    lab: Lab = site["lab"]
    members: dict[str, User] = {}
    for name, role in (("manny", "manager"), ("sue", "submitter"), ("vic", "viewer")):
        factories.make_lab("lab-a", **{name: role})
        members[name] = User.objects.get(username=name)
    counting.record({ended(site).pk: {"core_seconds": 1}})
    counting.record({ended(site, submitter=members["sue"]).pk: {"core_seconds": 1}})
    counting.record({ended(site, lab=factories.make_lab("lab-z")).pk: {"core_seconds": 1}})

    def seen(user: User) -> list[tuple[str | None, str]]:
        rows = UsageDay.objects.reviewed_by(user)
        return sorted(rows.values_list("lab__slug", "submitter__username"))

    assert seen(members["manny"]) == [("lab-a", "ann"), ("lab-a", "sue")]
    assert seen(members["sue"]) == [("lab-a", "sue")]
    assert seen(members["vic"]) == []
    assert len(seen(factories.make_user("root", staff=True))) == 3
    lab.memberships.all().delete()
    assert seen(members["manny"]) == []
