"""Following jobs that were submitted through the API of this process: what worker and beat do, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from pipeline_management.choices import RunState
from pipeline_management.models import Run
from pipeline_management.services import cancellation, finishing, native_lookup, polling
from pipeline_management.services.history import first_fault

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

SCRIPT = "#!/bin/sh\n#SBATCH --time=10\n#SBATCH --mem=50\n"


def upload(desk: Desk, script: str | bytes, name: str = "job.sh", **fields: Any) -> Any:
    """Post a script to /compute/jobs/upload."""
    content = script.encode() if isinstance(script, str) else script
    machine = fields.pop("machine", "cluster")
    person = fields.pop("person", "alice")
    sent = {"file": SimpleUploadedFile(name, content), **fields}
    return desk.ask(
        "POST", "/compute/jobs/upload", sent, multipart=True, machine=machine, person=person
    )


def task_of(desk: Desk, answer: Any, person: str = "alice") -> dict[str, Any]:
    """The task that an answer made, as /tasks shows it."""
    assert answer.status_code in (200, 201), (answer.status_code, answer.content)
    task_id = answer.json()["task_id"]
    shown = desk.ask("GET", "/tasks", {"tasks": task_id}, person=person, machine=None).json()
    found: dict[str, Any] = shown["tasks"][task_id]
    return found


def submitted(desk: Desk, answer: Any) -> tuple[dict[str, Any], Run]:
    """JobSubmit of a submission that went well, and its run."""
    task = task_of(desk, answer)
    assert task["status"] == "200", task
    return task["data"], Run.objects.get(api_tasks=task["task_id"])


def step(run: Run) -> Run:
    """One round of the background work for the run's account."""
    native_lookup.look_up_due(run.account_id)
    cancellation.cancel_due(run.account_id)
    polling.poll_account(run.account_id)
    finishing.finish_due(run.account_id)
    run.refresh_from_db()
    return run


def follow(run: Run, *states: RunState, seconds: float = 60) -> Run:
    """Until the run is in one of the states (default: over)."""
    wanted = states or tuple(state for state in RunState if state.is_terminal)
    end = time.monotonic() + seconds
    while step(run).state not in wanted:
        told = (
            run.state,
            run.queue_state,
            run.attention_text,
            list(run.events.values("type", "data")),
        )
        assert time.monotonic() < end, told
        time.sleep(0.2)
    assert first_fault(run) == ""
    return run


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test's transaction belongs to its own thread; its steps are shorter than a lease."""
    monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)
    yield
