"""The portal's real processes on the lab's servers: a short way through everything."""

from __future__ import annotations

import pytest

from tests.lab.lab import Lab
from tests.stack import LiveStack

pytestmark = pytest.mark.lab


def test_a_run_goes_through_slurm(live_stack: LiveStack, lab: Lab) -> None:
    run = live_stack.submit({"pipeline": "hello", "name": "stack"})
    shown = live_stack.wait_state(run, "succeeded")
    job = str(shown["job_id"])
    columns = lab.slurm("sacct", "-a", "-X", "-n", "-P", "-j", job, "-o", "User,State").strip()
    assert columns == "test1|COMPLETED"
    log = live_stack.request("GET", f"/api/v1/runs/{run}/log/?stream=stdout", "alice")
    assert log.status == 200
    assert b"hello stack" in log.body


def test_the_exit_code_of_the_script_arrives(live_stack: LiveStack) -> None:
    run = live_stack.submit({"pipeline": "exit-code", "code": 3}, "bob")
    assert live_stack.wait_state(run, "failed", user="bob")["exit_code"] == 3


def test_a_user_with_a_c_shell_is_served_as_well(live_stack: LiveStack) -> None:
    run = live_stack.submit({"pipeline": "hello", "name": "it's $HOME `id` !csh"}, "dave")
    live_stack.wait_state(run, "succeeded", user="dave")
    log = live_stack.request("GET", f"/api/v1/runs/{run}/log/?stream=stdout", "dave")
    assert b"it's $HOME `id` !csh" in log.body


def test_the_scheduler_s_own_words_are_kept(live_stack: LiveStack) -> None:
    run = live_stack.submit({"pipeline": "wrong-partition"})
    shown = live_stack.wait_state(run, "failed")
    assert "invalid partition" in str(shown).lower()


def test_a_worker_killed_outright_is_no_loss(live_stack: LiveStack) -> None:
    run = live_stack.submit({"pipeline": "sleep", "seconds": 5})
    live_stack.wait_state(run, "submitted", "running", "succeeded")
    live_stack.kill_worker()
    live_stack.restart_worker()
    live_stack.wait_state(run, "succeeded")


def test_a_run_past_its_time_limit_ends_as_timeout(live_stack: LiveStack, lab: Lab) -> None:
    run = live_stack.submit({"pipeline": "short-walltime"})
    shown = live_stack.wait_state(run, "running")
    lab.expire(str(shown["job_id"]))
    shown = live_stack.wait_state(run, "failed", seconds=90)
    assert "TIMEOUT" in str(shown["reason"]).upper()
