"""The pictures of the side of managers and administrators: where each is, and what is done before it is taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from django.utils import timezone

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.demo import Demo

Act = Callable[["Page"], Any]
_made: dict[str, Any] = {}
GOOD = [
    ("Name", "gemini.example.org is 192.0.2.17"), ("Port", "22 answers in 4 ms"),
    ("Host key", "ed25519, as stored"), ("Login", "svc-centro, with the key “centro”"),
    ("Command", "bash answers in 31 ms"), ("Scheduler", "slurm 22.05.8"),
    ("Run directories", "/scratch/svc-centro/centro is writable, 3.1 TB are free"),
]  # fmt: skip


def prepare(demo: Demo) -> None:
    """Checks, announcements, a second budget that is used up, and somebody without anything."""
    from django.test import Client

    from pipeline_management.choices import RunState
    from pipeline_management.models import Budget, Maintenance, SystemCheck
    from pipeline_management.services.control import settling
    from tests.factories import make_lab, make_run, make_user

    now = timezone.now()
    make_lab("proteomics", dora="submitter")
    Budget.objects.create(lab=demo.imaging, core_hours=60)
    good = [{"name": name, "outcome": "ok", "found": found, "advice": ""} for name, found in GOOD]
    bad = [{**step, "found": step["found"].replace("gemini", "atlas")} for step in good[:3]]
    bad += [{"name": "Login", "outcome": "failed", "found": "the key was refused for svc-centro",
                       "advice": "Put the public part of “centro” into svc-centro's authorized_keys"}]  # fmt: skip
    for name, account, steps in (("good", demo.gemini, good), ("bad", demo.atlas, bad)):
        _made[name] = SystemCheck.objects.create(account=account, asked_by=demo.administrator, begun_at=now,
                                                 ended_at=now, steps=steps)  # fmt: skip
    lost = {"lab": demo.genomics, "submitter": demo.bob, "version": demo.phoenix, "account": demo.gemini,
            "attention": "STALE", "attention_since": now - timedelta(days=2), "started_at": now - timedelta(days=3),
            "attention_text": "Neither queue nor accounting knows the job; its directory says nothing"}  # fmt: skip
    _made["lost"] = make_run(state=RunState.RUNNING, name="COLO829 tumour/normal", job_id="47311", **lost)
    _made["settled"] = make_run(state=RunState.RUNNING, name="MMRF_1021", job_id="47298", **lost)
    reason = "The node c014 was taken away with the job; nothing of its output can be used."
    settling.settle(run=_made["settled"], user=demo.administrator, outcome="failed", reason=reason)
    _made["maintenance"] = (Maintenance, demo, now)
    for person in (demo.administrator, make_user("newcomer")):
        client = Client()
        client.force_login(person)
        _made[person.username] = client.cookies["sessionid"].value


def addresses(demo: Demo) -> dict[str, str]:
    """The name of each picture and the page on it; the acts go on to those that alice may not see."""
    return {
        "system-test-good": "/", "system-test-bad": "/", "system-away": "/systems/atlas/",
        "maintenance": "/", "systems-maintenance": "/", "submit-maintenance": "/",
        "usage-table": "/usage/?group=pipeline", "usage-people": "/usage/?group=person",
        "budget": "/usage/budgets/genomics/", "budget-over": "/", "usage-over": "/",
        "dashboard-empty": "/", "usage-empty": "/", "systems-empty": "/", "transfers-empty": "/",
        "forbidden": "/", "error": "/", "admin": "/", "settle": "/", "settled": "/",
    }  # fmt: skip


def _as(person: str, address: str, then: Act | None = None) -> Act:
    """Look at a page as somebody else; the next picture is alice's again."""

    def act(page: Page) -> None:
        before = [cookie for cookie in page.context.cookies() if cookie["name"] == "sessionid"]
        page.context.add_cookies([{**before[0], "value": _made[person]}])  # type: ignore[list-item]  # a SetCookieParam
        page.goto(address.format(**{name: getattr(made, "pk", "") for name, made in _made.items()}))
        page.wait_for_timeout(500)
        if then is not None:
            then(page)
        page.context.add_cookies(before)  # type: ignore[arg-type]  # the same fields

    return act


def _announced(person: str, address: str) -> Act:
    """Look at a page while one maintenance lasts and another is ahead."""

    def act(page: Page) -> None:
        from django.core.cache import cache

        model, demo, now = _made["maintenance"]
        rows = [
            model.objects.create(system=demo.gemini.system, starts_at=now - timedelta(hours=1),
                                 ends_at=now + timedelta(hours=5), text="New disks for /scratch."),
            model.objects.create(starts_at=now + timedelta(days=3), text="The network is renewed.",
                                 ends_at=now + timedelta(days=3, hours=2)),
        ]  # fmt: skip
        cache.clear()
        _as(person, address)(page)
        for row in rows:
            row.delete()
        cache.clear()

    return act


def _error(page: Page) -> None:
    """The answer to a fault in Centro, without Django's page for developers."""
    with patch(
        "pipeline_management.views.notifications.render",
        side_effect=RuntimeError("for the picture"),
    ):
        page.goto("/notifications/")


def _table(page: Page) -> None:
    page.evaluate("document.getElementById('usage-table').closest('section').scrollIntoView()")


ACTS: dict[str, Act] = {
    "system-test-good": _as("admin", "/systems/gemini/test/{good}/"),
    "system-test-bad": _as("admin", "/systems/atlas/test/{bad}/"),
    "maintenance": _announced("admin", "/maintenance/"),
    "systems-maintenance": _announced("admin", "/systems/"),
    "submit-maintenance": _announced("admin", "/submit/?pipeline=phoenix"),
    "usage-table": _table, "usage-people": _table,
    "budget-over": _as("admin", "/usage/budgets/imaging/"), "usage-over": _as("admin", "/usage/"),
    **{f"{name}-empty": _as("newcomer", address) for name, address in
       (("dashboard", "/"), ("usage", "/usage/"), ("systems", "/systems/"), ("transfers", "/transfers/"))},
    "settle": _as("admin", "/runs/{lost}/settle/"), "settled": _as("admin", "/runs/{settled}/"),
    "forbidden": _as("newcomer", "/maintenance/"), "error": _error, "admin": _as("admin", "/admin/"),
}  # fmt: skip
"""What is done on a page before its picture is taken."""
