"""200 runs from 8 clients at once: each executed once, each with its own outcome."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine import cluster
from tests.lab.lab import Lab
from tests.stack import LiveStack

pytestmark = pytest.mark.lab
RUNS = 200


def test_200_runs_of_8_clients(stack: LiveStack, lab: Lab) -> None:
    """All jobs once in accounting, all effects once, all states right, two connections at most."""
    log = lab.sshd.log_file
    before = log.stat().st_size if log.exists() else 0

    def post(number: int) -> str:
        if number % 5 == 0:
            return stack.submit({"pipeline": "exit-code", "code": 7})
        return stack.submit({"pipeline": "effect", "tenths": number % 10})

    with ThreadPoolExecutor(8) as clients:
        ids = list(clients.map(post, range(RUNS)))
    outcomes = [stack.wait_state(run_id, seconds=180) for run_id in ids]
    expected = ["failed" if number % 5 == 0 else "succeeded" for number in range(RUNS)]
    assert [run["state"] for run in outcomes] == expected
    assert {run["exit_code"] for run in outcomes} == {0, 7}
    keys = cluster.keys_of(stack, ids)
    assert set(cluster.jobs(lab, list(keys.values())).values()) == {1}
    traces = cluster.effects(stack, ids)
    assert all(traces[run_id] == (number % 5 != 0) for number, run_id in enumerate(ids))
    assert all(len(run["attempts"]) == 1 for run in outcomes)
    text = log.read_bytes()[before:].decode(errors="replace")
    opened = re.findall(r"Accepted publickey for test1", text)
    assert len(opened) <= 4  # the worker's two, and two of the web processes that read logs
