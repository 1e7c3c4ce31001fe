"""The file browser in a real Chromium: looking, uploading, renaming; and a report that tries to break out."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.factories import make_account

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

# everything that a hostile report could try, each attempt told in the report's own text
REPORT = """<!doctype html><h1>Report</h1><p id="ran">no script</p><ul id="log"></ul><script>
const log = (name, value) => { const li = document.createElement("li"); li.textContent = name + ": " + value;
  document.getElementById("log").append(li); };
document.getElementById("ran").textContent = "its own script runs";
const attempt = (name, what) => { try { log(name, "GOT " + what()); } catch (error) { log(name, "refused"); } };
attempt("cookie", () => document.cookie);
attempt("storage", () => localStorage.length);
attempt("parent", () => parent.document.title);
attempt("top", () => { top.location.href = "/accounts/login/"; return "moved"; });
attempt("popup", () => { if (!open("/runs/")) throw new Error("none"); return "opened"; });
attempt("origin", () => { if (origin === "null") throw new Error("none"); return origin; });
fetch("/api/v1/whoami/").then(() => log("fetch", "GOT it"), () => log("fetch", "refused"));
const image = new Image(); image.onerror = () => log("image", "refused"); image.onload = () => log("image", "GOT it");
image.src = "/static/img/logo.svg";
const form = document.createElement("form"); form.action = "/runs/"; document.body.append(form);
attempt("form", () => { form.submit(); throw new Error("none"); });
</script>"""


@pytest.fixture
def home(site: Site, tmp_path: Path) -> Path:
    make_account(site.account.system, site.people["submitter"], username=getpass.getuser())
    folder = tmp_path / "home"
    (folder / "results-1").mkdir(parents=True)
    (folder / "results-1/notes.txt").write_text("some notes\n")
    (folder / "report.html").write_text(REPORT)
    return folder


def test_looking_uploading_renaming_and_back(open_as: Open, home: Path, tmp_path: Path) -> None:
    page = open_as("submitter", f"/files/cluster{home}")
    page.get_by_role("link", name="results-1").click()
    expect(page.get_by_role("link", name="notes.txt")).to_be_visible()
    assert page.url.endswith(f"{home}/results-1")
    (tmp_path / "reads.txt").write_text("of this computer")
    page.get_by_label("Files", exact=True).set_input_files(tmp_path / "reads.txt")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("link", name="reads.txt").click()
    expect(page.locator(".preview-text")).to_have_text("of this computer")
    page.get_by_text("Rename or move").click()
    page.get_by_label("New name, or absolute path").fill("mine.txt")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text("It is mine.txt now.")).to_be_visible()
    assert (home / "results-1/mine.txt").read_text() == "of this computer"
    page.get_by_role("link", name="results-1").click()
    expect(page.get_by_role("link", name="mine.txt")).to_be_visible()
    page.go_back()
    expect(page.locator(".preview-text")).to_have_text("of this computer")


def test_a_report_is_shown_and_reaches_nothing(open_as: Open, home: Path, watch: Any) -> None:
    watch.expected = ("Content Security Policy", "sandbox", "Blocked", "Unsafe attempt", "violates", "ERR_BLOCKED")
    page = open_as("submitter", f"/files/cluster{home}/report.html")
    frame = page.frame_locator(".preview-frame")
    expect(frame.locator("#ran")).to_have_text("its own script runs")
    expect(frame.locator("#log li")).to_have_count(9)
    told = frame.locator("#log li").all_text_contents()
    assert sorted(told) == sorted(
        f"{name}: refused"
        for name in ("cookie", "storage", "parent", "top", "popup", "origin", "fetch", "image", "form")
    )
    assert page.url.endswith("report.html") and len(page.context.pages) == 1
    expect(frame.locator("h1")).to_have_text("Report")


def test_without_scripts(open_as: Open, home: Path) -> None:
    page = open_as("submitter", f"/files/cluster{home}", java_script_enabled=False)
    page.get_by_role("link", name="results-1").click()
    page.get_by_role("link", name="notes.txt").click()
    expect(page.locator(".preview-text")).to_contain_text("some notes")
