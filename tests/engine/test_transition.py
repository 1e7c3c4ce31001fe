"""The one writer of states: compare-and-set, events, fences, legality."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import product

import pytest
from django.db import connection
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.models import Run, RunEvent
from pipeline_management.services import leases
from pipeline_management.services.history import first_fault
from pipeline_management.services.transition import (
    EXCERPT,
    Change,
    IllegalTransition,
    Note,
    apply,
)
from pipeline_management.states import TRANSITIONS
from tests.factories import make_run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("before", "after"), list(product(RunState, RunState)))
def test_only_moves_of_the_table_are_made(before: RunState, after: RunState) -> None:
    run = make_run(state=before)
    if after in TRANSITIONS[before]:
        assert apply([Change(run, after)], actor="test") == {run.pk}
        run.refresh_from_db()
        assert run.state == after
        assert (run.finished_at is not None) == after.is_terminal
    else:
        with pytest.raises(IllegalTransition):
            apply([Change(run, after)], actor="test")
        run.refresh_from_db()
        assert (run.state, run.events.count()) == (before, 1)


def test_the_loser_of_a_race_changes_nothing() -> None:
    run = make_run(state=RunState.RUNNING)
    stale = Run.objects.get(pk=run.pk)
    assert apply([Change(run, RunState.FINISHING)], actor="first")
    assert apply([Change(stale, RunState.SUBMITTED)], actor="second") == set()
    assert [event.actor for event in run.events.filter(type="state", seq__gt=1)] == ["first"]


def test_a_passed_fence_changes_nothing() -> None:
    run = make_run()
    with leases.holding() as first:
        assert leases.take_runs(Run.objects.filter(pk=run.pk), first, 1)[0].fence == 1
        held = Run.objects.get(pk=run.pk)
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=5))
    with leases.holding() as second:
        (taken,) = leases.take_runs(Run.objects.filter(pk=run.pk), second, 1)
        assert taken.fence == 2
    assert apply([Change(held, RunState.SUBMITTING, fenced=True)], actor="old") == set()
    assert apply([Change(taken, RunState.SUBMITTING, fenced=True)], actor="new") == {run.pk}


def test_a_held_run_is_not_taken_twice() -> None:
    run = make_run()
    with leases.holding() as first, leases.holding() as second:
        assert len(leases.take_runs(Run.objects.filter(pk=run.pk), first, 1)) == 1
        assert leases.take_runs(Run.objects.filter(pk=run.pk), second, 1) == []


def test_renewal_keeps_a_lease_and_revives_no_dead_one() -> None:
    kept, dead = make_run(), make_run()
    with leases.holding() as holder:
        leases.take_runs(Run.objects.filter(pk__in=[kept.pk, dead.pk]), holder, 2)
        soon = timezone.now() + timedelta(seconds=2)
        past = timezone.now() - timedelta(seconds=2)
        Run.objects.filter(pk=kept.pk).update(lease_until=soon)
        Run.objects.filter(pk=dead.pk).update(lease_until=past)
        leases.renew([holder])
    kept.refresh_from_db()
    dead.refresh_from_db()
    assert kept.lease_until > soon
    assert dead.lease_until < soon


def test_events_are_numbered_and_fold_to_the_row() -> None:
    run = make_run()
    notes = [Note("submit_unknown", data={"text": "x"}), Note("adopted")]
    apply([Change(run, RunState.SUBMITTING, notes=notes)], actor="a")
    run.refresh_from_db()
    apply([Change(run, fields={"queue_state": "PENDING"})], actor="a")
    run.refresh_from_db()
    assert list(run.events.values_list("seq", "type")) == [
        (1, "state"), (2, "submit_unknown"), (3, "adopted"), (4, "state"),
    ]  # fmt: skip
    assert (run.event_seq, run.queue_state, first_fault(run)) == (4, "PENDING", "")


def test_the_audit_finds_what_was_changed_behind_its_back() -> None:
    run = make_run()
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
    run.refresh_from_db()
    assert "the row says" in first_fault(run)
    RunEvent.objects.filter(run=run).update(seq=2)
    assert first_fault(run) == "event 1 is missing"


def test_many_runs_change_in_few_queries(django_assert_max_num_queries: object) -> None:
    first = make_run()
    runs = [first] + [
        make_run(account=first.account, version=first.version, lab=first.lab, submitter=first.submitter)
        for _ in range(30)
    ]
    changes = [Change(run, RunState.SUBMITTING, fields={"tries": 0}) for run in runs]
    with django_assert_max_num_queries(6):  # type: ignore[operator]  # a fixture's context manager
        assert len(apply(changes, actor="a")) == 31


def test_long_texts_from_clusters_are_cut() -> None:
    run = make_run()
    apply([Change(run, notes=[Note("x", data={"text": "y" * 100_000, "n": 1})])], actor="a")
    event = run.events.get(type="x")
    assert (len(event.data["text"]), event.data["n"]) == (EXCERPT, 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_writers_exactly_one_wins() -> None:
    run = make_run(state=RunState.RUNNING)
    won: list[str] = []
    barrier = threading.Barrier(6)

    def write(name: str) -> None:
        mine = Run.objects.get(pk=run.pk)
        barrier.wait()
        if apply([Change(mine, RunState.FINISHING)], actor=name):
            won.append(name)
        connection.close()

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert run.events.filter(to_state=RunState.FINISHING).count() == 1
