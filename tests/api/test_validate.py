"""Checking a configuration by the API: the same words as a submission, and nothing comes of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.models import AuditEvent, Run
from tests.api.site import Site
from tests.api.test_new_run import GOOD, post

URL = "/api/v1/validate/"


@pytest.fixture
def sam(site: Site) -> Client:
    return site.client(site.submitter)


def judged(client: Client, body: Any = GOOD, query: str = "") -> dict[str, Any]:
    answer = post(client, body, url=URL + query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_good_configuration(site: Site, sam: Client) -> None:
    before = (Run.objects.count(), AuditEvent.objects.count())
    found = judged(sam)
    assert found["valid"] is True and found["errors"] == []
    assert found["preflight"] is None and found["preflight_problem"] is None
    assert found["estimate"]["runs"] == 0 and found["estimate"]["median_seconds"] is None
    assert (Run.objects.count(), AuditEvent.objects.count()) == before


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ('{"pipeline": "hello",}', "trailing_comma", 1),
        ('{"pipeline": "hello",\n "name": 7}', "type", 2),
        ('{"pipeline": "helo"}', "pipeline", 1),
        (" ", "empty", None),
        ('{"name": "x"}', "required", 1),
    ],
)
def test_what_is_wrong_is_an_answer_and_no_error(
    sam: Client, body: str, code: str, line: int | None
) -> None:
    found = judged(sam, body, "?preflight=1")
    assert found["valid"] is False
    assert (found["errors"][0]["code"], found["errors"][0]["line"]) == (code, line)
    assert found["preflight"] is None and found["estimate"] is None


def test_errors_are_those_of_a_submission(site: Site, sam: Client) -> None:
    site.version.rules = [{"rule": "unique", "rows": "rows", "columns": ["file"]}]
    site.version.save()
    rows = [{"file": "/a"}, {"file": "/a"}]
    body = {"pipeline": "hello", "name": 7, "rows": rows}
    refused = post(sam, body)
    assert refused.status_code == 400
    assert judged(sam, body)["errors"] == refused.json()["errors"]
    assert [one["code"] for one in refused.json()["errors"]] == ["type", "rule_unique"]
    site.version.rules[0]["severity"] = "warning"
    site.version.save()
    found = judged(sam, {"pipeline": "hello", "name": "x", "rows": rows})
    assert found["valid"] is True
    (warning,) = found["warnings"]
    assert (warning["code"], warning["row"], warning["pointer"]) == (
        "rule_unique",
        2,
        "/rows/1/file",
    )


def test_the_system_is_asked(site: Site, sam: Client, tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("x")
    body = GOOD | {"inputs": [str(tmp_path / "there.txt"), str(tmp_path / "not.txt")]}
    site.version.schema = {"type": "object"}
    site.version.content_sha256 = "open"
    site.version.save()
    found = judged(sam, body, "?preflight=1")
    assert found["valid"] is True  # what the system says never makes it invalid
    assert found["preflight"]["status"] == "bad"
    inputs = found["preflight"]["steps"][0]
    assert (inputs["name"], inputs["status"]) == ("inputs", "bad")
    assert inputs["message"].startswith("1 of 2 paths cannot be read by ")
    assert len(inputs["details"]) == 1 and inputs["details"][0].startswith(
        f"{tmp_path}/not.txt: not"
    )


def test_a_system_that_cannot_be_asked_is_told_apart(site: Site, sam: Client) -> None:
    site.account.system.transport, site.account.system.host_keys = "ssh", []
    site.account.system.save()
    found = judged(sam, GOOD, "?preflight=1")
    assert found["valid"] is True and found["preflight"] is None
    assert "cannot be asked now: the system's settings" in found["preflight_problem"]


def test_past_runs_give_an_estimate(site: Site, sam: Client) -> None:
    now = timezone.now()
    for minutes in (10, 20, 30):
        begun = now - timedelta(hours=2)
        site.make_run(
            state=RunState.SUCCEEDED,
            submitted_at=begun - timedelta(minutes=1),
            started_at=begun,
            ended_at=begun + timedelta(minutes=minutes),
        )
    estimate = judged(sam)["estimate"]
    assert estimate == {
        "runs": 3, "rows": None, "by_rows": False, "median_seconds": 1200.0, "p90_seconds": 1800.0,
        "wait_seconds": 60.0, "core_hours": None,
    }  # fmt: skip


def test_a_wrong_parameter_is_an_error(sam: Client) -> None:
    answer = post(sam, url=URL + "?preflight=maybe")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "preflight"


def test_what_was_noticed_is_told_beside_what_is_wrong(site: Site, sam: Client) -> None:
    site.version.schema = {"properties": {"name": {"type": "string"}, "cram": {"type": "boolean"}}}
    site.version.content_sha256 = "open"
    site.version.save()
    found = judged(sam, {"pipeline": "hello", "name": 7, "cramm": True})
    assert [one["code"] for one in found["errors"]] == ["type"]
    assert [one["pointer"] for one in found["warnings"]] == ["/cramm"]
