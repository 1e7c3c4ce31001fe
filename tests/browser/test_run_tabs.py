"""The pages of one run by mouse and keys, and two runs beside each other, in a real browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from pipeline_management.choices import Reason, RunState, TaskState
from pipeline_management.models import Run, RunLog, RunTask, RunUsage
from tests.browser.conftest import Open
from tests.factories import make_version
from tests.pages.site import Site

pytestmark = pytest.mark.browser
NOW = timezone.now()


def a_failed_run(site: Site, **fields: object) -> Run:
    run = site.run(
        name="NA12878", state=RunState.FAILED, reason=Reason.EXIT_NONZERO, exit_code=1, job_id="4711",
        cause="OUT_OF_MEMORY", started_at=NOW - timedelta(hours=2), ended_at=NOW, finished_at=NOW,
        tasks_total=4, tasks_done=2, tasks_failed=1, **fields,
    )  # fmt: skip
    states = (TaskState.COMPLETE, TaskState.COMPLETE, TaskState.FAILED, TaskState.PENDING)
    for number, state in enumerate(states):
        RunTask.objects.create(
            run=run, name=f"align_{number}", key=str(number), state=state, reported_at=NOW,
            started_at=NOW - timedelta(minutes=50), exit_code=137 if state == TaskState.FAILED else None,
            ended_at=NOW - timedelta(minutes=40 - number), job_id=f"47{number}",
        )  # fmt: skip
    text = "[bwa] loading the index\n[bwa] read 40000 sequences\nslurmstepd: error: Detected 1 oom_kill event\n"
    RunLog.objects.create(
        run=run, stream="stderr", size=len(text), data=text.encode(), collected_at=NOW
    )
    RunUsage.objects.create(
        run=run, cpus=8, nodes=1, memory_mb=16384, max_memory_mb=2150, walltime_seconds=86_400,
        elapsed_seconds=7200, cpu_seconds=20_000, core_seconds=57_600, source="sacct", collected_at=NOW,
    )  # fmt: skip
    return run


def test_the_pages_of_a_run_and_two_runs_beside_each_other(open_as: Open, site: Site) -> None:
    rows = [
        {"fastq": f"/data/NA12878/lane{number}_R1.fastq.gz", "lane": number} for number in range(30)
    ]
    first = a_failed_run(site, configuration={"pipeline": "hello", "name": "a", "rows": rows})
    script = "#!/bin/bash\nset -e\nbwa mem -t 8 ref.fa\n"
    newer = make_version("hello", "2.0", system=site.account.system, script=script)
    second = a_failed_run(
        site, version=newer, configuration={"pipeline": "hello", "name": "b", "rows": rows[1:]}
    )
    page = open_as("submitter", f"/runs/{second.pk}/")
    expect(page.locator("#failure")).to_contain_text("oom_kill event")
    expect(page.locator("#advice")).to_contain_text("Ask for more memory")
    page.locator("#tile-failed").click()
    expect(page).to_have_url(f"{page.url.split('/runs/')[0]}/runs/{second.pk}/tasks/?state=failed")
    expect(page.locator("tr[data-task]")).to_have_count(1)
    expect(page.locator("#runtab-tasks")).to_have_attribute("aria-current", "page")
    page.locator("#runtab-usage").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#usage-advice")).to_contain_text("4 GB would do")
    page.get_by_role("link", name="Configuration").click()
    part = page.locator("details.json-part").first
    expect(part.locator("pre")).to_be_hidden()
    part.locator("summary").click()
    expect(part.locator("pre")).to_contain_text("lane1_R1.fastq.gz")
    page.get_by_role("link", name="Compare everything").click()
    expect(page.locator("#compare-run-a")).to_have_attribute("href", f"/runs/{first.pk}/")
    expect(page.locator("#compare-configuration .changes li")).to_have_count(2)
    page.locator("#swap").click()
    expect(page.locator("#compare-run-a")).to_have_attribute("href", f"/runs/{second.pk}/")
    expect(page.locator("#compare-configuration")).to_contain_text("added")
    with page.expect_download() as downloaded:
        page.goto(f"/runs/{first.pk}/")
        page.locator("#run-export").click()
    assert downloaded.value.suggested_filename == f"run-{first.pk}.crate.zip"
