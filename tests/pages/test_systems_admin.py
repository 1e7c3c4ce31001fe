"""Queues, announced maintenance and tests of systems, on their pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hpc.errors import ConnectFailed
from hpc.jobs import QueueInfo
from pipeline_management.choices import HealthState
from pipeline_management.models import (
    Maintenance,
    SystemCheck,
    SystemQueue,
)
from pipeline_management.services import dispatch, maintenance, queues, system_check
from pipeline_management.services.site.check_steps import Step
from tests.factories import make_account, make_system
from tests.pages.site import Site


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


# --- systems --------------------------------------------------------------------------------------

QUEUE = QueueInfo("part01", True, "up", timedelta(hours=2), 4, 3, 32, 24, 64000, 14, 4)


def test_queues_are_shown_with_their_age(site: Site) -> None:
    queues.store(site.account.system, [QUEUE])
    for address in ("/systems/", "/systems/cluster/"):
        text = page(site.client("viewer"), address)
        assert "part01" in text and "24 / 32" in text and ">14<" in text and "Asked" in text
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
