"""The check panel: its steps while somebody types, what the system says, and being told once before a run goes."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from pipeline_management.choices import HealthState, RunState
from pipeline_management.models import Budget, PipelineVersion, Run
from pipeline_management.views import check
from tests.factories import make_run
from tests.pages.site import Site
from tests.pages.test_submit import GOOD, problems_in, send
from tests.pages.test_usage import used

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(site: Site) -> Client:
    return site.client("submitter")


@pytest.fixture
def version(site: Site) -> PipelineVersion:
    """The version that GOOD runs; it takes any further keys, and its rows must differ."""
    found = PipelineVersion.objects.get(pipeline__name="hello", version="1.0")
    found.schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    found.rules = [{"rule": "unique", "rows": "rows", "columns": ["file"]}]
    found.content_sha256 = "open"
    found.save()
    return found


def ask(client: Client, text: str = GOOD, address: str = "/submit/check/", **fields: Any) -> Any:
    return client.post(address, {"configuration": text, **fields}, headers=HTMX)


def lines(answer: Any) -> dict[str, str]:
    found = re.findall(r'data-step="(\w+)" data-status="(\w+)"', answer.content.decode())
    return dict(found)


def test_everything_is_good(client: Client, version: PipelineVersion) -> None:
    answer = ask(client)
    assert lines(answer) == dict.fromkeys(("syntax", "schema", "rules", "target", "script"), "good")
    page = answer.content.decode()
    assert 'id="preflight-button"' in page and "Too few past runs" in page
    assert Run.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pipeline": "hello",}', "bad later later later later"),
        ('{"pipeline": "helo"}', "good later later bad later"),
        ('{"name": "x"}', "good later later bad later"),
        ('{"pipeline": "hello", "name": 7}', "good bad good good later"),
        ('{"pipeline": "hello", "rows": [{"file": 1}, {"file": 1}]}', "good good bad good later"),
        ('{"pipeline": "hello"}', "good good good good bad"),  # the script needs the name
        (
            '{"pipeline": "hello", "name": "x", "nmae": 1, "lab": "none"}',
            "good good good bad later",
        ),
    ],
)
def test_each_step_stands_for_its_faults(
    client: Client, version: PipelineVersion, text: str, expected: str
) -> None:
    answer = ask(client, text)
    assert " ".join(lines(answer).values()) == expected
    assert problems_in(answer)


@pytest.mark.parametrize("address", ["/submit/check/", "/submit/"])
def test_a_misspelt_key_is_told_beside_the_problem_that_it_makes(
    client: Client, version: PipelineVersion, address: str
) -> None:
    version.schema["required"] = ["name"]
    version.content_sha256 = "strict"
    version.save()
    page = ask(client, '{"pipeline": "hello", "nmae": "x"}', address).content.decode()
    problem, hint = page.split("Worth a look:")
    assert "1 problem; nothing was submitted" in problem
    assert "nmae" in hint and "name" in hint and 'class="problem is-hint"' in hint
    assert Run.objects.count() == 0


def test_warnings_are_a_colour_of_their_own(client: Client, version: PipelineVersion) -> None:
    version.rules[0]["severity"] = "warning"
    version.save()
    answer = ask(
        client, '{"pipeline": "hello", "name": "x", "nmae": 1, "rows": [{"file": 1}, {"file": 1}]}'
    )
    assert lines(answer) == {
        "syntax": "good", "schema": "good", "rules": "warning", "target": "good", "script": "good",
    }  # fmt: skip
    assert "rows rows 1 and 2 have the same file 1" in problems_in(answer)[0]


def test_a_budget_that_is_nearly_used_up_is_worth_a_look(site: Site, client: Client) -> None:
    assert "budget" not in lines(ask(client))
    Budget.objects.create(lab=site.lab, core_hours=10)
    used(site, 9, day=None)
    answer = ask(client)
    assert lines(answer)["budget"] == "warning"
    assert "of its 10 core hours" in answer.content.decode()


def test_an_empty_text_is_no_fault(client: Client) -> None:
    answer = ask(client, " \n")
    assert answer.status_code == 200 and lines(answer) == {}
    assert "Problems are listed here" in answer.content.decode()


def test_who_may_not_submit_checks_nothing(site: Site) -> None:
    viewer = site.client("viewer")
    assert ask(viewer).status_code == 403
    assert ask(viewer, address="/submit/preflight/").status_code == 403


def test_hostile_words_are_shown_as_text(client: Client, version: PipelineVersion) -> None:
    version.rules = [
        {"rule": "not-empty", "columns": "x", "message": "<b>{rows}</b>", "severity": "warning"}
    ]
    version.save()
    page = ask(
        client, '{"pipeline": "hello", "name": "<img src=x onerror=alert(1)>"}'
    ).content.decode()
    assert "<img src=x" not in page and "<b>" not in page
    assert "&lt;b&gt;" in page


# --- what the system says -----------------------------------------------------------------------


def preflight(client: Client, text: str, **fields: Any) -> str:
    answer = ask(client, text, "/submit/preflight/", **fields)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_system_is_asked(client: Client, version: PipelineVersion, tmp_path: Path) -> None:
    page = preflight(client, f'{{"pipeline": "hello", "name": "x", "file": "{tmp_path}"}}')
    assert 'data-step="inputs" data-status="good"' in page
    assert 'data-step="start" data-status="good"' in page
    assert 'name="looked"' in page and "Check again" in page


def test_a_configuration_with_faults_is_mended_first(client: Client) -> None:
    page = preflight(client, '{"pipeline": "hello"')
    assert "mend it first" in page and 'name="looked"' not in page


def test_a_system_that_is_down_is_told_and_hinders_nothing(
    site: Site, client: Client, version: PipelineVersion
) -> None:
    site.account.system.transport = "ssh"
    site.account.system.save()
    page = preflight(client, GOOD)
    assert 'id="preflight-problem"' in page and "cannot be asked now" in page
    assert send(client, preflight="1").status_code == 302


MISSING = '{"pipeline": "hello", "name": "x", "file": "/no/such/file.fastq"}'


def test_a_missing_input_is_told_once_before_the_run_goes(
    client: Client, version: PipelineVersion
) -> None:
    answer = send(client, MISSING, preflight="1")
    page = answer.content.decode()
    assert answer.status_code == 200 and Run.objects.count() == 0
    assert "/no/such/file.fastq: not there" in page and "Submit anyway" in page
    looked = re.findall(r'name="looked" value="(\w+)"', page)
    changed = MISSING.replace("file.fastq", "other.fastq")
    assert send(client, changed, preflight="1", looked=looked[0]).status_code == 200
    assert send(client, MISSING, preflight="1", looked=looked[0]).status_code == 302
    assert Run.objects.count() == 1


def test_without_scripts_the_button_asks_too(client: Client, version: PipelineVersion) -> None:
    page = send(client, MISSING, action="system").content.decode()
    assert 'id="preflight-bad"' in page and Run.objects.count() == 0


def test_a_system_known_to_be_down_is_not_waited_for(
    site: Site, client: Client, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.account.system.health = HealthState.DOWN
    site.account.system.save()
    monkeypatch.delattr(check, "preflight")
    assert send(client, MISSING, preflight="1").status_code == 302


def test_forms_that_do_not_ask_go_straight_through(
    client: Client, version: PipelineVersion
) -> None:
    assert send(client, MISSING).status_code == 302


# --- the past -----------------------------------------------------------------------------------


def test_the_projects_last_run_and_how_long_it_took(
    site: Site, client: Client, version: PipelineVersion
) -> None:
    now = timezone.now()
    for number, minutes in enumerate((10, 20, 30)):
        site.run(
            version=version,
            name="world",
            state=RunState.SUCCEEDED,
            configuration={"pipeline": "hello", "name": "world", "rows": [number], "old": True},
            started_at=now - timedelta(hours=1),
            ended_at=now - timedelta(hours=1) + timedelta(minutes=minutes),
        )
    make_run(version=version, name="world", configuration={"name": "of another lab"})
    page = ask(
        client, '{"pipeline": "hello", "name": "world", "rows": [2, 3], "new": 1}'
    ).content.decode()
    assert re.search(r'id="estimate">Usually takes <strong>20', page)
    assert "From 3 past runs with about 2 rows." in page
    assert "3 differences to this project" in page  # old, new, and a second row
    assert "/old" in page and "/new" in page and "/rows/1" in page


def test_few_queries_however_long_the_past(
    site: Site, client: Client, version: PipelineVersion, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        site.run(version=version, name="world", state=RunState.SUCCEEDED)
    with django_assert_max_num_queries(26):
        ask(client)
