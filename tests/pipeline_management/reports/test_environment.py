"""Where a job is told to report."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from pipeline_management.choices import EventRoute, TransportKind
from pipeline_management.models import Run, System
from pipeline_management.services.reports.environment import job_environment, reporting_files
from pipeline_management.services.reports.tokens import digest_of_new, find_run


def run_on(**system: Any) -> Run:
    fields = {"transport": TransportKind.SSH, "host": "login.example.org", **system}
    return Run(directory="/scratch/centro/1", system=System(**fields))


@pytest.mark.parametrize(
    ("portal", "system", "reached"),
    [
        ("https://centro.example.org", {}, True),
        ("https://centro.example.org", {"events": EventRoute.FILE}, False),
        ("http://127.0.0.1:8000", {}, False),  # there it would be that machine itself
        ("http://localhost:8000", {}, False),
        ("http://[::1]:8000", {}, False),
        ("http://127.0.0.1:8000", {"host": "127.0.0.1"}, True),
        ("http://127.0.0.1:8000", {"host": "", "transport": TransportKind.LOCAL}, True),
        ("", {}, False),
    ],
)
def test_the_address(
    settings: LazySettings, portal: str, system: dict[str, Any], reached: bool
) -> None:
    settings.CENTRO_PUBLIC_URL = portal
    run = run_on(**system)
    address = job_environment(run)["CENTRO_EVENTS_URL"]
    assert address == (f"{portal}/api/v1/runs/{run.pk}/events/" if reached else "")


def test_a_resumed_run_works_where_its_origin_did() -> None:
    run = run_on()
    assert job_environment(run)["CENTRO_WORK_DIR"] == "/scratch/centro/1"
    run.work_directory = "/scratch/centro/0"
    environment = job_environment(run)
    assert environment["CENTRO_WORK_DIR"] == "/scratch/centro/0"
    assert environment["CENTRO_RUN_DIR"] == "/scratch/centro/1"


@pytest.mark.django_db
def test_the_files(settings: LazySettings) -> None:
    run = run_on()
    assert set(reporting_files(run)) == {"bin/centro-event"}, (
        "without a token there is none to write"
    )
    run.token_sha256 = digest_of_new(run.pk)
    files = reporting_files(run)
    token = files[".token"].decode().strip()
    assert token not in str(job_environment(run))
    assert find_run(token) is None, "of a run that is not in the database"
