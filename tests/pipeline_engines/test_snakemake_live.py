"""The head of a Snakemake run on the lab's Slurm, with Snakemake as it comes from PyPI."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.models import PipelineVersion
from tests.pipeline_engines.driving import Driver, version_of

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

SNAKEFILE = """\
rule all:
    input: "all.txt"

rule make:
    output: "{sample}.txt"
    resources: runtime=5, mem_mb=200
    shell:
        "echo {wildcards.sample} >> runs.txt; "
        "if [ {wildcards.sample} = bad ] && [ ! -e {config[mended]} ]; then sleep 1; exit 3; fi; "
        "sleep {config[seconds]}; echo {wildcards.sample} > {output}"

rule merge:
    input: expand("{sample}.txt", sample=config["samples"])
    output: "all.txt"
    resources: runtime=5, mem_mb=200
    shell: "cat {input} > {output}"
"""


@pytest.fixture(scope="module")
def workflow(driver: Driver, snakemake: Path) -> dict[str, Any]:
    """Options of a version: the workflow's file on the system, and an srun that finds the lab's Slurm.

    Snakemake's plugin takes every SLURM_ variable from its jobs' environment, and with it where Slurm's
    configuration is; on a cluster that is where Slurm looks by itself.
    """
    folder = Path(driver.root)
    binaries = folder / "bin"
    run = driver.lab.sshd.run
    run("test2", f"mkdir -p {binaries}")
    driver.client.write(f"{folder}/Snakefile", SNAKEFILE.encode())
    conf = driver.lab.layout.slurm_conf
    text = f'#!/bin/sh\nSLURM_CONF={conf} exec /usr/bin/srun "$@"\n'
    driver.client.write(f"{binaries}/srun", text.encode(), 0o700)
    return {
        "snakefile": f"{folder}/Snakefile",
        "command": str(snakemake),
        "setup": f'PATH={binaries}:"$PATH"',
        "status_seconds": 2,
        "latency_wait": 5,
    }


def version(workflow: dict[str, Any], **options: Any) -> PipelineVersion:
    return version_of("snakemake", "counting", "1.0", workflow | options)


def configuration(driver: Driver, *samples: str, seconds: int = 0) -> dict[str, Any]:
    return {"samples": list(samples), "seconds": seconds, "mended": f"{driver.root}/rule-mended"}


def test_in_one_job_a_failing_rule_then_only_the_failed_part_again(
    driver: Driver, workflow: dict[str, Any]
) -> None:
    chosen = version(workflow, cores=2, keep_going=True)
    wanted = configuration(driver, "a", "bad")
    planned = driver.plan(chosen, wanted)
    assert [
        (task.name, task.after) for task in sorted(planned.tasks, key=lambda task: task.name)
    ] == [
        ("make sample=a", ()),
        ("make sample=bad", ()),
        ("merge", ("make sample=a", "make sample=bad")),
    ]
    assert (planned.reuse, planned.cpu_hours_ceiling) == (0, 0.25)
    run = driver.run(chosen, wanted)
    assert run.wait() == 1, run.read("stderr")
    assert run.tasks() == {"make sample=a": "complete", "make sample=bad": "failed"}
    assert any(event["type"] == "progress" for event in run.events)
    driver.lab.sshd.run("test2", f"touch {wanted['mended']}")
    left = driver.plan(chosen, wanted, resume_of=run)
    assert ({task.name for task in left.tasks}, left.reuse) == ({"make sample=bad", "merge"}, 1)
    # the lock of a head that was killed outright
    run.shell(
        f"mkdir -p {run.work}/project/.snakemake/locks; "
        f"echo {run.work}/project/bad.txt > {run.work}/project/.snakemake/locks/0.output.lock"
    )
    again = driver.run(chosen, wanted, resume_of=run)
    assert again.wait() == 0, again.read("stderr")
    assert again.tasks() == {"make sample=bad": "complete", "merge": "complete"}
    assert again.texts("message") == [
        "Removed the lock that an earlier head of this run left behind"
    ]
    assert sorted(again.read(f"{run.work}/project/runs.txt").split()) == ["a", "bad", "bad"]
    assert again.read(f"{run.work}/project/all.txt") == "a\nbad\n"


def test_as_jobs_of_their_own(driver: Driver, workflow: dict[str, Any]) -> None:
    chosen = version(workflow, mode="cluster", arguments=["a.txt"])  # a target: one job is enough
    run = driver.run(chosen, configuration(driver, "a"))
    assert run.wait(150) == 0, run.read("stderr")
    assert run.tasks() == {"make sample=a": "complete"}
    jobs = [event["data"].get("job_id") for event in run.events if event["type"] == "task"]
    known = run.shell(
        f"sacct -X -n -P -o Account,Partition,State -j {next(job for job in jobs if job)}"
    )
    assert known.strip() == "acct1|part01|COMPLETED"


def test_a_cancel_ends_the_jobs_of_the_workflow(driver: Driver, workflow: dict[str, Any]) -> None:
    run = driver.run(
        version(workflow, mode="cluster"), configuration(driver, "a", "b", seconds=300)
    )
    run.until("grep -c job_id events.ndjson", "2", 90)
    assert len(run.jobs()) == 2
    run.shell(f"scancel --batch --signal=TERM {run.job_id}")
    deadline = time.monotonic() + 40
    while run.jobs() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert run.jobs() == []
    assert run.wait(60) == 143
    assert run.tasks() == {"make sample=a": "cancelled", "make sample=b": "cancelled"}


def test_a_workflow_that_cannot_be_built_is_told_from_a_failing_rule(
    driver: Driver, workflow: dict[str, Any]
) -> None:
    other = driver.run(version(workflow | {"snakefile": "/nowhere/Snakefile"}), {})
    assert other.wait() == 65
    assert other.texts("error")[0].startswith("the workflow could not be built: ")
    assert other.tasks() == {}
