"""The catalogue and the systems in Chromium: from an upload to the page of the version, and a test followed live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline_management.models import PipelineVersion
from pipeline_management.services import dispatch, system_check
from pipeline_management.services.site.check_steps import Step

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


def test_an_administrator_adds_a_version_and_tests_a_system(
    open_as: Open, watch: Watch, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.expected = ("status of 400",)  # the upload that is refused
    monkeypatch.setattr(dispatch, "ring_on_commit", lambda *_: None)
    part: dict[str, Any] = {
        "name": "fresh",
        "version": "1.0",
        "systems": ["clutser"],
        "labs": ["*"],
        "script": "true",
        "documentation": "# How to use it\n\n| key | meaning |\n|---|---|\n| a | b |\n",
    }
    file = tmp_path / "fresh.yaml"
    file.write_text(json.dumps(part))
    page = open_as("administrator", "/pipelines/")
    page.get_by_role("link", name="Add a version").click()
    page.get_by_label("YAML or zip file").set_input_files(file)
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("there is no system 'clutser'").wait_for()

    file.write_text(json.dumps(part | {"systems": ["cluster"]}))
    page.get_by_label("YAML or zip file").set_input_files(file)
    page.get_by_role("button", name="Check it").click()
    page.get_by_role("button", name="Store it").click()
    page.get_by_role("heading", name="How to use it").wait_for()
    assert PipelineVersion.objects.filter(pipeline__name="fresh").exists()

    page.goto(page.url.split("/pipelines/")[0] + "/systems/cluster/")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("Checking…").wait_for()
    steps = [
        Step("resolve", True, "it is 10.0.0.1"),
        Step("connect", False, "refused", "check the firewall"),
    ]
    monkeypatch.setattr(system_check, "check_account", lambda _: iter(steps))
    system_check.work(site.account.pk)
    page.get_by_text("What to do: check the firewall.").wait_for()
    page.get_by_text("The check is over.").wait_for()
