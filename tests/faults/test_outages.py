"""Parts that go away while runs are active: pages answer, no state is invented, everything completes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.engine import cluster
from tests.lab.lab import Lab
from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults")]

OUTAGE = float(os.environ.get("CENTRO_TEST_OUTAGE_SECONDS", "30"))
"""How long the controller and sshd are away; the other parts half as long."""


def slurmctld(lab: Lab) -> tuple[Callable[[], None], Callable[[], None]]:
    return lab.slurmctld.stop, lab.slurmctld.start


def sshd(lab: Lab) -> tuple[Callable[[], None], Callable[[], None]]:
    return lab.sshd.stop, lab.sshd.start


def frozen_controller(lab: Lab) -> tuple[Callable[[], None], Callable[[], None]]:
    return lab.slurmctld.pause, lab.slurmctld.resume


def slurmdbd(lab: Lab) -> tuple[Callable[[], None], Callable[[], None]]:
    return lab.slurmdbd.stop, lab.slurmdbd.start


def submit_mixed(stack: LiveStack) -> dict[str, str]:
    """Active runs of three kinds, with the state that each must end in."""
    short = [stack.submit({"pipeline": "effect", "tenths": n}) for n in range(4)]
    failing = [stack.submit({"pipeline": "exit-code", "code": 5}) for _ in range(2)]
    long = [stack.submit({"pipeline": "sleep", "seconds": 8}) for _ in range(3)]
    return dict.fromkeys(short + long, "succeeded") | dict.fromkeys(failing, "failed")


def finish_and_compare(stack: LiveStack, expected: dict[str, str]) -> None:
    found = {run_id: stack.wait_state(run_id, seconds=180) for run_id in expected}
    assert {run_id: run["state"] for run_id, run in found.items()} == expected
    assert {run["exit_code"] for run in found.values()} == {0, 5}
    traces = cluster.effects(stack, list(expected))
    assert max(traces.values()) == 1
    assert all(run["attention"] is None for run in found.values())
    stack.manage("centro_audit")


@pytest.mark.parametrize(
    ("part", "seconds"),
    [(slurmctld, OUTAGE), (sshd, OUTAGE), (frozen_controller, OUTAGE / 2), (slurmdbd, OUTAGE / 2)],
)
def test_a_part_of_the_cluster_is_away(
    part: Callable[[Lab], tuple[Callable[[], None], Callable[[], None]]],
    seconds: float,
    stack: LiveStack,
    faulty_lab: Lab,
) -> None:
    stop, start = part(faulty_lab)
    expected = submit_mixed(stack)
    time.sleep(1.5)
    stop()
    try:
        late = {stack.submit({"pipeline": "effect", "tenths": 1}): "succeeded" for _ in range(2)}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = stack.request("GET", "/api/v1/runs/", "alice", timeout=15)
            assert answer.status == 200
            assert stack.request("GET", "/healthz", timeout=15).status == 200
            for run in answer.json()["results"]:
                wanted = (expected | late).get(run["id"])
                assert wanted is None or run["state"] in (
                    "queued", "submitting", "submitted", "running", "finishing", wanted,
                )  # fmt: skip
            time.sleep(1)
    finally:
        start()
    finish_and_compare(stack, expected | late)


def test_redis_is_restarted(stack: LiveStack, faulty_lab: Lab) -> None:
    expected = submit_mixed(stack)
    faulty_lab.valkey.stop()
    try:
        late = {stack.submit({"pipeline": "effect", "tenths": 1}): "succeeded" for _ in range(3)}
        assert stack.request("GET", "/api/v1/runs/", "alice").status == 200
        time.sleep(3)
    finally:
        faulty_lab.valkey.start()
    finish_and_compare(stack, expected | late)


def test_mariadb_is_restarted(stack: LiveStack, faulty_lab: Lab) -> None:
    expected = submit_mixed(stack)
    time.sleep(1)
    faulty_lab.mariadb.stop()
    try:
        for _ in range(5):
            answer = stack.request("GET", "/api/v1/runs/", "alice", timeout=20)
            assert answer.status == 503
            assert "retry-after" in answer.headers
            time.sleep(1)
    finally:
        faulty_lab.mariadb.start()
    stack.wait_ready()
    finish_and_compare(stack, expected)


def test_the_worker_is_killed_again_and_again(stack: LiveStack, faulty_lab: Lab) -> None:
    expected = submit_mixed(stack)
    for _ in range(6):
        time.sleep(1.2)
        stack.kill_worker()
        stack.start("worker")
        expected |= {stack.submit({"pipeline": "effect", "tenths": 2}): "succeeded"}
    finish_and_compare(stack, expected)


def test_two_beats_and_two_workers_do_no_harm(stack: LiveStack, faulty_lab: Lab) -> None:
    first = dict(stack.processes)
    try:
        for name in ("beat", "worker"):
            stack.start(name)
        expected = submit_mixed(stack)
        finish_and_compare(stack, expected)
    finally:
        for name in ("beat", "worker"):
            stack.stop(name)
            stack.processes[name] = first[name]
