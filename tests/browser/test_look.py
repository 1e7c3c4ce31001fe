"""What holds for every page: colours, widths, keyboard, labels, contrast, and nothing inline or from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.oauth.clients import create_client
from pipeline_management.choices import Attention, HealthState, RunState
from pipeline_management.models import RunLog
from tests.factories import make_user

if TYPE_CHECKING:
    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser

# Every visible text against the nearest opaque background: WCAG 2.1 asks for 4.5, for large text 3.
CONTRAST = """() => {
  const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); };
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = text => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat([1]);
  const background = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest(".visually-hidden, .ace_editor, [disabled]")) continue;
    if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    const style = getComputedStyle(element);
    const under = background(element);
    const text = over(parse(style.color), under);
    const [high, low] = [light(text), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(ratio.toFixed(2) + " " + walker.currentNode.data.trim().slice(0, 40));
  }
  return faults;
}"""

# Form fields with a label, pictures with a text, one first heading, ids once, buttons and links with a name.
STRUCTURE = """() => {
  const faults = [];
  const name = e => (e.getAttribute("aria-label") || e.textContent || e.title || "").trim();
  document.querySelectorAll("input:not([type=hidden], [type=submit]), select, textarea").forEach(e => {
    if (!e.closest(".ace_editor") && !e.labels.length && !e.getAttribute("aria-label")) faults.push("label " + e.name);
  });
  document.querySelectorAll("img:not([alt])").forEach(e => faults.push("alt " + e.src));
  document.querySelectorAll("button, a[href], summary").forEach(e => {
    if (!name(e)) faults.push("name " + e.outerHTML.slice(0, 80));
  });
  if (document.querySelectorAll("h1").length !== 1) faults.push("h1");
  if (!document.documentElement.lang) faults.push("lang");
  const ids = Array.from(document.querySelectorAll("[id]"), e => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => faults.push("id " + id));
  document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls]").forEach(e => {
    for (const key of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
      (e.getAttribute(key) || "").split(" ").filter(Boolean).forEach(id => {
        if (!document.getElementById(id)) faults.push(key + " " + id);
      });
    }
  });
  return faults;
}"""


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps people from using the page; the editor's own text area is not ours."""
    found = Axe().run(page, context={"exclude": [[".ace_editor"]]}).response["violations"]
    return [
        f"{fault['id']} {node['target']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def settled(page: Page) -> None:
    """Until scripts had their time and no check is awaited, whose answer would be exchanged under axe-core."""
    page.wait_for_timeout(200)
    expect(page.locator(".check-busy")).to_have_count(0)


WIDTHS = "() => [document.documentElement.scrollWidth, window.innerWidth]"


def looked_over(page: Page) -> list[Any]:
    """What is wrong with the page that is open: contrast, structure, axe-core's serious findings, its width."""
    settled(page)
    wide, inner = page.evaluate(WIDTHS)
    found = page.evaluate(CONTRAST) + page.evaluate(STRUCTURE) + serious(page)
    return [*found, wide] if wide > inner else list(found)


@pytest.fixture
def addresses(site: Site) -> dict[str, str]:
    """One address of every page, with rows in many states and long words in them."""
    long = "a_very_long_name_without_any_blank_in_it_" * 4
    system = site.account.system
    system.health, system.health_reason, system.description = HealthState.DOWN, long, "The cluster"
    system.save()
    create_client(site.people["manager"], long[:100])
    for state in RunState:
        site.run(state=state, name=f"{state.label} run")
    failed = site.run(state=RunState.FAILED, name=long, reason="EXIT_NONZERO", exit_code=3, reason_text=long,
                      job_id="123456789", nodes=long, configuration={"pipeline": "hello", "name": long})
    stuck = site.run(state=RunState.SUBMITTED, attention=Attention.CLUSTER_DOWN, attention_text=long,
                     name="stuck")
    for stream in ("stdout", "stderr"):
        RunLog.objects.create(run=failed, stream=stream, size=4000, data=b"x" * 4000,
                              collected_at=failed.created_at)
    return {
        "dashboard": "/", "runs": "/runs/", "filtered": "/runs/?state=failed&system=nope", "none": "/runs/?text=zz",
        "failed": f"/runs/{failed.pk}/", "stuck": f"/runs/{stuck.pk}/", "cancel": f"/runs/{stuck.pk}/cancel/",
        "log": f"/runs/{failed.pk}/log/", "tasks": f"/runs/{failed.pk}/tasks/",
        "configuration": f"/runs/{failed.pk}/configuration/", "run-usage": f"/runs/{failed.pk}/usage/",
        "events": f"/runs/{failed.pk}/events/", "compare": f"/runs/compare/?a={failed.pk}&b={stuck.pk}",
        "causes": "/runs/?group=cause", "usage": "/usage/", "files": "/files/", "transfers": "/transfers/",
        "notifications": "/notifications/", "submit": "/submit/?pipeline=hello", "pipelines": "/pipelines/",
        "pipeline": "/pipelines/hello/", "systems": "/systems/", "system": "/systems/cluster/",
        "tokens": "/accounts/tokens/", "clients": "/accounts/clients/",
        "password": "/accounts/password/", "docs": "/api/v1/docs/",
    }  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_readable_and_well_built(
    open_as: Open, watch: Watch, addresses: dict[str, str], scheme: Any
) -> None:
    page = open_as("manager", "/", color_scheme=scheme)
    faults = {}
    for name, address in addresses.items():
        page.goto(address)
        settled(page)
        assert page.locator("html").get_attribute("data-bs-theme") == scheme
        found = page.evaluate(CONTRAST) + page.evaluate(STRUCTURE) + serious(page)
        if found:
            faults[name] = found
    assert faults == {}


@pytest.mark.parametrize("width", [390, 768, 1280, 2560])
def test_no_page_is_wider_than_its_window(
    open_as: Open, addresses: dict[str, str], width: int
) -> None:
    page = open_as("manager", "/", viewport={"width": width, "height": 844})
    faults = {}
    for name, address in addresses.items():
        page.goto(address)
        settled(page)
        wide, inner = page.evaluate(WIDTHS)
        if wide > inner:
            faults[name] = wide
    assert faults == {}


def test_the_colours_follow_the_computer_until_one_is_chosen(open_as: Open) -> None:
    page = open_as("viewer", "/", color_scheme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-bs-theme", "light")
    button = page.locator("#theme-button")
    button.click()
    button.click()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    expect(button).to_have_attribute("title", "Colours: dark")
    page.goto("/runs/")
    expect(root).to_have_attribute("data-bs-theme", "dark")


def test_the_keyboard_reaches_everything_of_the_frame(open_as: Open) -> None:
    page = open_as("viewer", "/runs/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    summary = page.locator("#user-menu > summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Access tokens")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Access tokens")).to_be_hidden()
    outline = summary.evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline != "none"


def test_one_logs_in_looks_around_and_logs_out(open_as: Open, site: Site) -> None:
    make_user("newcomer", password="a-long-password-1")
    page = open_as(None, "/runs/")
    page.wait_for_url("**/accounts/login/?next=/runs/")
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("Password").fill("a-long-password-1")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/runs/")
    expect(page.locator("main")).to_contain_text("No runs yet")
    page.locator("#user-menu > summary").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/accounts/login/**")


def test_a_page_that_is_not_there_looks_like_one_of_ours(open_as: Open, watch: Watch) -> None:
    watch.expected = ("404",)
    page = open_as("viewer", "/nothing/")
    expect(page.locator("h1")).to_have_text("There is nothing here")
    page.get_by_role("link", name="To the dashboard").click()
    expect(page.locator("h1")).to_have_text("Dashboard")
