"""Runs without a pipeline, and without a lab, wherever runs are shown."""

from __future__ import annotations

import json

import pytest

from pipeline_management.choices import RunState
from pipeline_management.models import Run, RunLog
from pipeline_management.services import logs
from tests.factories import make_job
from tests.pages.site import Site


@pytest.fixture
def job(site: Site) -> Run:
    """The submitter's own script, in no lab."""
    return make_job(
        submitter=site.people["submitter"], account=site.account, state=RunState.RUNNING
    )


@pytest.mark.parametrize("person", ["submitter", "administrator"])
def test_pages_of_a_job_script(site: Site, job: Run, person: str) -> None:
    client = site.client(person)
    page = client.get(f"/runs/{job.pk}/").content.decode()
    for text in ("my job", "Job script", "no lab", "FirecREST", "/home/u/firecrest/x/slurm-17.out",
                 f"centro:{job.key}"):  # fmt: skip
        assert text in page, text
    assert 'id="tab-stdout"' in page
    assert 'id="tab-stderr"' not in page  # both are in one file
    assert 'id="tab-scheduler"' not in page
    for path in ("/", "/runs/", "/runs/?text=my+job", "/runs/?sort=pipeline", "/runs/?sort=lab"):
        listed = client.get(path)
        assert listed.status_code == 200
        assert str(job.pk) in listed.content.decode(), path
    listed_page = client.get("/runs/").content.decode()
    assert "Job script" in listed_page and "no lab" in listed_page
    assert str(job.pk) not in client.get("/runs/?pipeline=hello").content.decode()
    for path in ("status/", "cancel/", "log/"):
        assert client.get(f"/runs/{job.pk}/{path}").status_code == 200, path


def test_nobody_else_sees_a_job_without_a_lab(site: Site, job: Run) -> None:
    for person in ("manager", "viewer", "outsider"):
        client = site.client(person)
        assert client.get(f"/runs/{job.pk}/").status_code == 404
        assert str(job.pk) not in client.get("/runs/").content.decode()


def test_a_lab_sees_its_members_jobs(site: Site) -> None:
    job = make_job(lab=site.lab, submitter=site.people["submitter"], account=site.account)
    for person in ("manager", "viewer"):
        page = site.client(person).get(f"/runs/{job.pk}/").content.decode()
        assert "genomics" in page and "Job script" in page
    assert site.client("outsider").get(f"/runs/{job.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("person", "status"), [("submitter", 302), ("administrator", 302), ("manager", 404)]
)
def test_who_may_cancel_a_job_without_a_lab(site: Site, job: Run, person: str, status: int) -> None:
    answer = site.client(person).post(f"/runs/{job.pk}/cancel/")
    assert answer.status_code == status
    job.refresh_from_db()
    assert job.desired == ("cancel" if status == 302 else "run")


def test_exports(site: Site, job: Run) -> None:
    client = site.client("submitter")
    rows = json.loads(b"".join(client.get("/runs/export/?format=json").streaming_content))
    (row,) = [row for row in rows if row["id"] == str(job.pk)]
    expected = {"kind": "job", "pipeline": None, "version": None, "lab": None, "name": "my job"}
    assert {key: row[key] for key in expected} == expected
    text = b"".join(client.get("/runs/export/?format=csv").streaming_content).decode()
    assert f"{job.pk},my job,job,,,,submitter," in text


def test_the_api(site: Site, job: Run) -> None:
    client = site.client("submitter")
    for body in (
        client.get(f"/api/v1/runs/{job.pk}/").json(),
        client.get("/api/v1/runs/").json()["results"][0],
    ):
        assert (body["kind"], body["pipeline"], body["version"], body["lab"]) == (
            "job",
            None,
            None,
            None,
        )
        assert (body["source"], body["name"]) == ("firecrest", "my job")
    assert client.get("/api/v1/runs/?pipeline=hello").json()["results"] == []
    for part in ("events", "log"):
        assert client.get(f"/api/v1/runs/{job.pk}/{part}/").status_code == 200


def test_the_admin_pages(site: Site, job: Run) -> None:
    client = site.client("administrator")
    assert client.get("/admin/pipeline_management/run/").status_code == 200
    assert client.get(f"/admin/pipeline_management/run/{job.pk}/change/").status_code == 200


def test_submitting_it_again_as_a_pipeline_names_none(site: Site, job: Run) -> None:
    page = site.client("submitter").get(f"/submit/?run={job.pk}")
    assert page.status_code == 200


def test_streams_of_a_job(site: Site, job: Run) -> None:
    assert logs.streams_of(job) == ("stdout",)
    job.job_files = {"stdout": "/a", "stderr": "/b"}
    assert logs.streams_of(job) == ("stdout", "stderr")
    job.job_files = {"stdout": "/a_%a", "stderr": "/b"}
    assert logs.streams_of(job) == ("stderr",)
    job.job_files = {}
    assert logs.streams_of(job) == ()
    RunLog.objects.create(
        run=job, stream="stdout", data=b"kept", size=4, collected_at=job.created_at
    )
    assert logs.read_log(run=job, stream="stdout").data == b"kept"
