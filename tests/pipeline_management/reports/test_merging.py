"""Reports in any order give the same tasks and progress."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline_management.models import Run, RunTask
from pipeline_management.services.reports.merging import key_of, merged_progress, merged_tasks
from pipeline_management.services.reports.wire import Report

START = datetime(2026, 11, 22, 9, tzinfo=UTC)


def report(
    seq: int, type: str = "task", /, sender: str = "job", second: int | None = None, **data: Any
) -> Report:
    at = START + timedelta(seconds=seq if second is None else second)
    return Report(sender, seq, type, at, data)


def shown(task: RunTask) -> tuple[Any, ...]:
    return (
        task.name, task.state, task.job_id, task.exit_code, task.started_at, task.ended_at, task.resources,
        task.sender, task.seq,
    )  # fmt: skip


def merged(*batches: list[Report]) -> dict[str, RunTask]:
    """The tasks by name after these batches, one after the other."""
    known: dict[str, RunTask] = {}
    for batch in batches:
        known |= merged_tasks(Run(), known, batch)
    return {task.name: task for task in known.values()}


STEPS = [
    report(1, name="align", state="pending", resources={"cpus": 4}),
    report(2, name="align", state="running", job_id="12"),
    report(3, name="call", state="new"),
    report(4, name="align", state="complete", exit_code=0),
    report(5, name="call", state="running"),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_the_order_of_arrival_does_not_matter(order: tuple[int, ...]) -> None:
    expected = {name: shown(task) for name, task in merged(STEPS).items()}
    tasks = merged(*[[STEPS[number]] for number in order])
    assert {name: shown(task) for name, task in tasks.items()} == expected
    assert expected["align"][1:5] == ("complete", "12", 0, START + timedelta(seconds=2))
    assert expected["call"][1] == "running"


def test_an_older_report_changes_no_state_but_tells_what_was_not_known() -> None:
    tasks = merged(
        [report(2, name="a", state="running")], [report(1, name="a", state="pending", job_id="7")]
    )
    assert (tasks["a"].state, tasks["a"].job_id, tasks["a"].seq) == ("running", "7", 2)


def test_between_senders_the_later_counts() -> None:
    head = report(90, sender="head", second=10, name="a", state="running")
    job = report(1, sender="job", second=20, name="a", state="failed", exit_code=3)
    for batches in ([[head], [job]], [[job], [head]]):
        task = merged(*batches)["a"]
        assert (task.state, task.exit_code, task.sender) == ("failed", 3, "job")
        assert task.started_at == START + timedelta(seconds=10)


def test_a_task_that_is_done_again_begins_afresh() -> None:
    tasks = merged([
        report(1, name="a", state="running"),
        report(2, name="a", state="failed", exit_code=1, started=5.0, ended=9.0),
        report(3, name="a", state="running"),
    ])  # fmt: skip
    task = tasks["a"]
    assert (task.state, task.exit_code, task.ended_at) == ("running", None, None)
    assert task.started_at == START + timedelta(seconds=3)


def test_names_that_differ_in_capitals_are_two_tasks() -> None:
    assert key_of("Align") != key_of("align")
    assert (
        len(merged([report(1, name="Align", state="new"), report(2, name="align", state="new")]))
        == 2
    )


def test_other_reports_make_no_task() -> None:
    assert merged([report(1, "message", text="x"), report(2, "progress", percent=3)]) == {}


def test_resources_are_gathered_and_bounded() -> None:
    many = {f"r{n}": n for n in range(20)}
    tasks = merged([report(1, name="a", state="new", resources=many)],
                   [report(2, name="a", state="running", resources={"r0": 9, "more": 1})])  # fmt: skip
    assert len(tasks["a"].resources) == 20
    assert tasks["a"].resources["r0"] == 9


def test_the_newest_progress_counts() -> None:
    run = Run()
    fields = merged_progress(
        run, [report(3, "progress", percent=60, text="x"), report(2, "progress", percent=40)]
    )
    assert (fields["progress"], fields["progress_text"], fields["progress_seq"]) == (60, "x", 3)
    for name, value in fields.items():
        setattr(run, name, value)
    assert merged_progress(run, [report(1, "progress", percent=90)]) == {}, "late, by the file"
    assert merged_progress(run, [report(4, "progress", percent=10)])["progress"] == 10, (
        "it may go back"
    )
    later = report(1, "progress", sender="head", second=99, percent=70)
    assert merged_progress(run, [later])["progress"] == 70
