"""Engines where runs and pipelines come in: the site file, the administration, a posted configuration."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import Role
from pipeline_management.choices import Desired, Reason, RunSource, RunState
from pipeline_management.errors import InvalidRequest
from pipeline_management.models import PipelineVersion, Run
from pipeline_management.services.intake import create_run, prepare
from pipeline_management.services.presentation import explain
from pipeline_management.services.site.applying import apply_site
from pipeline_management.services.site.reading import SiteError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    factories.make_lab("lab-a", alice=Role.SUBMITTER)
    return User.objects.get(username="alice")


def published(tmp_path: Path, **pipeline: Any) -> PipelineVersion:
    if not factories.System.objects.filter(name="here").exists():
        factories.make_account(factories.make_system(name="here"))
    values = {"name": "demo", "version": "1.0", "systems": ["here"], "labs": ["*"]}
    file = tmp_path / "site.yaml"
    file.write_text(yaml.safe_dump({"pipelines": [values | pipeline]}))
    apply_site(file)
    return PipelineVersion.objects.get(pipeline__name="demo", version="1.0")


def submit(user: User, **document: Any) -> Run:
    prepared = prepare(user=user, document={"pipeline": "demo"} | document)
    return create_run(user=user, prepared=prepared, source=RunSource.API)[0]


def test_a_jetstream_pipeline_needs_no_script(tmp_path: Path, alice: User) -> None:
    options = {"pipeline": "tempe", "sacct_frequency": 30}
    version = published(
        tmp_path, engine="jetstream", engine_options=options, example={"project": "x"}
    )
    assert (version.engine, version.engine_options, version.script) == ("jetstream", options, "")
    run = submit(alice, project="p1")
    assert "export JETSTREAM_PIPELINE=tempe@1.0\n" in run.script
    assert run.script.endswith('exec /bin/sh "$CENTRO_RUN_DIR/engine/head.sh"\n')
    with pytest.raises(InvalidRequest) as refused:
        submit(alice, project="p1; true")
    assert [problem.pointer for problem in refused.value.problems] == ["/project"]


def test_a_harmful_example_is_a_fault_of_the_site_file(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="which contains"):
        published(tmp_path, engine="jetstream", example={"project": "x; y"})


def test_options_cannot_change_under_runs(tmp_path: Path, alice: User) -> None:
    published(tmp_path, engine="snakemake", engine_options={"snakefile": "/a/Snakefile"})
    submit(alice)
    with pytest.raises(SiteError, match="engine or its options"):
        published(tmp_path, engine="snakemake", engine_options={"snakefile": "/b/Snakefile"})


def test_a_version_without_options_keeps_its_digest(tmp_path: Path) -> None:
    """Else every version of a site would count as changed after an upgrade."""
    version = published(tmp_path, script="echo\n", engine="shell")
    content = {"engine": "shell", "resources": {}, "schema": {}, "script": "echo\n"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert version.content_sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("held", [True, False, None])
def test_a_configuration_can_ask_to_be_held(tmp_path: Path, alice: User, held: Any) -> None:
    published(tmp_path, script="echo\n")
    run = submit(alice, **({"holdConfig": held} if held is not None else {}))
    assert run.state == RunState.QUEUED
    assert run.desired == (Desired.HOLD if held is True else Desired.RUN)
    assert (run.next_at is None) == (held is True)


def test_the_account_of_the_configuration_is_charged(tmp_path: Path, alice: User) -> None:
    system = factories.make_system(name="here", scheduler="slurm")
    factories.make_account(system)
    published(tmp_path, engine="jetstream", resources={"account": "lab-default", "queue": "q1"})
    assert submit(alice, hpcAccount="lab-7").resources == {"account": "lab-7", "queue": "q1"}
    assert submit(alice).resources["account"] == "lab-default"
    assert "export SBATCH_ACCOUNT=lab-7\n" in submit(alice, hpcAccount="lab-7").script


def test_an_exit_code_is_told_in_the_engines_words(tmp_path: Path) -> None:
    version = published(tmp_path, engine="jetstream")
    ended = {"state": RunState.FAILED, "reason": Reason.EXIT_NONZERO}
    run = factories.make_run(version=version, exit_code=65, **ended)
    assert explain(run).startswith(
        "The job script ended with exit code 65: Jetstream could not build"
    )
    other = factories.make_run(version=version, exit_code=9, **ended)
    assert explain(other) == "The job script ended with exit code 9."


def form(version: PipelineVersion, **changed: Any) -> dict[str, Any]:
    values = {
        "pipeline": version.pipeline.pk,
        "version": "2.0",
        "engine": "jetstream",
        "engine_options": "{}",
        "schema": "{}",
        "script": "",
        "resources": "{}",
        "example": "{}",
        "all_labs": "on",
        "pipeline_systems-TOTAL_FORMS": "0",
        "pipeline_systems-INITIAL_FORMS": "0",
    }
    return values | changed


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"engine": "shell", "script": "echo"}, ""),
        ({"engine": "shell"}, "This engine needs a script."),
        ({"script": "echo"}, "This engine makes the job script by itself: leave it empty."),
        ({"engine_options": '{"backend": "pbs"}'}, "/backend"),
        ({"engine_options": "[]"}, "Expected a JSON object."),
        ({"engine": "snakemake"}, "snakefile"),
    ],
)
def test_the_administration_checks_the_same(
    client: Client, tmp_path: Path, changed: dict[str, Any], fault: str
) -> None:
    version = published(tmp_path, engine="jetstream")
    client.force_login(factories.make_user("root", staff=True))
    answer = client.post(
        "/admin/pipeline_management/pipelineversion/add/", form(version, **changed)
    )
    made = PipelineVersion.objects.filter(version="2.0").exists()
    assert made == (fault == ""), answer.content.decode()[-3000:]
    if fault:
        assert fault in answer.content.decode()
