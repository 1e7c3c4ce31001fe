"""A run on a real Slurm is accounted for after its end, by the portal's own workers."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


def test_a_run_on_slurm_has_its_usage_after_its_end(stack: LiveStack) -> None:
    run_id = stack.submit({"pipeline": "sleep", "seconds": 1})
    stack.wait_state(run_id, "succeeded")
    columns = "source, core_seconds, elapsed_seconds, cpus, memory_mb, jobs, day, next_at"
    question = f"SELECT {columns} FROM pipeline_management_runusage WHERE run_id = '{run_id.replace('-', '')}'"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (row,) = stack.sql(question)
        if row[0] == "sacct" and row[7] == "NULL":
            break
        time.sleep(0.25)
    source, core, elapsed, cpus, memory, jobs, _day, next_at = row
    assert (source, next_at, jobs) == ("sacct", "NULL", "1")
    assert int(elapsed) >= 1 and int(core) == int(elapsed) * int(cpus) and int(memory) > 0
    first = (timezone.now() - timedelta(days=1)).date()
    answer = stack.request("GET", f"/api/v1/usage/?group=pipeline&from={first}", "alice").json()
    used = {row["key"]: row for row in answer["results"]}["sleep"]
    assert used["measured"] >= 1 and used["core_hours"] > 0
