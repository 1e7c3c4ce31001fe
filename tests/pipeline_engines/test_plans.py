"""Reading what engines say of their plans. No system, no database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline_management.services.engines.plans import (
    Plan,
    PlannedTask,
    UnreadablePlan,
    memory_mb,
    read_jetstream,
    read_snakemake,
    seconds,
)


def jetstream(*tasks: dict[str, Any]) -> Plan:
    return read_jetstream(json.dumps({"tasks": tasks}).encode())


def test_jetstreams_tasks_with_their_costs() -> None:
    plan = jetstream(
        {"name": "a", "state": "new", "after": [], "cpus": 4, "mem": "8G", "walltime": "02:00:00"},
        {"name": "b", "state": "new", "after": ["a"], "cpus": None, "mem": None, "walltime": "30"},
    )
    assert plan.tasks == (
        PlannedTask("a", (), 4, 8192, 7200),
        PlannedTask("b", ("a",), 1, None, 1800),
    )
    assert (plan.cpu_hours_ceiling, plan.warnings, plan.reuse, plan.depth) == (8.5, (), 0, 2)


def test_what_is_done_already_is_counted_and_not_listed() -> None:
    plan = jetstream(
        {"name": "a", "state": "complete"}, {"name": "b", "state": "failed", "after": ["a"]}
    )
    assert [task.name for task in plan.tasks] == ["b"]
    assert (plan.reuse, plan.depth) == (1, 1)


def test_without_walltimes_there_is_no_ceiling() -> None:
    plan = jetstream({"name": "a"}, {"name": "b"})
    assert plan.cpu_hours_ceiling is None
    assert plan.warnings == ("2 of 2 tasks give no walltime; the ceiling leaves them out.",)


def test_tasks_of_one_name_are_told() -> None:
    row = {"name": "a", "walltime": "1"}
    assert jetstream(row, row).warnings == ("Several tasks have the same name: a.",)


def test_an_empty_plan_costs_nothing() -> None:
    assert jetstream() == Plan((), 0, (), 0)


def test_snakemakes_jobs_depend_on_each_other_by_files() -> None:
    rows = [
        {"total": 5},
        {"name": "make s=a", "input": ["raw"], "output": ["a"], "cpus": 2,
         "resources": {"runtime": 60, "mem_mb": 100}},
        {"name": "make s=b", "input": [], "output": ["b"], "cpus": 1, "resources": {"runtime": 30}},
        {"name": "merge", "input": ["a", "b", "a"], "output": ["all"], "cpus": 1, "resources": {"runtime": 30}},
    ]  # fmt: skip
    plan = read_snakemake("\n".join(map(json.dumps, rows)).encode())
    assert plan.tasks[0] == PlannedTask("make s=a", (), 2, 100, 3600)
    assert plan.tasks[2].after == ("make s=a", "make s=b")
    assert (plan.reuse, plan.cpu_hours_ceiling, plan.depth) == (2, 3.0, 2)


@pytest.mark.parametrize(
    "output", [b"", b"{", b"[]", b"null", b'{"tasks": 3}', b'{"tasks": [{"x": 1}]}', b"\xff"]
)
def test_answers_that_are_none(output: bytes) -> None:
    with pytest.raises(UnreadablePlan):
        read_jetstream(output)


@pytest.mark.parametrize("output", [b"", b"{", b'{"total": 1}\n{"name"', b"noise\n{}"])
def test_cut_or_noisy_answers_of_snakemake(output: bytes) -> None:
    with pytest.raises(UnreadablePlan):
        read_snakemake(output)


def test_a_circle_ends() -> None:
    assert jetstream({"name": "a", "after": ["b"]}, {"name": "b", "after": ["a"]}).depth == 2


def test_a_long_chain_is_no_problem() -> None:
    rows = [{"name": str(n), "after": [str(n - 1)] if n else []} for n in range(5000)]
    assert jetstream(*reversed(rows)).depth == 5000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4G", 4096), ("4 GB", 4096), ("4GiB", 4096), ("500M", 500), ("1.5g", 1536), (300, 300), ("300", 300),
     ("2048K", 2), ("1T", 1048576), ("much", None), (None, None), (True, None), ("", None)],
)  # fmt: skip
def test_memory(text: Any, expected: int | None) -> None:
    assert memory_mb(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 1800), (30, 1800), ("10:30", 630), ("01:00:00", 3600), ("1-0", 86400), ("1-12:30", 131400),
     ("2-00:00:05", 172805), ("soon", None), (None, None), (True, None), ("1:2:3:4", None), (1.5, None)],
)  # fmt: skip
def test_walltimes(text: Any, expected: int | None) -> None:
    assert seconds(text) == expected
