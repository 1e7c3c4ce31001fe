"""GET /api/v1/usage/: the numbers of the usage page, with its permissions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from pipeline_management.choices import RunState
from pipeline_management.models import RunUsage
from pipeline_management.services.usage import counting
from tests.pages.site import Site, make_site

pytestmark = pytest.mark.django_db
MARCH = "from=2026-03-01&to=2026-03-31"


@pytest.fixture
def site() -> Site:
    return make_site()


def used(site: Site, seconds: int, **fields: Any) -> None:
    at = datetime(2026, 3, 10, 12, tzinfo=UTC)
    run = site.run(**({"state": RunState.SUCCEEDED, "finished_at": at} | fields))
    RunUsage.objects.create(run=run)
    counting.record({run.pk: {"core_seconds": seconds, "gpu_seconds": 1800}})


def get(site: Site, name: str, query: str) -> Any:
    client: Client = site.client(name)
    return client.get(f"/api/v1/usage/?{query}", headers={"accept": "application/json"})


def test_it_says_what_the_page_says(site: Site) -> None:
    used(site, 7200)
    used(site, 3600, state=RunState.FAILED, submitter=site.people["manager"])
    answer = get(site, "manager", MARCH).json()
    assert (answer["group"], answer["first_day"], answer["last_day"]) == (
        "person",
        "2026-03-01",
        "2026-03-31",
    )
    assert answer["total"] == {
        "runs": 2, "succeeded": 1, "failed": 1, "cancelled": 0, "failure_rate": 0.5, "core_hours": 3.0,
        "gpu_hours": 1.0, "mean_wait_seconds": None, "measured": 2,
    }  # fmt: skip
    assert [(row["key"], row["core_hours"]) for row in answer["results"]] == [
        ("submitter", 2.0),
        ("manager", 1.0),
    ]
    assert get(site, "submitter", MARCH).json()["total"]["runs"] == 1
    assert get(site, "viewer", MARCH).json()["results"] == []


@pytest.mark.parametrize("group", ["person", "pipeline", "system", "month", "lab"])
def test_every_group(site: Site, group: str) -> None:
    used(site, 3600)
    (row,) = get(site, "manager", f"{MARCH}&group={group}&lab=genomics").json()["results"]
    assert row["runs"] == 1 and row["name"]
    assert row["key"] == {
        "person": "submitter", "pipeline": "hello", "system": "cluster", "month": "2026-03", "lab": "genomics",
    }[group]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("group=mood", "group"), ("from=x", "from"), ("from=2026-03-02&to=2026-03-01", "to"),
        ("from=1900-01-01", "from"), ("lab=imaging", "lab"), ("month=3", "month"), ("to=", "to"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(site: Site, query: str, parameter: str) -> None:
    answer = get(site, "manager", query)
    assert answer.status_code == 400
    assert f"“{parameter}”" in answer.content.decode()
