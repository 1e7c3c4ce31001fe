"""The plan on the submit page, in a real browser; the engine's own answers are tested elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from pipeline_management.models import Run
from pipeline_management.services.engines import planning
from pipeline_management.services.engines.plans import Plan, PlannedTask
from tests.factories import make_version

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "390": {"viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(autouse=True)
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [f"align_exome_of_patient_{number:02}" for number in range(6)]
    tasks = [PlannedTask(name, (), 16, 65536, 7200) for name in samples]
    tasks.append(PlannedTask("merge", tuple(samples), 1))
    warnings = ("tasks is empty: every optional task is on, as the pipeline's author set it.",)

    def plan_for(*_: Any, **__: Any) -> Plan:
        time.sleep(1.0)
        return Plan(tuple(tasks), 192.0, warnings, 3)

    monkeypatch.setattr(planning, "plan_for", plan_for)


@pytest.mark.parametrize("look", LOOKS)
def test_a_plan_is_made_on_demand(open_as: Open, site: Site, look: str) -> None:
    version = make_version(
        "tempe", "1.0", system=site.account.system, engine="jetstream", schema={}
    )
    page = open_as("submitter", f"/submit/?pipeline={version.pipeline.name}", **LOOKS[look])
    wait = page.locator("#plan-wait")
    expect(wait).to_be_hidden()
    page.click("#plan-button")
    expect(wait).to_be_visible()
    expect(page.locator("#plan-summary")).to_contain_text("7 tasks")
    expect(wait).to_be_hidden()
    expect(page.locator("#plan")).to_contain_text("3 more are done already and kept")
    expect(page.locator("#plan")).to_contain_text("every optional task is on")
    expect(page.locator("#plan-tasks tbody tr")).to_have_count(7)
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert page.evaluate(wider) is False
    assert Run.objects.count() == 0
