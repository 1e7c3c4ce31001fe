"""A plan through the services, the API and the page: on this machine, with the stand-in for Jetstream."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from pipeline_management.errors import Conflict, InvalidRequest, Unavailable
from pipeline_management.models import PipelineVersion, Run, SystemAccount
from pipeline_management.services.engines import planning
from tests import factories
from tests.lab.jetstream.installing import install

pytestmark = pytest.mark.django_db

CONFIGURATION = {
    "pipeline": "centro_demo",
    "samples": [{"name": "S1"}, {"name": "S2"}],
    "seconds": 0,
}
SCHEMA = {
    "type": "object",
    "properties": {"samples": {"type": "array"}, "tasks": {"type": "object"}},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jetstream")
    install(folder)
    return folder


@pytest.fixture
def account(tmp_path: Path) -> SystemAccount:
    """Everybody's on this machine."""
    return factories.make_account(
        factories.make_system(name="here", workdir=str(tmp_path / "runs"))
    )


@pytest.fixture
def version(installed: Path, account: SystemAccount) -> PipelineVersion:
    return factories.make_version(
        "centro_demo",
        "0.2.0",
        system=account.system,
        engine="jetstream",
        script="",
        schema=SCHEMA,
        engine_options={
            "command": str(installed / "venv/bin/jetstream"),
            "search_path": [str(installed / "pipelines")],
        },
    )


@pytest.fixture
def alice(client: Client) -> Client:
    factories.make_lab("lab-a", alice=Role.SUBMITTER)
    client.force_login(factories.User.objects.get(username="alice"))
    return client


def leftovers(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "runs/.plans").iterdir()]


def test_tasks_costs_and_a_warning(
    version: PipelineVersion, account: SystemAccount, tmp_path: Path
) -> None:
    plan = planning.plan_for(version, CONFIGURATION, account)
    assert [task.name for task in plan.tasks] == ["align_S1", "align_S2", "merge"]
    assert plan.tasks[0].memory_mb == 50 and plan.tasks[0].walltime_s == 300
    assert plan.cpu_hours_ceiling == round((2 + 2 + 1) * 300 / 3600, 2)
    assert plan.warnings[0].startswith("tasks is empty: every optional task is on")
    assert leftovers(tmp_path) == []
    switched = planning.plan_for(version, CONFIGURATION | {"tasks": {"x": True}}, account)
    assert switched.warnings == ()


