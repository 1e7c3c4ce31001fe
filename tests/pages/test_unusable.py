"""A system whose stored settings are broken: pages say so in words, its own page says what, and runs only wait."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from pipeline_management.choices import Attention, HealthState, RunState
from pipeline_management.models import Run, System
from pipeline_management.services.polling import poll_account
from pipeline_management.services.submission import submit_due
from tests.factories import make_account, make_run
from tests.pages.site import Site

JSON = "application/json"
ASK = "the system's settings cannot be used. Ask the administrator."
REASON = "system 'cluster': scheduler option"


@pytest.fixture
def broken(site: Site) -> Site:
    """The submitter has an account of his own on a system with an option that there is not."""
    make_account(site.account.system, site.people["submitter"])
    System.objects.update(scheduler_options={"bin": "/x"})
    return site


def text_of(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


@pytest.fixture
def run(broken: Site) -> Run:
    return make_run(
        lab=broken.lab, submitter=broken.people["submitter"], version=broken.version,
        account=broken.account, state=RunState.SUBMITTED, job_id="17",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/files/cluster/tmp?now=1", "/files/cluster/tmp/x?now=1"])
def test_files_cannot_be_looked_at(broken: Site, path: str) -> None:
    answer = broken.client("submitter").get(path)
    assert answer.status_code == 503
    assert f"cluster cannot be reached: {ASK}" in text_of(answer)
    assert REASON not in text_of(answer)


def test_files_cannot_be_changed(broken: Site) -> None:
    answer = broken.client("submitter").post("/files/cluster/tmp", {"action": "mkdir", "name": "x"})
    assert answer.status_code == 503 and ASK in text_of(answer)


@pytest.mark.parametrize("path", ["/systems/cluster/", "/systems/"])
def test_the_page_of_the_system_says_what_is_wrong(broken: Site, path: str) -> None:
    text = broken.client("administrator").get(path).content.decode()
    assert f'data-health="{HealthState.BLOCKED}"' in text
    assert REASON in html.unescape(text)
    System.objects.update(scheduler_options={})
    text = broken.client("administrator").get(path).content.decode()
    assert f'data-health="{HealthState.BLOCKED}"' not in text


def test_runs_wait_and_say_why(broken: Site) -> None:
    waiting = make_run(
        lab=broken.lab, version=broken.version, account=broken.account, state=RunState.QUEUED
    )
    assert submit_due(broken.account.pk) == 0
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attention) == (RunState.QUEUED, Attention.CREDENTIAL)
    assert waiting.attention_text.startswith(REASON)
    system = System.objects.get(pk=broken.account.system_id)
    assert (system.health, system.health_reason[:34]) == (HealthState.BLOCKED, REASON)


def test_a_look_at_jobs_changes_no_run(broken: Site, run: Run) -> None:
    assert poll_account(broken.account.pk) is True
    run.refresh_from_db()
    assert (run.state, run.attention) == (RunState.SUBMITTED, Attention.CREDENTIAL)
    assert run.attention_text.startswith(REASON)


@pytest.mark.parametrize("tab", ["", "status/", "waiting/", "log/", "log/?stream=stderr"])
def test_the_runs_pages_are_shown(broken: Site, run: Run, tab: str) -> None:
    assert broken.client("submitter").get(f"/runs/{run.pk}/{tab}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "runs/{run}/log/", "", 200),  # what was kept
        ("GET", "runs/{run}/log/search/?errors=1", "", 503),
        ("GET", "runs/{run}/log/lines/?line=2", "", 503),
        ("GET", "runs/{run}/log/download/", "", 503),
        ("POST", "transfers/", '{"direction": "download", "system": "cluster", "path": "/x"}', 503),
        ("POST", "runs/{run}/hold/", "", 409),
        ("POST", "validate/?preflight=1", '{"pipeline": "hello", "name": "x"}', 200),
    ],
)
def test_the_api_says_so(
    broken: Site, run: Run, method: str, path: str, body: str, status: int
) -> None:
    answer = broken.client("submitter").generic(
        method, f"/api/v1/{path.format(run=run.pk)}", body, content_type=JSON
    )
    assert answer.status_code == status, answer.content
    if status != 200:
        assert "settings cannot be used" in answer.json()["detail"].replace("’", "'")
        assert REASON not in answer.content.decode()
