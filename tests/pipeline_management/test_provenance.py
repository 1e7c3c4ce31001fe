"""A run as an RO-Crate: what the profile Workflow Run Crate 0.5 requires, and that everything named is there."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from pipeline_management.choices import Reason, RunState
from pipeline_management.models import Run, RunEvent, RunLog, RunTask
from pipeline_management.services.provenance import export
from tests.factories import make_job, make_lab, make_run, make_user, make_version

pytestmark = pytest.mark.django_db
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
}


class Read:
    """A crate that was read back."""

    def __init__(self, run: Run) -> None:
        crate = export(run)
        self.name = crate.name
        with crate.file, zipfile.ZipFile(crate.file) as archive:
            assert archive.testzip() is None
            self.files = {name: archive.read(name) for name in archive.namelist()}
        graph = json.loads(self.files["ro-crate-metadata.json"])["@graph"]
        self.entities = {entity["@id"]: entity for entity in graph}
        assert len(self.entities) == len(graph), "each entity once"

    @property
    def root(self) -> dict[str, Any]:
        return self.entities["./"]

    @property
    def action(self) -> dict[str, Any]:
        return self.entities[self.root["mentions"]["@id"]]

    def ids(self, value: Any) -> list[str]:
        return [one["@id"] for one in (value if isinstance(value, list) else [value])]

    def references(self, value: Any) -> list[str]:
        """The ids that anything in the value refers to."""
        if isinstance(value, list):
            return [one for entry in value for one in self.references(entry)]
        if not isinstance(value, dict):
            return []
        if set(value) == {"@id"}:
            return [value["@id"]]
        return [one for entry in value.values() for one in self.references(entry)]


def a_run(**fields: Any) -> Run:
    now = timezone.now()
    lab = make_lab("genomics")
    values: dict[str, Any] = {
        "name": "NA12878",
        "lab": lab,
        "submitter": make_user("ann o'hara"),
        "version": make_version("align", "1.2", script="#!/bin/sh\nalign\n"),
        "state": RunState.SUCCEEDED,
        "started_at": now,
        "ended_at": now,
        "finished_at": now,
        "configuration": {"rows": [{"fastq": "/data/a b.fastq.gz"}, {"fastq": "/data/c.fastq.gz"}]},
    }  # fmt: skip
    run = make_run(**(values | fields))
    RunLog.objects.create(
        run=run, stream="stderr", size=9, data=b"\x1b[31mred\x1b[0m\n", collected_at=now
    )
    RunTask.objects.create(run=run, name="sort", key="k", state="complete", reported_at=now)
    data = {"path": "out/calls.vcf", "label": "calls"}
    RunEvent.objects.create(run=run, seq=2, at=now, actor="job", type="artifact", data=data)
    RunEvent.objects.create(run=run, seq=3, at=now, actor="job", type="artifact", data=data)
    run.event_seq = 3
    run.save()
    return run


def test_a_crate_is_what_the_profile_asks_for() -> None:
    run = a_run()
    crate = Read(run)
    described = crate.entities["ro-crate-metadata.json"]
    assert "https://w3id.org/ro/crate/1.1" in crate.ids(described["conformsTo"])
    assert set(crate.ids(crate.root["conformsTo"])) == PROFILES
    workflow = crate.entities[crate.root["mainEntity"]["@id"]]
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert workflow["version"] == "1.2" and workflow["sha256"] == run.version.content_sha256
    assert crate.entities[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    assert crate.files["pipeline/script.sh"] == b"#!/bin/sh\nalign\n"
    action = crate.action
    assert action["@type"] == "CreateAction"
    assert action["instrument"]["@id"] == workflow["@id"]
    assert action["actionStatus"].endswith("/CompletedActionStatus") and "error" not in action
    assert action["startTime"] <= action["endTime"]
    agent = crate.entities[action["agent"]["@id"]]
    assert agent["name"] == "ann o'hara"
    assert crate.entities[agent["affiliation"]["@id"]]["name"] == "genomics"
    assert "INCOMPLETE" not in crate.root["description"]


def test_everything_that_is_named_is_there() -> None:
    run = a_run()
    crate = Read(run)
    parts = crate.ids(crate.root["hasPart"])
    for part in parts:
        assert part.startswith("file://") or part in crate.files, part
    assert set(crate.files) - {"ro-crate-metadata.json"} <= set(parts)
    outside = ("https://w3id.org/", "https://bioschemas.org/", "http://schema.org/")
    for entity in crate.entities.values():
        for reference in crate.references(
            {key: value for key, value in entity.items() if key != "@id"}
        ):
            assert reference in crate.entities or reference.startswith(outside), reference
    assert json.loads(crate.files["configuration.json"]) == run.configuration
    assert crate.files["job.sh"].decode() == run.script
    assert crate.files["logs/stderr.txt"] == b"red\n"
    assert [task["name"] for task in json.loads(crate.files["tasks.json"])] == ["sort"]
    events = [json.loads(line) for line in crate.files["events.jsonl"].splitlines()]
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    assert events[-1]["data"]["path"] == "out/calls.vcf"


def test_inputs_and_outputs_are_named_by_their_places_and_not_contained() -> None:
    run = a_run()
    crate = Read(run)
    host = f"file://{run.system.name}"
    named = [name for name in crate.ids(crate.action["object"]) if name.startswith("file:")]
    assert named == [f"{host}/data/a%20b.fastq.gz", f"{host}/data/c.fastq.gz"]
    made = [name for name in crate.ids(crate.action["result"]) if name.startswith("file:")]
    assert made == [f"{host}{run.works_in}/out/calls.vcf"]
    assert crate.entities[made[0]]["name"] == "calls"
    assert not any("fastq.gz" in name for name in crate.files)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (RunState.FAILED, "FailedActionStatus"),
        (RunState.CANCELLED, "FailedActionStatus"),
        (RunState.RUNNING, "ActiveActionStatus"),
        (RunState.QUEUED, "PotentialActionStatus"),
    ],
)  # fmt: skip
def test_it_says_how_the_run_ended_or_that_it_has_not(state: RunState, status: str) -> None:
    run = a_run(state=state, reason=Reason.EXIT_NONZERO, reason_text="boom <b>", exit_code=3)
    if not state.is_terminal:
        run.ended_at = run.finished_at = None
    crate = Read(run)
    assert crate.action["actionStatus"].endswith(status)
    assert ("INCOMPLETE" in crate.root["description"]) is not state.is_terminal
    assert ("endTime" in crate.action) is state.is_terminal
    assert crate.action.get("error") == ("EXIT_NONZERO: boom <b>" if state.is_terminal else None)


def test_a_job_script_of_somebody_s_own_is_a_process_run_crate() -> None:
    crate = Read(make_job(state=RunState.SUCCEEDED))
    assert crate.ids(crate.root["conformsTo"]) == ["https://w3id.org/ro/wfrun/process/0.5"]
    assert crate.entities[crate.action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
    assert "mainEntity" not in crate.root


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "/a\x00b", "<script>", "\u202e=1+1", "é" * 300]
)
def test_hostile_text_makes_no_other_file(text: str) -> None:
    run = a_run(name=text.replace("\x00", "")[:200], configuration={"path": text, "name": text})
    told = {"path": text, "label": text}
    RunEvent.objects.create(
        run=run, seq=4, at=timezone.now(), actor="job", type="artifact", data=told
    )
    crate = Read(run)
    expected = {"README.md", "configuration.json", "job.sh", "logs/stderr.txt", "tasks.json", "events.jsonl",
                "pipeline/script.sh", "ro-crate-metadata.json"}  # fmt: skip
    assert set(crate.files) == expected


def test_it_is_downloaded_by_page_and_api() -> None:
    run = a_run()
    lab = run.lab
    viewer = make_user("viewer")
    lab.memberships.create(user=viewer, role="viewer")
    client = Client()
    client.force_login(viewer)
    for address in (f"/runs/{run.pk}/provenance/", f"/api/v1/runs/{run.pk}/provenance/"):
        answer = client.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
        assert f'filename="run-{run.pk}.crate.zip"' in answer["Content-Disposition"]
        body = b"".join(answer.streaming_content)
        assert body[:2] == b"PK" and len(body) == int(answer["Content-Length"])
        assert client.head(address).status_code == 200
    client.force_login(make_user("stranger"))
    assert client.get(f"/api/v1/runs/{run.pk}/provenance/").status_code == 404
