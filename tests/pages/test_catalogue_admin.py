"""What administrators do in the catalogue and with systems, and what becomes of it for everybody."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hpc.errors import ConnectFailed
from hpc.jobs import QueueInfo
from pipeline_management.choices import HealthState
from pipeline_management.models import (
    AuditEvent,
    CatalogueUpload,
    Maintenance,
    PipelineVersion,
    SystemCheck,
    SystemQueue,
    UsageDay,
)
from pipeline_management.services import dispatch, maintenance, queues, system_check
from pipeline_management.services.catalogue.markdown import rendered
from pipeline_management.services.resolution import resolve
from pipeline_management.services.site.check_steps import Step
from tests.factories import make_account, make_run, make_system, make_version
from tests.pages.site import Site


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def yaml_of(site: Site, **changes: Any) -> bytes:
    part = {
        "name": "fresh",
        "version": "1.0",
        "title": "<b>Fresh</b>",
        "systems": [site.account.system.name],
        "labs": ["*"],
        "schema": {"type": "object"},
        "script": "true",
        "documentation": "# How\n\n<script>alert(1)</script> [x](javascript:alert(1))",
        **changes,
    }
    return json.dumps(part).encode()  # JSON is YAML


def send(client: Client, data: bytes, name: str = "fresh.yaml") -> Any:
    return client.post("/catalogue/upload/", {"file": SimpleUploadedFile(name, data)})


# --- uploads --------------------------------------------------------------------------------------


def test_an_upload_is_shown_confirmed_and_there(site: Site) -> None:
    client = site.client("administrator")
    shown = send(client, yaml_of(site))
    assert shown.status_code == 302
    assert not PipelineVersion.objects.filter(pipeline__name="fresh").exists()
    text = page(client, shown.url)
    assert "fresh@1.0" in text and "Store it" in text and "&lt;b&gt;Fresh" in text
    stored = client.post(shown.url)
    assert stored.url == "/pipelines/fresh/?version=1.0"
    text = page(site.client("viewer"), stored.url)
    assert "<h3>How</h3>" in text
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert "javascript:alert" not in re.sub(r"\[x\]\(javascript:alert\(1\)\)", "", text)
    assert AuditEvent.objects.filter(action="catalogue.upload", target="fresh@1.0").exists()


def test_problems_are_listed_and_nothing_is_kept(site: Site) -> None:
    client = site.client("administrator")
    answer = send(client, yaml_of(site, systems=["<i>x"], colour=1))
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "<code>colour</code>: is not a known key" in text
    answer = send(client, yaml_of(site, systems=["<i>x"], labs=["nobody"]))
    text = answer.content.decode()
    assert "2 problems in fresh.yaml" in text and "&lt;i&gt;x" in text
    assert not CatalogueUpload.objects.exists()
    assert AuditEvent.objects.filter(action="catalogue.refused").count() == 2


def test_no_file_and_one_that_is_too_large(site: Site) -> None:
    client = site.client("administrator")
    assert client.post("/catalogue/upload/").status_code == 400
    answer = send(client, b"#" * 2_100_000)
    assert answer.status_code == 400 and "expected at most 2000000" in answer.content.decode()


def test_an_upload_may_be_discarded_and_is_its_owner_s(site: Site) -> None:
    client = site.client("administrator")
    address = send(client, yaml_of(site)).url
    CatalogueUpload.objects.update(owner=site.people["manager"])
    assert client.get(address).status_code == 404
    CatalogueUpload.objects.update(owner=site.people["administrator"])
    assert client.post(address, {"discard": "1"}).status_code == 302
    assert not CatalogueUpload.objects.exists()


def test_what_cannot_be_stored_any_more_says_why(site: Site) -> None:
    client = site.client("administrator")
    address = send(client, yaml_of(site)).url
    other = make_version("fresh", "1.0", system=site.account.system)
    make_run(version=other, account=site.account)
    answer = client.post(address)
    assert answer.status_code == 409 and "has runs and would change" in answer.content.decode()


@pytest.mark.parametrize(
    "address", ["/catalogue/upload/", "/pipelines/hello/versions/1.0/settings/", "/maintenance/"]
)
def test_others_are_told_that_it_is_not_theirs(site: Site, address: str) -> None:
    assert "Only administrators may do that." in page(site.client("manager"), address, 403)


# --- settings -------------------------------------------------------------------------------------


def change(site: Site, version: PipelineVersion, **values: Any) -> Any:
    address = f"/pipelines/{version.pipeline.name}/versions/{version.version}/settings/"
    form = {"systems": [site.account.system.pk], "all_labs": "on", **values}
    return site.client("administrator").post(
        address, {k: v for k, v in form.items() if v is not None}
    )


def test_who_may_run_it_is_changed(site: Site) -> None:
    assert change(site, site.version, all_labs=None, labs=[site.other_lab.pk]).status_code == 302
    page(site.client("viewer"), "/pipelines/hello/", 404)
    page(site.client("outsider"), "/pipelines/hello/")
    event = AuditEvent.objects.get(action="catalogue.settings")
    assert event.data["labs"] == [site.other_lab.slug]


def test_a_hidden_version_is_only_the_administrators_and_takes_no_runs(site: Site) -> None:
    assert change(site, site.version, is_hidden="on").status_code == 302
    page(site.client("submitter"), "/pipelines/hello/", 404)
    text = page(site.client("administrator"), "/pipelines/hello/")
    assert "This version is hidden" in text and "Launch" not in text
    for person in ("submitter", "administrator"):
        found = resolve(site.people[person], {"pipeline": "hello@1.0"})
        assert found.version is None


def test_the_latest_may_be_an_older_one(site: Site) -> None:
    make_version("hello", "2.0", system=site.account.system)
    assert resolve(site.people["submitter"], {"pipeline": "hello"}).version.version == "2.0"  # type: ignore[union-attr]
    assert change(site, site.version, is_pinned="on").status_code == 302
    assert resolve(site.people["submitter"], {"pipeline": "hello"}).version == site.version
    assert "hello</a></h2>" in (text := page(site.client("viewer"), "/pipelines/"))
    assert '<span class="tag">1.0</span>' in text
    api = site.client("viewer").get("/api/v1/pipelines/hello/").json()
    assert api["latest"] == "1.0"
    assert (
        site.client("viewer").get("/api/v1/pipelines/hello/versions/latest/").json()["version"]
        == "1.0"
    )


def test_settings_that_contradict_each_other(site: Site) -> None:
    answer = change(site, site.version, is_pinned="on", is_development="on")
    assert answer.status_code == 400 and "cannot be the latest" in answer.content.decode()
    answer = change(site, site.version, default_system=make_system().pk)
    assert (
        answer.status_code == 400
        and "one of the systems that are ticked" in answer.content.decode()
    )


# --- the catalogue --------------------------------------------------------------------------------


def test_the_list_is_searched_and_tells_how_pipelines_fare(site: Site) -> None:
    make_version("other", system=site.account.system)
    UsageDay.objects.create(
        key="k", day=timezone.now().date(), lab=site.lab, submitter=site.people["submitter"],
        pipeline=site.version.pipeline, system=site.account.system, runs=5, succeeded=3, failed=1,
    )  # fmt: skip
    text = page(site.client("manager"), "/pipelines/?q=hel")
    assert "hello</a>" in text and "other</a>" not in text
    assert "5 runs" in text and "75 % succeeded" in text
    assert "No pipeline matches that search." in page(
        site.client("manager"), "/pipelines/?q=nothing-like-it"
    )


def test_the_list_s_queries_do_not_grow(site: Site) -> None:
    client = site.client("viewer")

    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as found:
            page(client, address)
        return len(found)

    count("/pipelines/")
    few = count("/pipelines/"), count("/systems/")
    for _ in range(10):
        account = make_account()
        make_version(system=account.system)
        SystemQueue.objects.create(system=account.system, name="q", at=timezone.now())
    assert (count("/pipelines/"), count("/systems/")) == few


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,<script>)",
        "[a](vbscript:x)",
        "<a href='javascript:x'>",
        '![x](http://elsewhere.example/"onload="x)',
        "[a]: javascript:alert(1)\n\n[a]",
        "<javascript:alert(1)>",
        "```<script>\n</script>\n```",
        "| <b> |\n|---|\n| <script> |",
    ],
)
def test_documentation_does_no_harm(text: str) -> None:
    html = rendered(text)
    tags = set(re.findall(r"<\s*([a-zA-Z0-9]+)", html))
    assert tags <= {
        "p",
        "a",
        "code",
        "pre",
        "h3",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "em",
        "strong",
    }
    for attribute in re.findall(r"<[^>]*>", html):
        assert "onerror" not in attribute and "onload" not in attribute.replace(
            "&quot;onload", ""
        ).replace("%22onload", "")
        assert not re.search(r"href=\"(javascript|data|vbscript):", attribute)


def test_documentation_shows_no_pictures_and_no_turned_text() -> None:
    html = rendered("![a cat](https://elsewhere.example/cat.png) and \u202egnp.exe")
    assert "<img" not in html and 'href="https://elsewhere.example/cat.png"' in html
    assert "\u202e" not in html
    assert "<h3>" in rendered("# One") and "<h6>" in rendered("###### Six")


# --- systems --------------------------------------------------------------------------------------

QUEUE = QueueInfo("part01", True, "up", timedelta(hours=2), 4, 3, 32, 24, 64000, 14, 4)


def test_queues_are_shown_with_their_age(site: Site) -> None:
    queues.store(site.account.system, [QUEUE])
    for address in ("/systems/", "/systems/cluster/"):
        text = page(site.client("viewer"), address)
        assert "part01" in text and "24 / 32" in text and ">14<" in text and "As of" in text
    assert "2 h 00 min" in text
    queues.store(site.account.system, [QueueInfo("part02", False, "down", None, 1, 0, 8, 0)])
    assert list(SystemQueue.objects.values_list("name", flat=True)) == ["part02"]


def test_a_system_that_does_not_answer_keeps_what_was_known(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues.store(site.account.system, [QUEUE])

    def away(_: Any) -> None:
        raise ConnectFailed("no route")

    monkeypatch.setattr(queues, "client_for", away)
    assert queues.collect(site.account.pk) is False
    assert SystemQueue.objects.count() == 1


def test_queues_of_this_machine_are_collected(site: Site, tmp_path: Any) -> None:
    account = make_account(make_system(scheduler_options={"spool": str(tmp_path)}))
    assert queues.collect(account.pk) is True
    queue = SystemQueue.objects.get(system=account.system)
    assert queue.cpus_total > 0 and queue.jobs_running == 0


def test_who_is_rung_for_queues(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, account: rung.append((task, account)))
    make_account(make_system(health=HealthState.DOWN))
    make_account(make_system(enabled=False))
    queues.sweep()
    assert (dispatch.QUEUES_OF, site.account.pk) in rung
    assert len(rung) == len({*rung})
    rung.clear()
    for system_id in {site.account.system_id}:
        SystemQueue.objects.create(system_id=system_id, name="q", at=timezone.now())
    queues.sweep()
    assert (dispatch.QUEUES_OF, site.account.pk) not in rung


def test_maintenance_is_announced_changed_and_ended(site: Site) -> None:
    client = site.client("administrator")
    now = timezone.now()
    form = {
        "system": site.account.system.pk,
        "starts_at": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "ends_at": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "text": "<b>New</b> disks",
        "holds_runs": "on",
    }
    assert client.post("/maintenance/", form).status_code == 302
    one = Maintenance.objects.get()
    for address in ("/", "/runs/", "/systems/"):
        text = page(site.client("viewer"), address)
        assert f'data-maintenance="{one.pk}"' in text and "&lt;b&gt;New&lt;/b&gt; disks" in text
    assert "in maintenance" in text
    assert client.post(f"/maintenance/{one.pk}/", {**form, "text": "Cables"}).status_code == 302
    assert "Cables" in page(site.client("viewer"), "/")
    wrong = client.post("/maintenance/", {**form, "ends_at": form["starts_at"]})
    assert wrong.status_code == 400 and "after the beginning" in wrong.content.decode()
    assert client.post(f"/maintenance/{one.pk}/end/").status_code == 302
    assert "data-maintenance" not in page(site.client("viewer"), "/")
    assert "over" in page(client, "/maintenance/")


def test_somebody_without_the_system_hears_nothing(site: Site) -> None:
    system = make_system("elsewhere")
    one = Maintenance(
        system=system, starts_at=timezone.now() - timedelta(hours=1), text="secret system"
    )
    maintenance.announce(one, site.people["administrator"])
    assert "secret system" not in page(site.client("viewer"), "/")
    assert "secret system" in page(site.client("administrator"), "/")


# --- the test button ------------------------------------------------------------------------------


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(
        dispatch, "ring_on_commit", lambda task, account: calls.append((task, account))
    )
    return calls


def test_a_test_is_asked_for_made_by_a_worker_and_followed(
    site: Site, rung: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = site.client("administrator")
    asked = client.post("/systems/cluster/test/")
    assert asked.status_code == 302
    assert rung == [(dispatch.CHECK, site.account.pk)]
    assert client.post("/systems/cluster/test/").url == asked.url, "one at a time"
    text = page(client, asked.url)
    assert "Checking…" in text and 'hx-trigger="every 1s"' in text
    steps = [
        Step("resolve", True, "it is 10.0.0.1"),
        Step("connect", False, "<i>refused</i>", "check the firewall"),
    ]
    monkeypatch.setattr(system_check, "check_account", lambda _: iter(steps))
    system_check.work(site.account.pk)
    text = page(client, asked.url)
    assert (
        'data-step="connect" data-outcome="failed"' in text and "&lt;i&gt;refused&lt;/i&gt;" in text
    )
    assert "What to do: check the firewall." in " ".join(text.split())
    assert "hx-trigger" not in text.split('id="steps"')[1].split("</ol>")[0]
    assert "Last test" in page(client, "/systems/cluster/")
    assert "Last test" not in page(site.client("manager"), "/systems/cluster/")


def test_a_test_that_nobody_takes_and_one_that_broke_off(
    site: Site, rung: list[tuple[str, int]]
) -> None:
    client = site.client("administrator")
    address = client.post("/systems/cluster/test/").url
    SystemCheck.objects.update(asked_at=timezone.now() - timedelta(seconds=30))
    assert "No worker has taken the check yet" in page(client, address)
    SystemCheck.objects.update(
        asked_at=timezone.now() - timedelta(minutes=5), begun_at=timezone.now()
    )
    assert "its worker was ended" in page(client, address)


def test_a_check_is_bounded_and_never_lost(
    site: Site, rung: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_: Any) -> Any:
        while True:
            yield Step("again", True, "x")

    monkeypatch.setattr(system_check, "check_account", endless)
    monkeypatch.setattr(system_check, "DEADLINE_SECONDS", 0.05)
    check = system_check.begin(site.account, site.people["administrator"])
    system_check.work(site.account.pk)
    check.refresh_from_db()
    assert check.ended_at is not None and "answers too slowly" in check.fault

    def broken(_: Any) -> Any:
        raise RuntimeError("surprise")

    monkeypatch.setattr(system_check, "check_account", broken)
    check = system_check.begin(site.account, site.people["administrator"])
    system_check.work(site.account.pk)
    check.refresh_from_db()
    assert check.fault == "surprise"


def test_an_account_that_is_not_there(site: Site, rung: list[tuple[str, int]]) -> None:
    for wanted in ("999999", "x", "9" * 40):
        answer = site.client("administrator").post("/systems/cluster/test/", {"account": wanted})
        assert answer.status_code == 400 and "no such account" in answer.content.decode()
