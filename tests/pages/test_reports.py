"""What a run's job reports, on the pages of people."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.models import Run
from pipeline_management.services.reports.recording import record
from pipeline_management.services.reports.wire import Report
from tests.pages.site import Site


class Job:
    """Reports on a run, one event after the other."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seq = 0

    def event(self, type: str, **data: Any) -> Report:
        self.seq += 1
        return Report("job-a", self.seq, type, timezone.now(), data)

    def tells(self, type: str, **data: Any) -> None:
        record(self.run.pk, [self.event(type, **data)])


@pytest.fixture
def job(site: Site) -> Job:
    return Job(site.run(state=RunState.RUNNING, started_at=timezone.now()))


def page_of(site: Site, run: Run, tail: str = "") -> str:
    response = site.client("viewer").get(f"/runs/{run.pk}/{tail}")
    assert response.status_code == 200
    return response.content.decode()


def list_of(site: Site) -> str:
    return site.client("viewer").get("/runs/").content.decode()


def test_a_run_that_reports_nothing_shows_nothing_of_it(site: Site, job: Job) -> None:
    page = page_of(site, job.run)
    assert "<progress" not in page
    assert 'id="run-tasks"' not in page
    assert 'class="meter"' not in list_of(site)


def test_progress_and_tasks_are_shown(site: Site, job: Job) -> None:
    job.tells("progress", percent=40, text="aligned <b>")
    job.tells("task", name="align", state="complete", exit_code=0, resources={"cpus": 4})
    job.tells("task", name="call <i>", state="failed", exit_code=7, job_id="4711_3")
    job.tells("task", name="report", state="running")
    page = page_of(site, job.run)
    assert re.search(r'<progress class="meter" max="100" value="40"', page)
    assert "aligned &lt;b&gt;" in page and "aligned <b>" not in page
    assert "1 of 3 tasks done" in page and "1 failed" in page
    assert re.findall(r'data-task="([^"]+)"', page) == ["call &lt;i&gt;", "report", "align"]
    assert "4711_3" in page and "cpus 4" in page
    row = list_of(site)
    assert "40 % · 1/3" in row


def test_without_a_percentage_the_tasks_make_it(site: Site, job: Job) -> None:
    for number in range(4):
        job.tells("task", name=f"t{number}", state="complete" if number < 3 else "pending")
    job.run.refresh_from_db()
    assert job.run.percent_done == 75
    assert 'value="75"' in page_of(site, job.run)


def test_a_task_that_never_ended_says_so_when_the_run_is_over(site: Site, job: Job) -> None:
    job.tells("task", name="align", state="running")
    assert ">Running</span>" in page_of(site, job.run)
    Run.objects.filter(pk=job.run.pk).update(state=RunState.FAILED)
    page = page_of(site, job.run)
    assert "Not finished" in page
    assert 'data-time="since"' not in page.split('id="run-tasks"')[1].split("</section>")[0]


def test_messages_stand_in_the_timeline_and_steps_do_not(site: Site, job: Job) -> None:
    job.tells("message", text="half <way>")
    job.tells("error", text="disk is slow")
    job.tells("metric", name="reads", value=12.5, unit="M")
    job.tells("artifact", path="/x/out.vcf", label="calls")
    job.tells("task", name="align", state="running")
    job.tells("progress", percent=3)
    job.tells("completed")
    timeline = page_of(site, job.run).split('id="timeline-heading"')[1].split("</section>")[0]
    for text in (
        "half &lt;way&gt;",
        "disk is slow",
        "reads: 12.5 M",
        "Result: calls",
        "/x/out.vcf",
        "the job",
    ):
        assert text in timeline
    assert "The job says that it is done" in timeline
    assert "Task align" not in timeline and "Progress 3" not in timeline
    history = page_of(site, job.run, "events/")
    assert "Task align: Running" in history and "Progress 3 %" in history


def test_ten_thousand_events_are_a_short_page(site: Site, job: Job) -> None:
    with CaptureQueriesContext(connection) as empty:
        page_of(site, job.run)
    for _ in range(10):
        record(job.run.pk, [job.event("message", text=f"line {job.seq}") for _ in range(1000)])
    with CaptureQueriesContext(connection) as queries:
        page = page_of(site, job.run)
    assert len(queries) <= len(empty) + 1
    assert page.count('<li class="dot-') < 30
    assert "line 9999" in page and f"All {10_000 + 1:,} events".replace(",", "") in page.replace(
        ",", ""
    )
    history = page_of(site, job.run, "events/")
    assert history.count('<li class="dot-') == 100
    older = re.search(r'href="\?before=(\d+)"', history)
    assert older is not None and older[1] == "9902"
    assert "line 9899" in page_of(site, job.run, f"events/?before={older[1]}")


def test_a_thousand_tasks_come_in_pages(site: Site, job: Job) -> None:
    record(job.run.pk, [job.event("task", name=f"t{n:04}", state="complete") for n in range(999)])
    job.tells("task", name="t9999", state="failed")
    page = page_of(site, job.run)
    assert len(re.findall("data-task=", page)) == 20
    assert 'data-task="t9999"' in page, "what failed comes first"
    assert "tasks/" in page
    first = page_of(site, job.run, "tasks/")
    assert re.findall('data-task="([^"]+)"', first)[:2] == ["t9999", "t0000"]
    assert len(re.findall("data-task=", first)) == 100
    assert len(re.findall("data-task=", page_of(site, job.run, "tasks/?page=10"))) == 100
    assert page_of(site, job.run, "tasks/?page=nonsense").count("data-task=") == 100


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 11])
def test_a_bad_place_in_the_history_is_refused(site: Site, job: Job, given: str) -> None:
    answer = site.client("viewer").get(f"/runs/{job.run.pk}/events/?before={given}")
    assert answer.status_code == 400
    assert answer.content.startswith(b"before: ")


def test_times_of_tasks(site: Site, job: Job) -> None:
    start = datetime(2026, 11, 22, 9, tzinfo=UTC)
    record(job.run.pk, [
        Report("job-a", 1, "task", start, {"name": "align", "state": "running"}),
        Report("job-a", 2, "task", start + timedelta(seconds=75), {"name": "align", "state": "complete"}),
    ])  # fmt: skip
    task = job.run.tasks.get()
    assert (task.started_at, task.seconds) == (start, 75.0)
    assert "1 min" in page_of(site, job.run)
