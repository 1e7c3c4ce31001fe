"""The head of a Jetstream run on the lab's Slurm, with a stand-in for Jetstream that behaves as recorded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.models import PipelineVersion
from tests.pipeline_engines.driving import Driver, version_of

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


def demo(jetstream: Path, **options: Any) -> PipelineVersion:
    given = {
        "command": str(jetstream / "venv/bin/jetstream"),
        "search_path": [str(jetstream / "pipelines")],
        "sacct_frequency": 1,
    }
    return version_of("jetstream", "centro_demo", "0.2.0", given | options)


def samples(*names: str, seconds: int = 0, **last: Any) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [{"name": name} for name in names]
    rows[-1] |= last
    return {"project": "demo", "samples": rows, "seconds": seconds}


def test_a_run_stages_in_runs_and_archives(driver: Driver, jetstream: Path) -> None:
    archive = f"{driver.root}/archive"
    version = demo(jetstream, stage_in="echo here > staged.txt", archive={"under": [driver.root]})
    run = driver.run(version, samples("S1", "S2") | {"isilonPath": archive})
    assert run.wait() == 0, run.read("stderr")
    wanted = ("stage in", "align_S1", "align_S2", "merge", "archive")
    assert run.tasks() == dict.fromkeys(wanted, "complete")
    reported = [event["data"] for event in run.events if event["type"] == "task"]
    of_one = [row for row in reported if row["name"] == "align_S1"]
    assert [row["state"] for row in of_one][0] == "pending"
    assert of_one[-1]["job_id"].isdecimal() and of_one[-1]["exit_code"] == 0
    assert of_one[-1]["resources"] == {"cpus": 2, "mem": "50M", "walltime": "00:05:00"}
    numbers = [event["seq"] for event in run.events if event["sender"] == "engine"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert run.read("staged.txt") == "here\n"
    assert run.read(f"{archive}/demo/all.bam") == "S1\nS2\n"
    assert "pid.lock" not in run.shell(f"ls {archive}/demo/jetstream")
    assert "Run complete!" in run.read("runner.log")
    account = run.shell(f"sacct -X -n -P -o Account,Partition -j {of_one[-1]['job_id']}")
    assert account.strip() == "acct1|part01"


def test_a_failed_task_then_a_resume_of_only_what_is_left(driver: Driver, jetstream: Path) -> None:
    version = demo(jetstream)
    wish = f"{driver.root}/mended"
    configuration = samples("S1", "S2", needs=wish)
    planned = driver.plan(version, configuration)
    assert [(task.name, task.cpus) for task in planned.tasks] == [
        ("align_S1", 2),
        ("align_S2", 2),
        ("merge", 1),
    ]
    assert (planned.tasks[2].after, planned.reuse) == (("align_S1", "align_S2"), 0)
    run = driver.run(version, configuration)
    assert run.wait() == 1
    states = {"align_S1": "complete", "align_S2": "failed", "merge": "skipped"}
    assert run.tasks() == states
    assert run.texts("error") == ["Failed tasks: align_S2"]
    run.shell(f"touch {wish}")
    before = run.shell(f"cksum {run.work}/project/jetstream/workflow.pickle")
    left = driver.plan(version, configuration, resume_of=run)
    assert ([task.name for task in left.tasks], left.reuse) == (["align_S2", "merge"], 1)
    assert run.shell(f"cksum {run.work}/project/jetstream/workflow.pickle") == before
    assert run.shell(f"ls {driver.root}/.plans") == ""
    # what a head that was killed outright leaves behind: the number of a process that is no more
    lock = f"{run.work}/project/jetstream/pid.lock"
    run.shell(f"printf 'hostname: %s\\nid: x\\npid: 4194000\\n' $(uname -n) > {lock}")
    again = driver.run(version, configuration, resume_of=run)
    assert again.wait() == 0, again.read("stderr")
    assert again.texts("message") == [
        "Removed the lock that an earlier head of this project left behind"
    ]
    assert sorted(again.read(f"{run.work}/project/runs.txt").splitlines()) == [
        "S1 by centro_demo",  # once
        "S2 by centro_demo",
        "S2 by centro_demo",
    ]
    states = dict.fromkeys(("align_S1", "align_S2", "merge"), "complete")
    assert again.tasks() == states


def test_a_cancel_ends_the_jobs_that_it_has_submitted(driver: Driver, jetstream: Path) -> None:
    run = driver.run(demo(jetstream), samples("S1", "S2", "S3", seconds=300))
    run.until("[ $(grep -c job_id events.ndjson) -ge 3 ] && echo yes", "yes")
    children = run.jobs()
    assert len(children) == 3
    run.shell(f"scancel --batch --signal=TERM {run.job_id}")
    assert run.wait(30) == 143
    deadline = time.monotonic() + 20
    while run.jobs() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert run.jobs() == []
    cancelled = dict.fromkeys(("align_S1", "align_S2", "align_S3"), "cancelled")
    assert run.tasks() == cancelled | {"merge": "new"}
    assert run.read(f"{run.work}/project/jetstream/pid.lock") == ""


def test_bad_configurations_and_systems_are_told_from_failed_tasks(
    driver: Driver, jetstream: Path
) -> None:
    unbuilt = driver.run(demo(jetstream), {"project": "demo"})
    unknown = driver.run(demo(jetstream, version="9.9"), samples("S1"))
    absent = driver.run(demo(jetstream, command="/nowhere/jetstream"), samples("S1"))
    unstaged = driver.run(demo(jetstream, stage_in="exit 3"), samples("S1"))
    assert unbuilt.wait() == 65
    assert unbuilt.texts("error")[0].startswith(
        "the pipeline could not be built: jinja2.exceptions.Und"
    )
    assert unknown.wait() == 65 and "centro_demo@9.9" in unknown.texts("error")[0]
    assert absent.wait() == 69 and "/nowhere/jetstream" in absent.texts("error")[0]
    assert unstaged.wait() == 66
    assert unstaged.tasks() == {"stage in": "failed"}


def test_two_runs_never_work_in_one_project(driver: Driver, jetstream: Path) -> None:
    """Also where Jetstream's own lock does nothing, as with newer versions of its library."""
    first = driver.run(demo(jetstream, backend="local"), samples("S1", seconds=8))
    first.until("cat engine.begun && echo begun", "begun")
    second = driver.run(demo(jetstream), samples("S1"), resume_of=first)
    assert second.wait() == 75
    assert "another run works" in second.texts("error")[0]
    assert first.wait() == 0
    assert first.tasks() == {"align_S1": "complete", "merge": "complete"}
