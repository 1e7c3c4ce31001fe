"""Every way in which a run can end, on a real Slurm over a real sshd."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.engine import cluster
from tests.lab.lab import Lab
from tests.lab.sitefile import PASSWORDS
from tests.stack import LiveStack

pytestmark = pytest.mark.lab
EXAMPLE = Path(__file__).parents[2] / "deploy/pipelines/phoenix/example.json"


def test_success_has_its_log_and_its_events(stack: LiveStack, lab: Lab) -> None:
    run_id = stack.submit({"pipeline": "hello", "name": "it's; $(touch x) `y`"})
    run = stack.wait_state(run_id, "succeeded")
    assert (run["exit_code"], run["reason"], run["attention"]) == (0, None, None)
    log = stack.request("GET", f"/api/v1/runs/{run_id}/log/?stream=stdout", "alice")
    assert log.body.decode() == "hello it's; $(touch x) `y`\n"
    events = stack.request("GET", f"/api/v1/runs/{run_id}/events/", "alice").json()["results"]
    path = [event["to_state"] for event in events if event["type"] == "state"]
    assert path[:3] == ["queued", "submitting", "submitted"]
    assert path[-2:] == ["finishing", "succeeded"]
    directory = cluster.run_directory(stack, run_id)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert json.loads((directory / "config.json").read_text())["name"] == "it's; $(touch x) `y`"
    assert not (directory / "x").exists()


def test_an_exit_code_fails_the_run(stack: LiveStack) -> None:
    run = stack.wait_state(stack.submit({"pipeline": "exit-code", "code": 3}), "failed")
    assert (run["reason"], run["exit_code"]) == ("EXIT_NONZERO", 3)


def test_a_wrong_partition_is_refused_in_the_schedulers_words(stack: LiveStack) -> None:
    run = stack.wait_state(stack.submit({"pipeline": "wrong-partition"}), "failed")
    assert run["reason"] == "SUBMIT_REJECTED"
    assert "invalid partition specified: nowhere" in run["reason_text"]


def test_a_running_job_is_cancelled_on_the_cluster(stack: LiveStack, lab: Lab) -> None:
    run_id = stack.submit({"pipeline": "sleep", "seconds": 600})
    stack.wait_state(run_id, "running")
    assert stack.request("POST", f"/api/v1/runs/{run_id}/cancel/", "alice").status == 202
    run = stack.wait_state(run_id, "cancelled")
    assert run["reason"] == "CANCELLED_BY_USER"
    (state,) = cluster.states(lab, cluster.keys_of(stack, [run_id])[run_id])
    assert state.startswith("CANCELLED")


def test_a_waiting_job_is_cancelled_on_the_cluster(stack: LiveStack, lab: Lab) -> None:
    lab.slurm("scontrol", "update", "PartitionName=part01", "State=DOWN")
    try:
        run_id = stack.submit({"pipeline": "sleep", "seconds": 600})
        stack.wait_state(run_id, "submitted")
        stack.request("POST", f"/api/v1/runs/{run_id}/cancel/", "alice")
        assert stack.wait_state(run_id, "cancelled")["reason"] == "CANCELLED_BY_USER"
    finally:
        lab.slurm("scontrol", "update", "PartitionName=part01", "State=UP")


def test_a_closed_queue_is_explained_while_the_run_waits(stack: LiveStack, lab: Lab) -> None:
    lab.slurm("scontrol", "update", "PartitionName=part01", "State=DOWN")
    try:
        run_id = stack.submit({"pipeline": "hello", "name": "later"})
        stack.wait_state(run_id, "submitted")
        for _ in range(100):
            run = stack.run(run_id)
            if run["attention"]:
                break
            threading.Event().wait(0.2)
        assert run["attention"]["code"] == "HELD"
        assert "queue is closed" in run["explanation"]
    finally:
        lab.slurm("scontrol", "update", "PartitionName=part01", "State=UP")
    assert stack.wait_state(run_id, "succeeded")["attention"] is None


def test_a_job_cancelled_by_hand_is_cancelled_outside(stack: LiveStack, lab: Lab) -> None:
    run_id = stack.submit({"pipeline": "sleep", "seconds": 600})
    run = stack.wait_state(run_id, "running")
    lab.slurm("scancel", run["job_id"])
    assert stack.wait_state(run_id, "cancelled")["reason"] == "CANCELLED_OUTSIDE"


def test_the_walltime_limit_fails_the_run(stack: LiveStack, lab: Lab) -> None:
    run_id = stack.submit({"pipeline": "short-walltime"})
    run = stack.wait_state(run_id, "running")
    lab.expire(run["job_id"])
    run = stack.wait_state(run_id, "failed", seconds=120)
    assert run["reason"] == "TIMEOUT"


def test_a_job_that_kills_itself_fails_with_the_signal(stack: LiveStack, lab: Lab) -> None:
    run_id = stack.submit({"pipeline": "sleep", "seconds": 600})
    run = stack.wait_state(run_id, "running")
    lab.slurm("scancel", "--batch", "--signal=KILL", run["job_id"])
    run = stack.wait_state(run_id, "failed", seconds=90)
    assert (run["reason"], run["signal"]) == ("SIGNAL", 9)


def test_a_cancelled_queued_run_never_reaches_the_cluster(stack: LiveStack, lab: Lab) -> None:
    stack.stop("worker")
    run_id = stack.submit({"pipeline": "hello", "name": "x"})
    answer = stack.request("POST", f"/api/v1/runs/{run_id}/cancel/", "alice")
    assert answer.json()["state"] == "cancelled"
    stack.start("worker")
    other = stack.submit({"pipeline": "hello", "name": "y"})
    stack.wait_state(other, "succeeded")
    assert not cluster.run_directory(stack, run_id).exists()


def test_the_phoenix_example_by_curl_with_a_netrc_file(stack: LiveStack, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login alice password {PASSWORDS['alice']}\n")
    netrc.chmod(0o600)
    said = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", "--request", "POST",
         "--netrc-file", str(netrc), "--header", "Content-type: application/json",
         "-d", f"@{EXAMPLE}", f"{stack.base_url}/api/v1/new-run/"],
        capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"], "no_proxy": "*"},
    )  # fmt: skip
    created = json.loads(said.stdout)
    assert created["state"] == "queued"
    stack.wait_state(created["id"], "succeeded")
    log = stack.request("GET", f"/api/v1/runs/{created['id']}/log/?stream=stdout", "alice")
    assert "NA12878" in log.body.decode()


def test_the_same_idempotency_key_gives_the_same_run(stack: LiveStack) -> None:
    headers = {"Idempotency-Key": "one-and-only"}
    ids = {
        stack.submit({"pipeline": "hello", "name": "same"}, headers=headers) for _ in range(3)
    }
    assert len(ids) == 1
    stack.wait_state(ids.pop(), "succeeded")
