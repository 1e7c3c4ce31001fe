"""What the runs' side shows where there is nothing: what to do next, and no tools for what is not there."""

from __future__ import annotations

import re

import pytest

from pipeline_management.choices import Desired, RunState
from pipeline_management.models import Attempt
from tests.pages.site import Site


def hidden(page: str, id_: str) -> bool:
    """Whether the element with the id is on the page, but not shown."""
    found = re.search(rf'<[^>]*id="{id_}"[^>]*>', page)
    assert found is not None, id_
    return " hidden" in found[0]


def test_without_runs_there_is_nothing_to_search_or_to_tick(site: Site) -> None:
    page = site.client("submitter").get("/runs/").content.decode()
    assert hidden(page, "runs-tools") and hidden(page, "many-form")
    assert "Submit the first run" in page
    assert "Submit the first run" not in site.client("viewer").get("/runs/").content.decode()


def test_a_search_without_hits_can_be_changed_but_nothing_ticked(site: Site) -> None:
    site.run()
    page = site.client("submitter").get("/runs/?q=nothing").content.decode()
    assert not hidden(page, "runs-tools") and hidden(page, "many-form")
    page = site.client("submitter").get("/runs/").content.decode()
    assert not hidden(page, "runs-tools") and not hidden(page, "many-form")


def test_nobody_asks_a_system_about_a_run_that_it_has_never_seen(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "pipeline_management.views.run_files.directory", lambda place, path: asked.append(path)
    )
    run = site.run(directory="/nowhere/else")
    answer = site.client("viewer").get(f"/runs/{run.pk}/files/?now=1")
    page = answer.content.decode()
    assert (
        answer.status_code == 404
        and "Nothing here yet" in page
        and "has not been submitted yet" in page
    )
    assert not asked
    Attempt.objects.create(run=run, number=1)
    with pytest.raises(AttributeError):  # the answer is no directory here
        site.client("viewer").get(f"/runs/{run.pk}/files/?now=1")
    assert asked == ["/nowhere/else/"]


def test_who_cancelled_a_run_stands_beside_its_state(site: Site) -> None:
    run = site.run(
        state=RunState.CANCELLED, desired=Desired.CANCEL, reason="CANCELLED_BY_USER",
        cancel_requested_by=site.people["manager"],
    )  # fmt: skip
    page = site.client("viewer").get(f"/runs/{run.pk}/").content.decode()
    assert "By manager," in " ".join(page.split('id="explanation"')[1][:200].split())


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SUCCEEDED])
def test_a_run_that_is_over_shows_its_tasks_once(site: Site, state: RunState) -> None:
    run = site.run(state=state, tasks_total=1, tasks_done=1, progress=100)
    run.tasks.create(name="align", key="align", state="complete", seq=1, reported_at=run.created_at)
    page = site.client("viewer").get(f"/runs/{run.pk}/tasks/").content.decode()
    shown = re.search(r'<progress class="([^"]*)"', page.split('id="run-progress"')[1])
    assert shown is not None and ("visually-hidden" in shown[1]) == (state == RunState.SUCCEEDED)
    assert page.count('class="task-bar"') == 1
