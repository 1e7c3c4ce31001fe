"""What ``test_look`` asks of every page, of those of managers and administrators; and that no page is left out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import resolve
from django.utils import timezone

from pipeline_management.choices import Attention, RunState
from pipeline_management.models import Budget, Maintenance, SystemCheck, Webhook
from pipeline_management.services.control import settling
from tests.api.expectations import ACCOUNTS, PAGES
from tests.browser import test_look
from tests.browser.test_look import looked_over

if TYPE_CHECKING:
    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser
addresses = test_look.addresses
LONG = "a_very_long_name_without_any_blank_in_it_" * 3
OTHER_SIDES = {"run-files", "run-file", "run-reports", "run-labels", "files-path", "pipeline-upload",
               "pipeline-upload-confirm", "accounts:sso-connect"}  # fmt: skip
"""Pages that ``test_look_run_side``, ``test_look_submit_side`` and ``test_sso`` look at."""
NO_PAGES = {
    "runs-export", "run-status", "run-head", "run-provenance", "run-waiting", "runs-suggestions", "usage-export",
    "submit-draft", "submit-workbook", "pipeline-schema", "pipeline-workbook", "file-content", "transfer-file",
    "logout", "accounts:sso", "accounts:sso-callback",
}  # fmt: skip
"""Addresses that answer with a file, with data, or with a part of a page that is looked at."""
THE_SAME = {"custom": "submit", "files-system": "files-path", "run-resume": "run-resubmit"}


@pytest.fixture
def admin_pages(site: Site) -> dict[str, str]:
    """One address of every page that managers and administrators have for themselves, with something on it."""
    now, administrator = timezone.now(), site.people["administrator"]
    steps = [{"name": name, "outcome": outcome, "found": LONG, "advice": LONG}
             for name, outcome in (("Name", "ok"), ("Port", "warning"), ("Login", "failed"))]  # fmt: skip
    check = SystemCheck.objects.create(
        account=site.account, asked_by=administrator, begun_at=now, ended_at=now, steps=steps
    )
    ahead = Maintenance.objects.create(starts_at=now + timedelta(days=1), text=LONG)
    Maintenance.objects.create(system=site.account.system, starts_at=now, text="New disks.")
    Budget.objects.create(lab=site.lab, core_hours=1)
    hook = Webhook.objects.create(lab=site.lab, url=f"https://example.org/{LONG}")
    run = site.run(state=RunState.FAILED, name="again")
    stuck = site.run(state=RunState.RUNNING, name=LONG, job_id="17", attention=Attention.STALE)
    settled = site.run(state=RunState.RUNNING, name="settled", attention=Attention.STALE)
    settling.settle(run=settled, user=administrator, outcome="failed", reason=LONG)
    return {
        "maintenance": "/maintenance/", "change": f"/maintenance/{ahead.pk}/",
        "test": f"/systems/cluster/test/{check.pk}/", "systems": "/systems/", "system": "/systems/cluster/",
        "budget": f"/usage/budgets/{site.lab.slug}/", "usage": "/usage/?group=pipeline",
        "settings": "/pipelines/hello/versions/1.0/settings/", "webhooks": f"/labs/{site.lab.slug}/webhooks/",
        "webhook": f"/labs/{site.lab.slug}/webhooks/{hook.pk}/", "again": f"/runs/{run.pk}/resubmit/",
        "settle": f"/runs/{stuck.pk}/settle/", "settled": f"/runs/{settled.pk}/",
        "missing": "/runs/nowhere/", "login": "/accounts/login/",
    }  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_administrators_side_is_readable_and_well_built(
    open_as: Open, watch: Watch, admin_pages: dict[str, str], scheme: Any, width: int
) -> None:
    # what is not there; and the failed run's configuration, which has to be mended first
    watch.expected = ("status of 404", "status of 400")
    page = open_as(
        "administrator", "/", color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    faults = {}
    for name, address in admin_pages.items():
        if name == "login":
            page.context.clear_cookies()
        page.goto(address)
        if found := looked_over(page):
            faults[name] = found
    assert faults == {}


def test_no_page_is_left_out(addresses: dict[str, str], admin_pages: dict[str, str]) -> None:
    there = {name for name, row in (PAGES | ACCOUNTS).items() if row.get} - NO_PAGES
    looked_at = {
        resolve(address.partition("?")[0]).view_name
        for address in [*addresses.values(), *admin_pages.values()]
        if address != admin_pages["missing"]
    }
    left = {THE_SAME.get(name, name) for name in there} - looked_at - OTHER_SIDES
    assert left == set()
