"""Large files by the page, in a real Chromium: straight to the store in parts, with a pause in the middle."""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, expect

from pipeline_management.models import Transfer
from tests.factories import make_account

if TYPE_CHECKING:
    from tests.browser.conftest import Open
    from tests.pages.site import Site

pytestmark = pytest.mark.browser
MIB = 1024 * 1024


@pytest.fixture
def home(site: Site, settings: Any, live_server: Any, tmp_path: Path) -> Iterator[Path]:
    """Where the submitter's files go, on a system that is this machine; the store is Centro itself."""
    settings.CENTRO_PUBLIC_URL = live_server.url
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"path": tmp_path / "staging"}
    make_account(site.account.system, site.people["submitter"], username=getpass.getuser())
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder


def make(path: Path, size: int) -> str:
    """A file of random bytes; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            piece = os.urandom(min(MIB, size - start))
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def staged(name: str) -> tuple[str, Transfer]:
    """The SHA-256 of what the store got, and the transfer."""
    from pipeline_management.services.transfers.area import area

    transfer = Transfer.objects.get(path__endswith=f"/{name}", state="queued")
    digest = hashlib.sha256()
    with area().reader(transfer.key) as source:
        while piece := source.read(MIB):
            digest.update(piece)
    return digest.hexdigest(), transfer


def opened(open_as: Open, home: Path) -> Page:
    page = open_as("submitter", "/transfers/")
    page.get_by_label("Directory on the system").fill(str(home))
    return page


def wait_for_share(page: Page, share: float) -> None:
    """Until the bar of the only upload shows more than this."""
    bar = page.locator(".upload progress")
    for _ in range(600):
        if bar.evaluate("bar => bar.value") > share:
            return
        page.wait_for_timeout(30)
    raise AssertionError("the bar did not move on")


def test_60_mb_with_a_pause_in_the_middle(open_as: Open, home: Path, tmp_path: Path) -> None:
    expected = make(tmp_path / "reads.bin", 60 * MIB)
    page = opened(open_as, home)
    sent: list[str] = []

    def count(route: Route) -> None:
        sent.append(route.request.url)
        if "part=4&" not in route.request.url or len(sent) > 4:
            route.continue_()  # the last part hangs, so that the pause is in the middle

    page.route("**/staging/**", count)
    page.locator("#upload-files").set_input_files(tmp_path / "reads.bin")
    row = page.locator(".upload")
    wait_for_share(page, 0.5)
    row.get_by_role("button", name="Pause").click()
    expect(row).to_have_attribute("data-state", "paused")
    page.wait_for_timeout(700)
    before = len(sent)
    assert Transfer.objects.get().state == "awaiting"
    page.wait_for_timeout(700)
    assert len(sent) == before, "nothing is sent during a pause"
    row.get_by_role("button", name="Resume").click()
    expect(row).to_have_attribute("data-state", "sent", timeout=60_000)
    found, transfer = staged("reads.bin")
    assert (found, transfer.size) == (expected, 60 * MIB)
    expect(page.locator("#transfers-live")).to_contain_text("reads.bin")


def test_an_upload_goes_on_after_the_page_was_loaded_again(
    open_as: Open, home: Path, tmp_path: Path
) -> None:
    expected = make(tmp_path / "again.bin", 50 * MIB)
    page = opened(open_as, home)
    page.route("**/staging/**part=3&**", lambda route: None)  # never answered: the upload hangs there
    page.locator("#upload-files").set_input_files(tmp_path / "again.bin")
    wait_for_share(page, 0.6)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".upload").get_by_role("button", name="Pause").click()
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    page.get_by_label("Directory on the system").fill(str(home))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.locator("#upload-files").set_input_files(tmp_path / "again.bin")
    expect(page.locator(".upload")).to_have_attribute("data-state", "sent", timeout=60_000)
    assert staged("again.bin")[0] == expected
    parts = [url for url in sent if "/staging/" in url]
    assert len(parts) < 4, "parts that had arrived are not sent again"


def test_several_files_and_a_folder(open_as: Open, home: Path, tmp_path: Path) -> None:
    sums = {name: make(tmp_path / "tree" / name, size) for name, size in {
        "a.txt": 10, "empty": 0, "sub dir/b.txt": 20, "sub dir/deeper/c.txt": 30, "d.txt": 40,
    }.items()}  # fmt: skip
    page = opened(open_as, home)
    page.locator("#upload-tree").set_input_files(tmp_path / "tree")
    rows = page.locator('.upload[data-state="sent"]')
    expect(rows).to_have_count(len(sums), timeout=30_000)
    for name, expected in sums.items():
        found, transfer = staged(f"tree/{name}")
        assert (found, transfer.path) == (expected, f"{home}/tree/{name}")
    assert (home / "tree" / "sub dir" / "deeper").is_dir()


def test_files_are_dropped(open_as: Open, home: Path) -> None:
    page = opened(open_as, home)
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["one"], "one.txt"));
            data.items.add(new File(["two"], "two.txt"));
            const zone = document.getElementById("upload-zone");
            zone.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.locator('.upload[data-state="sent"]')).to_have_count(2, timeout=20_000)
    assert staged("two.txt")[0] == hashlib.sha256(b"two").hexdigest()


def test_what_is_refused_is_told_at_the_file(open_as: Open, home: Path, watch: Any) -> None:
    watch.expected = ("400 (Bad Request)",)
    page = open_as("submitter", "/transfers/")
    page.get_by_role("button", name="Choose files").click()
    assert page.locator("#upload-folder").evaluate("e => e.validationMessage") != ""
    page.get_by_label("Directory on the system").fill(str(home / "none"))
    upload = {"name": "x.txt", "mimeType": "text/plain", "buffer": b"x"}
    page.locator("#upload-files").set_input_files(upload)
    row = page.locator(".upload")
    expect(row).to_have_attribute("data-state", "failed")
    expect(row.locator(".upload-note")).to_contain_text("no such directory")
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_a_broken_connection_is_tried_again(open_as: Open, home: Path, watch: Any) -> None:
    watch.expected = ("ERR_CONNECTION_RESET",)
    page = opened(open_as, home)
    failures = [1, 2]

    def break_twice(route: Route) -> None:
        if failures:
            failures.pop()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/staging/**", break_twice)
    upload = {"name": "x.txt", "mimeType": "text/plain", "buffer": b"x" * 1000}
    page.locator("#upload-files").set_input_files(upload)
    expect(page.locator(".upload")).to_have_attribute("data-state", "sent", timeout=30_000)
    assert staged("x.txt")[0] == hashlib.sha256(b"x" * 1000).hexdigest()


def test_removing_an_unfinished_upload_cancels_it(open_as: Open, home: Path) -> None:
    page = opened(open_as, home)
    page.route("**/staging/**", lambda route: None)
    upload = {"name": "x.txt", "mimeType": "text/plain", "buffer": b"x"}
    page.locator("#upload-files").set_input_files(upload)
    row = page.locator(".upload")
    expect(row).to_have_attribute("data-state", "sending")
    page.wait_for_timeout(500)
    row.get_by_role("button", name="Remove").click()
    expect(page.locator('#transfers-live tr[data-state="cancelled"]')).to_have_count(1)
    assert Transfer.objects.get().state == "cancelled"
