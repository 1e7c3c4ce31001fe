"""Jetstream through a real portal: planned, submitted, followed, failed, planned again and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


@pytest.fixture
def pipeline(live_stack: LiveStack, jetstream: Path, tmp_path: Path) -> str:
    """The demonstration as a pipeline of the portal."""
    site = {
        "pipelines": [
            {
                "name": "centro_demo",
                "version": "0.2.0",
                "engine": "jetstream",
                "engine_options": {
                    "command": str(jetstream / "venv/bin/jetstream"),
                    "search_path": [str(jetstream / "pipelines")],
                    "sacct_frequency": 1,
                },
                "systems": ["cluster"],
                "labs": ["*"],
                "schema": {
                    "type": "object",
                    "required": ["samples"],
                    "properties": {"samples": {"type": "array"}, "seconds": {"type": "integer"}},
                },
                "resources": {
                    "queue": "part01",
                    "walltime": "00:10:00",
                    "cpus": 1,
                    "memory_mb": 300,
                },
            }
        ]
    }
    file = tmp_path / "site.yaml"
    file.write_text(yaml.safe_dump(site))
    live_stack.manage("apply", str(file))
    return "centro_demo"


def tasks(stack: LiveStack, run: str) -> dict[str, str]:
    answer = stack.request("GET", f"/api/v1/runs/{run}/tasks/", "alice")
    return {row["name"]: row["state"] for row in answer.json()["results"]}


def test_from_plan_to_resume(live_stack: LiveStack, pipeline: str) -> None:
    lab = live_stack.lab
    wish = f"{lab.layout.root}/work/test1/mended-by-hand"
    lab.sshd.run("test1", f"rm -f {wish}")
    configuration: dict[str, Any] = {
        "pipeline": pipeline,
        "samples": [{"name": "S1"}, {"name": "S2", "needs": wish}],
        "seconds": 0,
        "hpcAccount": "acct2",
    }
    checked = live_stack.request("POST", "/api/v1/new-run/?dry_run=1", "alice", configuration)
    assert checked.status == 200, checked.body
    assert [task["name"] for task in checked.json()["plan"]["tasks"]] == [
        "align_S1",
        "align_S2",
        "merge",
    ]
    assert checked.json()["resources"]["account"] == "acct2"
    run = live_stack.submit(configuration)
    shown = live_stack.wait_state(run, "failed", seconds=90)
    assert shown["exit_code"] == 1
    assert "at least one of the pipeline's tasks failed" in str(shown)
    assert tasks(live_stack, run) == {
        "align_S1": "complete",
        "align_S2": "failed",
        "merge": "skipped",
    }
    lab.sshd.run("test1", f"touch {wish}")
    answer = live_stack.request("POST", f"/api/v1/runs/{run}/resume/", "alice")
    assert answer.status == 201, answer.body
    again = str(answer.json()["id"])
    live_stack.wait_state(again, "succeeded", seconds=90)
    complete = dict.fromkeys(("align_S1", "align_S2", "merge"), "complete")
    assert tasks(live_stack, again) == complete
    done = lab.sshd.run("test1", f"cat {lab.layout.root}/work/test1/centro/{run}/project/runs.txt")
    assert sorted(line.split()[0] for line in done.splitlines()) == ["S1", "S2", "S2"]
    head = lab.slurm(
        "sacct", "-X", "-n", "-P", "-o", "Account", "-j", live_stack.run(again)["job_id"]
    )
    assert head.strip() == "acct2"
