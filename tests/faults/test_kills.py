"""kill -9 at every step of the protocol: no run lost, none executed twice."""

from __future__ import annotations

import time

import pytest

from tests.engine import cluster
from tests.lab.lab import Lab
from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults")]

WORKER_POINTS = ["P1a", "P1b", "P3a", "P3b", "P4a", "P4b"]
SHELL_POINTS = ["S1", "S2", "S3", "S4", "S5", "S6a", "S6b", "S7"]
JOB_POINTS = ["W1", "W2", "W3", "W4", "W5", "W6"]


def submit_with_fault(stack: LiveStack, point: str, folder: str) -> str:
    """A run whose submission meets the fault; the worker is unharmed again when it died of it."""
    stack.restart_worker({"CENTRO_TEST_FAULT": point, "CENTRO_TEST_FAULT_DIR": folder})
    run_id = stack.submit({"pipeline": "effect", "tenths": 1})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if stack.processes["worker"].poll() is not None or point[0] != "P":
            break
        time.sleep(0.1)
    return run_id


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_the_worker_is_killed(
    point: str, stack: LiveStack, faulty_lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("faults")
    run_id = submit_with_fault(stack, point, str(folder))
    assert (folder / point).exists(), "the fault point was not reached"
    stack.processes.pop("worker").wait(10)
    stack.start("worker")
    run = stack.wait_state(run_id, "succeeded", seconds=90)
    assert cluster.effects(stack, [run_id])[run_id] == 1
    key = cluster.keys_of(stack, [run_id])[run_id]
    assert cluster.jobs(faulty_lab, [key])[key] == 1
    assert len(run["attempts"]) == 1


@pytest.mark.parametrize("point", SHELL_POINTS)
def test_the_shell_on_the_cluster_is_killed(
    point: str, stack: LiveStack, faulty_lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_id = submit_with_fault(stack, point, str(tmp_path_factory.mktemp("faults")))
    stack.wait_state(run_id, "succeeded", seconds=90)
    directory = cluster.run_directory(stack, run_id)
    assert (directory / f".fault.{point}").exists() or point == "S4"
    assert cluster.effects(stack, [run_id])[run_id] == 1
    key = cluster.keys_of(stack, [run_id])[run_id]
    assert cluster.jobs(faulty_lab, [key])[key] == 1
    stack.restart_worker()


@pytest.mark.parametrize("point", JOB_POINTS)
def test_the_job_itself_is_killed(
    point: str, stack: LiveStack, faulty_lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Before its claim the run may go on with another job; after it the run has executed at most once."""
    run_id = submit_with_fault(stack, point, str(tmp_path_factory.mktemp("faults")))
    run = stack.wait_state(run_id, seconds=120)
    directory = cluster.run_directory(stack, run_id)
    assert (directory / f".fault.{point}").exists()
    times = cluster.effects(stack, [run_id])[run_id]
    if point in ("W1", "W2"):
        assert (run["state"], run["reason"], times) == ("failed", "LAUNCH_FAILED", 0)
    elif point in ("W3", "W4"):
        assert (run["state"], times) == ("failed", 0)
        assert run["reason"] == "SIGNAL"
    elif point == "W5":
        assert (run["state"], run["reason"], times) == ("failed", "SIGNAL", 1)
    else:
        assert (run["state"], run["exit_code"], times) == ("succeeded", 0, 1)
    stack.restart_worker()
