"""What people do at the pages: log in, submit, upload, download."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

from openpyxl import Workbook, load_workbook
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Watch
from tests.lab.sitefile import PASSWORDS
from tests.stack import LiveStack

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
RUN_PAGE = re.compile(r"/runs/[0-9a-f-]{36}/$")


@contextmanager
def logged_in(
    browser: Browser, stack: LiveStack, person: str, address: str = "/"
) -> Iterator[Page]:
    """A page of a new browser in which a person of the lab has logged in; at the end it must have had no fault."""
    watch = Watch(stack.base_url)
    context = browser.new_context(
        base_url=stack.base_url, viewport={"width": 1280, "height": 900}, locale="en-GB"
    )
    watch.context(context)
    page = context.new_page()
    page.goto(address)
    page.locator("#id_username").fill(person)
    page.locator("#id_password").fill(PASSWORDS[person])
    page.keyboard.press("Enter")
    expect(page.locator("#user-menu")).to_contain_text(person)
    try:
        yield page
    finally:
        context.close()
    assert watch.faults == []


def run_id_of(page: Page) -> str:
    """The id of the run whose page this is."""
    page.wait_for_url(RUN_PAGE, timeout=30_000)
    return page.url.rstrip("/").rpartition("/")[2]


def submit(page: Page, text: str) -> str:
    """Paste a configuration into the editor and submit it; returns the run's id."""
    page.goto("/custom/")
    page.get_by_role("tab", name="JSON").click()
    page.locator(".ace_text-input").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    page.locator("#submit-button").click()
    # What the system has against it, as files that are not there, is shown once; then it goes.
    anyway = page.get_by_role("button", name="Submit anyway")
    expect(anyway.or_(page.locator("#run-live")).first).to_be_visible(timeout=30_000)
    if anyway.count():
        anyway.click()
    found = run_id_of(page)
    stay(page)
    return found


def stay(page: Page) -> None:
    """Leave a sign on the page that a reload would take away."""
    page.evaluate("window.stayed = true")


def has_stayed(page: Page) -> bool:
    """Whether the page has not been loaded again since ``stay``."""
    return page.evaluate("window.stayed") is True


def upload(page: Page, data: bytes, name: str = "na12878.xlsx") -> None:
    """Choose a workbook in the tab "Workbook", which checks it at once."""
    page.locator("#workbook-file").set_input_files({"name": name, "mimeType": XLSX, "buffer": data})


def downloaded(page: Page, link: Locator) -> tuple[str, bytes]:
    """The name and the bytes of the file that a click brings."""
    with page.expect_download() as caught:
        link.click()
    return caught.value.suggested_filename, caught.value.path().read_bytes()


def book_of(data: bytes) -> Workbook:
    """A workbook from its bytes."""
    book: Workbook = load_workbook(io.BytesIO(data))
    return book


def bytes_of(book: Workbook) -> bytes:
    """A workbook as a person saves it."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
