"""A pipeline of 20 tasks on the lab's Slurm reports: by HTTP, and where nobody answers by its file."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine import cluster
from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]
TASKS = 20


def everything(stack: LiveStack, run_id: str) -> list[dict[str, Any]]:
    """All events of a run, in their order."""
    events: list[dict[str, Any]] = []
    more, last = True, 0
    while more:
        page = stack.request("GET", f"/api/v1/runs/{run_id}/events/?after={last}", "alice").json()
        events, more, last = events + page["results"], page["more"], page["last"]
    return events


def watch(stack: LiveStack, run_ids: list[str]) -> dict[str, list[int | None]]:
    """Until all runs have ended: the different values of progress that were seen of each."""
    seen: dict[str, list[int | None]] = {run_id: [] for run_id in run_ids}
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        shown = {run_id: stack.run(run_id) for run_id in run_ids}
        for run_id, run in shown.items():
            if run["state"] == "running" and run["progress"] not in seen[run_id]:
                seen[run_id].append(run["progress"])
        if all(run["state"] in ("succeeded", "failed", "cancelled") for run in shown.values()):
            return seen
        time.sleep(0.2)
    raise AssertionError(shown)


def test_twenty_tasks_by_http_and_by_file(stack: LiveStack) -> None:
    ids = {
        closed: stack.submit({"pipeline": "reporting", "tasks": TASKS, "closed": closed})
        for closed in (False, True)
    }
    seen = watch(stack, list(ids.values()))
    for closed, run_id in ids.items():
        run = stack.wait_state(run_id, "succeeded")
        assert (run["progress"], run["progress_text"]) == (100, f"step {TASKS}")
        assert (run["tasks_total"], run["tasks_done"], run["tasks_failed"]) == (TASKS, TASKS, 0)
        tasks = stack.request("GET", f"/api/v1/runs/{run_id}/tasks/", "alice").json()["results"]
        assert {task["job_id"] for task in tasks} == {run["job_id"]}
        assert all(task["started_at"] and task["ended_at"] for task in tasks)
        events = everything(stack, run_id)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        told = [event for event in events if event["sender"]]
        assert len(told) == 3 * TASKS + 1, "nothing twice, nothing lost"
        assert len({event["sender"] for event in told}) == 1
        assert told[-1]["seq"] < events[-1]["seq"], "the end comes last"
        assert any(value is not None and value < 100 for value in seen[run_id]), "seen on its way"
        folder = cluster.run_directory(stack, run_id)
        assert (folder / ".events.away").exists() is closed
        notes = (folder / "stderr").read_text()
        assert ("it reads events.ndjson instead" in notes) is closed
        assert notes.count("\n") == int(closed), "said once"
        lines = (folder / "events.ndjson").read_text().splitlines()
        assert len(lines) == len(told)
        token = (folder / ".token").read_text().strip()
        assert token.startswith("ctr_") and token not in (folder / "job.sh").read_text()
        late = stack.request(
            "POST", f"/api/v1/runs/{run_id}/events/", data=lines[0].encode(),
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert late.status == 403
