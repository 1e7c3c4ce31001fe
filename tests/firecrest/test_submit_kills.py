"""kill -9 around a FirecREST submission, with the portal's real processes: nothing lost, nothing twice."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.portal import IMPATIENT
from tests.firecrest.jobs import SCRIPT

if TYPE_CHECKING:
    from tests.firecrest.portal import Portal
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


@pytest.fixture(scope="module")
def hurried(lab: Lab) -> Iterator[Portal]:
    """A portal with short leases and short doubts."""
    from tests.firecrest.portal import running

    with running(lab, **IMPATIENT) as started:
        yield started


def call(portal: Portal, path: str, script: str = "") -> Any:
    """One request of Alice's: GET, or a script that is uploaded."""
    headers = {"Authorization": f"Bearer {portal.token('alice')}", "X-Machine-Name": "cluster"}
    body = None
    if script:
        headers["Content-Type"] = "multipart/form-data; boundary=xxx"
        name = 'Content-Disposition: form-data; name="file"; filename="kill.sh"'
        body = f"--xxx\r\n{name}\r\n\r\n{script}\r\n--xxx--\r\n".encode()
    request = urllib.request.Request(portal.url + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def wait_run(portal: Portal, run_id: str, state: str, seconds: float = 60) -> dict[str, Any]:
    found: dict[str, Any] = portal.stack.wait_state(run_id, state, seconds=seconds)
    return found


def newest_run(portal: Portal) -> str:
    """The id of Alice's newest run."""
    shown = portal.stack.request("GET", "/api/v1/runs/", "alice").json()
    return str(shown["results"][0]["id"])


def traces(portal: Portal, run: dict[str, Any], marker: str) -> int:
    """How often the job was executed."""
    path = portal.home("alice") / f"centro-{marker}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def script_of(marker: str, seconds: int = 0) -> str:
    return SCRIPT + f'sleep {seconds}\necho once >> "$HOME/centro-{marker}"\n'


@pytest.mark.parametrize("point", ["J1", "J2"])
def test_the_web_process_is_killed(hurried: Portal, point: str, tmp_path: Path) -> None:
    """J1: written down, not submitted yet. J2: submitted, the answer is lost with the process."""
    stack, marker = hurried.stack, f"{point}-{time.time_ns()}"
    stack.stop("web")
    stack.start("web", {"CENTRO_TEST_FAULT": point, "CENTRO_TEST_FAULT_DIR": str(tmp_path)})
    stack.wait_ready()
    with pytest.raises(OSError):
        call(hurried, "/compute/jobs/upload", script_of(marker))
    assert (tmp_path / point).exists(), "the fault point was not reached"
    stack.stop("web")
    stack.start("web")
    stack.wait_ready()
    run = wait_run(hurried, newest_run(hurried), "succeeded" if point == "J2" else "failed")
    task = next(iter(call(hurried, "/tasks")["tasks"].values()))  # the newest
    time.sleep(1)
    if point == "J2":
        assert traces(hurried, run, marker) == 1
        assert run["attempts"][0]["job_id"] == run["job_id"]
        assert task["status"] == "200"
    else:
        assert (traces(hurried, run, marker), run["job_id"]) == (0, None)
        assert "was not submitted" in run["reason_text"]
    (hurried.home("alice") / f"centro-{marker}").unlink(missing_ok=True)


def test_the_worker_is_killed_while_the_job_runs(hurried: Portal) -> None:
    marker = f"worker-{time.time_ns()}"
    task_id = call(hurried, "/compute/jobs/upload", script_of(marker, 4))["task_id"]
    task = call(hurried, f"/tasks/{task_id}")["task"]
    assert task["status"] == "200"  # ended before the answer
    run_id = newest_run(hurried)
    wait_run(hurried, run_id, "running")
    hurried.stack.kill_worker()
    hurried.stack.start("worker")
    run = wait_run(hurried, run_id, "succeeded", seconds=90)
    assert run["job_id"] == str(task["data"]["jobid"])
    assert run["kind"] == "job"
    assert traces(hurried, run, marker) == 1
    (hurried.home("alice") / f"centro-{marker}").unlink()
