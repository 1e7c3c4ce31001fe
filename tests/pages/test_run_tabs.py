"""The pages of one run with one head: tasks by state, configuration, usage, the box of a failure; and two runs."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.choices import Reason, RunState, TaskState
from pipeline_management.models import Run, RunLog, RunTask, RunUsage
from pipeline_management.services.control.difference import MOST
from tests.factories import make_job, make_run, make_version
from tests.pages.site import Site

TABS = ("", "tasks/", "log/", "configuration/", "usage/", "events/")
HOSTILE = "<script>alert(1)</script>\u202e"


def page_of(site: Site, run: Run, tail: str = "", person: str = "viewer") -> str:
    response = site.client(person).get(f"/runs/{run.pk}/{tail}")
    assert response.status_code == 200
    return response.content.decode()


def add_task(run: Run, name: str, state: TaskState, **fields: Any) -> RunTask:
    task = RunTask.objects.create(
        run=run, name=name, key=name, state=state, reported_at=timezone.now(), **fields
    )
    run.tasks_total += 1
    run.tasks_failed += state == TaskState.FAILED
    run.tasks_done += state == TaskState.COMPLETE
    run.save()
    return task


@pytest.mark.parametrize("tail", TABS)
@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FAILED])
def test_every_tab_has_the_same_head(site: Site, tail: str, state: RunState) -> None:
    run = site.run(name="NA12878", state=state, job_id="1", started_at=timezone.now())
    page = page_of(site, run, tail, "submitter")
    assert re.search(r"<h1>NA12878</h1>", page)
    assert f'data-state="{state}"' in page
    here = re.findall(r'id="runtab-(\w+)"[^>]*aria-current="page"', page)
    assert here == [tail.strip("/") or "overview"]
    assert str(run.pk) in page and 'data-copy="head-run-link"' in page
    assert ('id="cancel-button"' in page) is (state == RunState.RUNNING)
    head = re.search(r'<div id="run-live"[^>]*>', page)
    assert head is not None and ("hx-trigger" in head[0]) is (state == RunState.RUNNING)
    assert page.count('id="cancel-dialog"') == 1


def test_the_head_is_sent_only_when_it_has_changed(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    client = site.client("viewer")
    page = client.get(f"/runs/{run.pk}/usage/").content.decode()
    mark = re.search(r'X-Fragment": "([0-9a-f]{16})"', page)
    assert mark is not None
    headers = {"HX-Request": "true", "X-Fragment": mark[1]}
    assert client.get(f"/runs/{run.pk}/head/?tab=usage", headers=headers).status_code == 204
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
    answer = client.get(f"/runs/{run.pk}/head/?tab=usage", headers=headers)
    assert answer.status_code == 200 and 'data-state="succeeded"' in answer.content.decode()
    refused = client.get(f"/runs/{run.pk}/head/?tab=nothing")
    assert refused.status_code == 400 and refused.content.startswith(
        b"tab: expected one of overview"
    )


# --- tasks ------------------------------------------------------------------------------------------------------


def test_tiles_count_and_filter_the_tasks(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    for number in range(3):
        add_task(run, f"done-{number}", TaskState.COMPLETE)
    add_task(run, "broken", TaskState.FAILED, exit_code=7)
    page = page_of(site, run)
    tiles = re.findall(r'id="tile-(\w+)".*?<strong>(\d+)</strong>', page)
    assert tiles == [("all", "4"), ("complete", "3"), ("failed", "1")]
    bars = re.findall(r'<rect class="part-(\w+)" x="(\d+)" y="0" width="(\d+)"', page)
    assert bars == [("complete", "0", "750"), ("failed", "750", "250")]
    failed = page_of(site, run, "tasks/?state=failed")
    assert re.findall(r'data-task="([^"]+)"', failed) == ["broken"]
    assert re.search(r'id="tile-failed"[^>]*aria-current="true"', failed)
    assert "No task of the run is in this state" in page_of(site, run, "tasks/?state=skipped")
    wrong = site.client("viewer").get(f"/runs/{run.pk}/tasks/?state=%3Cb%3E")
    assert wrong.status_code == 400 and wrong.content.startswith(b"state: expected one of new")


def test_pages_of_filtered_tasks_keep_the_filter(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    for number in range(101):
        add_task(run, f"t{number}", TaskState.COMPLETE)
    page = page_of(site, run, "tasks/?state=complete")
    assert 'href="?state=complete&amp;page=2"' in page
    assert page_of(site, run, "tasks/?state=complete&page=2").count("data-task=") == 1


def test_a_task_with_a_log_leads_to_it(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    task = add_task(run, "align", TaskState.RUNNING, log_path="align.log")
    add_task(run, "quiet", TaskState.RUNNING)
    page = page_of(site, run, "tasks/")
    assert re.findall(r'href="[^"]+/log/\?stream=(task[^"]+)"', page.split("<table")[1]) == [
        f"task%3A{task.pk}"
    ]


# --- failure ----------------------------------------------------------------------------------------------------


def test_a_failure_names_its_cause_task_lines_and_what_to_do(site: Site) -> None:
    now = timezone.now()
    run = site.run(
        state=RunState.FAILED,
        reason=Reason.EXIT_NONZERO,
        exit_code=1,
        job_id="1",
        cause="OUT_OF_MEMORY",
    )
    add_task(run, "second", TaskState.FAILED, ended_at=now)
    add_task(
        run,
        "first",
        TaskState.FAILED,
        ended_at=now - timedelta(hours=1),
        exit_code=137,
        log_path="x.log",
    )
    lines = "".join(f"line {number}\n" for number in range(9)) + HOSTILE + "\n\n"
    RunLog.objects.create(run=run, stream="stderr", size=9, data=lines.encode(), collected_at=now)
    page = page_of(site, run, person="submitter")
    box = page.split('id="failure"')[1].split("</div>")[0]
    assert "Out of memory" in box and "OUT_OF_MEMORY" in box
    assert "first</strong>" in box and "137" in box
    assert "line 5" in box and "line 4" not in box
    assert "<script>alert" not in page and "\u202e" not in page
    assert "Ask for more memory" in box
    assert "/log/?stream=task%3A" in box and "/tasks/?state=failed" in box


@pytest.mark.parametrize(
    ("fields", "name", "sentence"),
    [
        ({"reason": Reason.TIMEOUT}, "TIMEOUT", "Ask for a longer walltime"),
        ({"reason": Reason.EXIT_NONZERO, "exit_code": 3}, "EXIT_3", "Its log says more"),
        ({"reason": Reason.EXIT_NONZERO, "exit_code": 127}, "EXIT_127", "A program is missing"),
        ({"reason": Reason.NODE_FAIL}, "NODE_FAIL", "The machine failed, not the run"),
        ({"reason": "", "cause": ""}, "FAILED", "Its log says more"),
        ({"reason": Reason.EXIT_NONZERO, "cause": "A_NEW_ONE"}, "A_NEW_ONE", "Its log says more"),
    ],
)  # fmt: skip
def test_each_class_has_its_advice(
    site: Site, fields: dict[str, Any], name: str, sentence: str
) -> None:
    page = page_of(site, site.run(state=RunState.FAILED, **fields))
    assert f'data-cause="{name}"' in page
    assert sentence in page


def test_a_run_that_did_not_fail_has_no_box(site: Site) -> None:
    assert 'id="failure"' not in page_of(site, site.run(state=RunState.SUCCEEDED, cause="QUOTA"))


# --- configuration ----------------------------------------------------------------------------------------------


def test_the_configuration_is_shown_folded_and_downloaded(site: Site) -> None:
    small = site.run(configuration={"pipeline": "hello", "name": HOSTILE})
    page = page_of(site, small, "configuration/")
    assert (
        "json-part" not in page and "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    )
    assert small.configuration_sha256 in page
    rows = [{"fastq": f"/data/{number}"} for number in range(40)]
    large = site.run(configuration={"pipeline": "hello", "name": "x", "rows": rows, "debug": True})
    page = page_of(site, large, "configuration/")
    assert "list, 40 entries" in page
    assert page.count('<details class="json-part">') == 1 and page.count('class="json-scalar"') == 3
    answer = site.client("viewer").get(f"/runs/{large.pk}/configuration/?download=configuration")
    assert json.loads(answer.content) == large.configuration
    assert answer["Content-Disposition"] == f'attachment; filename="configuration-{large.pk}.json"'
    script = site.client("viewer").get(f"/runs/{large.pk}/configuration/?download=script")
    assert script.content.decode() == large.script and script["Content-Disposition"].startswith(
        "attachment"
    )


def test_what_is_other_than_before_is_told(site: Site) -> None:
    first = site.run(name="NA12878", configuration={"pipeline": "hello", "name": "a", "gone": 1})
    run = site.run(name="NA12878", configuration={"pipeline": "hello", "name": "b", "new": [1]})
    page = page_of(site, run, "configuration/")
    assert re.findall(r'data-kind="(\w+)"', page) == ["removed", "changed", "added"]
    assert f"/runs/compare/?a={first.pk}&amp;b={run.pk}" in page
    assert "No earlier run of this name" in page_of(site, first, "configuration/")


# --- usage ------------------------------------------------------------------------------------------------------


def test_usage_is_told_with_advice_or_said_to_be_unknown(site: Site) -> None:
    run = site.run(state=RunState.SUCCEEDED)
    assert "has said nothing about this run yet" in page_of(site, run, "usage/")
    assert "is known after its end" in page_of(site, site.run(state=RunState.RUNNING), "usage/")
    RunUsage.objects.create(
        run=run, memory_mb=16384, max_memory_mb=2150, elapsed_seconds=5000, source="sacct"
    )
    page = page_of(site, run, "usage/")
    assert "asked for 16 GB, used 2.1 GB: 4 GB would do" in page
    assert "2.1 GB of 16 GB" in page and "13 %" in page
    assert 'data-bar="cpu"><span>unknown of unknown' in page
    assert "Slurm&#x27;s accounting" in page


# --- two runs ---------------------------------------------------------------------------------------------------


def test_two_runs_are_compared_by_those_who_may_see_both(site: Site) -> None:
    a = site.run(name="before", configuration={"pipeline": "hello", "name": HOSTILE})
    other = make_version("hello", "2.0", system=site.account.system, script="#!/bin/sh\necho 2\n")
    b = site.run(name="after", version=other, configuration={"pipeline": "hello", "name": "b"})
    foreign = make_run(lab=site.other_lab)
    client = site.client("viewer")
    page = client.get(f"/runs/compare/?a={a.pk}&b={b.pk}").content.decode()
    assert "before" in page and "after" in page
    assert "<script>alert" not in page and "\u202e" not in page and "\\u202e" in page
    assert f'id="swap" href="?a={b.pk}&amp;b={a.pk}"' in page
    assert 'class="diff-line is-added">+echo 2<' in page
    assert 'id="other-pipeline"' not in page
    for pair in ((a.pk, foreign.pk), (foreign.pk, a.pk), (a.pk, "nonsense"), (a.pk, a.pk.hex[:-1])):
        assert client.get("/runs/compare/", {"a": pair[0], "b": pair[1]}).status_code == 404


def test_comparing_without_two_runs_asks_for_them(site: Site) -> None:
    page = site.client("viewer").get("/runs/compare/?a=%22%3E%3Cb%3E").content.decode()
    assert 'name="b"' in page and 'value="&quot;&gt;&lt;b&gt;"' in page


def test_runs_of_different_pipelines_and_job_scripts_are_compared_with_a_note(site: Site) -> None:
    run = site.run(state=RunState.SUCCEEDED)
    other = site.run(version=make_version("other", system=site.account.system))
    job = make_job(lab=site.lab)
    client = site.client("manager")
    for pair in ((run, other), (run, job), (job, run)):
        page = client.get(f"/runs/compare/?a={pair[0].pk}&b={pair[1].pk}").content.decode()
        assert 'id="other-pipeline"' in page
    same = client.get(f"/runs/compare/?a={job.pk}&b={job.pk}").content.decode()
    assert "This is one and the same run." in same


def test_the_cost_of_the_pages_does_not_grow_with_the_run(site: Site) -> None:
    runs = [site.run(name="x", state=RunState.SUCCEEDED) for _ in range(2)]
    client = site.client("viewer")
    addresses = [f"/runs/{runs[0].pk}/{tail}" for tail in TABS]
    addresses.append(f"/runs/compare/?a={runs[0].pk}&b={runs[1].pk}")
    counts: list[list[int]] = []
    client.get(addresses[0])
    for tasks in (1, 60):
        for run in runs:
            for number in range(tasks):
                add_task(run, f"{tasks}-{number}", TaskState.COMPLETE)
            RunLog.objects.create(
                run=run, stream=f"s{tasks}", size=1, data=b"x", collected_at=timezone.now()
            )
        counts.append([])
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                assert client.get(address).status_code == 200
            counts[-1].append(len(queries))
    assert counts[0] == counts[1]
    assert max(counts[1]) <= 22, counts


def test_further_differences_are_said_not_to_be_listed(site: Site) -> None:
    run = site.run(name="x", configuration={"pipeline": "hello"})
    many = {"pipeline": "hello"} | {f"k{number}": number for number in range(MOST + 5)}
    other = site.run(name="x", configuration=many)
    page = site.client("viewer").get(f"/runs/compare/?a={run.pk}&b={other.pk}").content.decode()
    assert page.count('data-kind="added"') == MOST and "Further differences are not listed." in page