def test_a_configuration_that_gives_no_pipeline(
    version: PipelineVersion, account: SystemAccount
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        planning.plan_for(version, {"pipeline": "centro_demo"}, account)
    (problem,) = refused.value.problems
    assert problem.code == "plan"
    assert problem.message.startswith("Jetstream cannot make a pipeline of this configuration: ")
    assert "'samples' is undefined" in problem.message


def test_a_plan_that_takes_too_long_is_given_up(
    version: PipelineVersion,
    account: SystemAccount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = tmp_path / "jetstream"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    version.engine_options = {"command": str(slow)}
    monkeypatch.setattr(planning, "SECONDS", 1.0)
    with pytest.raises(Unavailable, match="took more than 1 s on the system"):
        planning.plan_for(version, CONFIGURATION, account)
    assert leftovers(tmp_path) == []


def test_a_plan_that_prints_without_end_is_cut(
    version: PipelineVersion, account: SystemAccount, installed: Path, tmp_path: Path
) -> None:
    loud = tmp_path / "python"
    loud.write_text("#!/bin/sh\nhead -c 9000000 /dev/zero | tr '\\0' x\n")
    loud.chmod(0o755)
    version.engine_options |= {"python": str(loud)}
    with pytest.raises(Unavailable, match="cannot be read: it is not JSON, or it was cut"):
        planning.plan_for(version, CONFIGURATION, account)


def test_a_system_without_the_command(version: PipelineVersion, account: SystemAccount) -> None:
    version.engine_options = {"command": "/nowhere/jetstream"}
    with pytest.raises((Unavailable, InvalidRequest), match="/nowhere/jetstream"):
        planning.plan_for(version, CONFIGURATION, account)


def test_few_plans_at_a_time(version: PipelineVersion, account: SystemAccount) -> None:
    for _ in range(planning._AT_ONCE):
        assert planning._turns.acquire(blocking=False)
    try:
        with pytest.raises(Unavailable, match="try again"):
            planning.plan_for(version, CONFIGURATION, account)
    finally:
        planning._turns.release(planning._AT_ONCE)
    assert planning.plan_for(version, CONFIGURATION, account).tasks


def test_plain_scripts_have_no_plan(account: SystemAccount) -> None:
    with pytest.raises(Conflict):
        planning.plan_for(factories.make_version(system=account.system), {}, account)


def dry_run(client: Client, document: dict[str, Any]) -> Any:
    url = "/api/v1/new-run/?dry_run=1"
    return client.post(url, json.dumps(document), content_type="application/json")


def test_the_dry_run_of_the_api(version: PipelineVersion) -> None:
    factories.make_lab("lab-a", alice=Role.SUBMITTER)
    user = factories.User.objects.get(username="alice")
    user.set_password("pass-word-1")
    user.save()
    basic = base64.b64encode(b"alice:pass-word-1").decode()
    client = Client(headers={"Authorization": f"Basic {basic}"})
    answer = dry_run(client, CONFIGURATION)
    assert answer.status_code == 200, answer.content
    plan = answer.json()["plan"]
    assert [task["name"] for task in plan["tasks"]] == ["align_S1", "align_S2", "merge"]
    assert plan["tasks"][2] == {
        "name": "merge",
        "after": ["align_S1", "align_S2"],
        "cpus": 1,
        "memory_mb": 50,
        "walltime_s": 300,
    }
    assert (plan["reuse"], answer.json()["plan_problem"]) == (0, None)
    bad = dry_run(client, {"pipeline": "centro_demo"})
    assert bad.status_code == 400
    assert bad.json()["errors"][0]["code"] == "plan"
    harmful = dry_run(client, CONFIGURATION | {"study": "a; b"})
    assert harmful.status_code == 400
    assert harmful.json()["errors"][0]["pointer"] == "/study"
    version.engine_options |= {"python": "/bin/false"}
    version.save()
    silent = dry_run(client, CONFIGURATION)
    assert silent.status_code == 200 and silent.json()["plan"] is None
    assert "could not be made on the system" in silent.json()["plan_problem"]
    assert Run.objects.count() == 0


def plan_page(client: Client, document: dict[str, Any], **headers: str) -> str:
    data = {"action": "plan", "configuration": json.dumps(document), "pipeline": ""}
    answer = client.post("/submit/", data, headers=headers)
    return answer.content.decode()


def test_the_page_shows_the_plan(alice: Client, version: PipelineVersion) -> None:
    shown = plan_page(alice, CONFIGURATION, **{"HX-Request": "true"})
    assert "<html" not in shown
    assert (
        'id="plan-tasks"' in shown
        and "align_S2" in shown
        and "3 tasks" in shown
        and "2 steps deep" in shown
    )
    assert "every optional task is on" in shown
    assert "0.42 CPU hours" in shown
    whole = plan_page(alice, CONFIGURATION)  # without scripts
    assert "<html" in whole and 'id="plan-tasks"' in whole
    refused = plan_page(alice, {"pipeline": "centro_demo"}, **{"HX-Request": "true"})
    assert "cannot make a pipeline of this configuration" in refused
    assert Run.objects.count() == 0


def test_the_page_says_that_a_plain_script_has_no_plan(
    alice: Client, account: SystemAccount
) -> None:
    factories.make_version("plain", system=account.system)
    shown = plan_page(alice, {"pipeline": "plain", "name": "x"}, **{"HX-Request": "true"})
    assert 'id="plan-problem"' in shown and "plain@1.0 is a plain script" in shown
