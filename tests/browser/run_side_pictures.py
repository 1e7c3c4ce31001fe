"""The pictures of the side of the runs: where each is, and what is done on the page before it is taken."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import conftest

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.browser.demo import Demo
    from tests.browser.demo_run_side import RunSide

Act = Callable[["Page"], Any]
_made: list[RunSide] = []


def prepare(demo: Demo) -> None:
    """Add the rows and files."""
    from accounts.models import Credential, CredentialKind
    from tests.browser.demo_run_side import RunSide, png
    from tests.factories import make_account

    _made[:] = [RunSide(demo, Path(tempfile.mkdtemp(dir=conftest.STATE)))]
    (demo.results / "plot.png").write_bytes(png())
    demo.atlas.system.host_keys = [_key()[1]]
    demo.atlas.system.save()
    credential = Credential.objects.create(name="alice", kind=CredentialKind.KEY, secret=_key()[0])
    make_account(demo.atlas.system, demo.alice, credential=credential, username="alice")


def _key() -> tuple[str, str]:
    """A fresh private key and its public part."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.generate()
    private = made.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption()).decode()
    return private, made.public_key().public_bytes(
        s.Encoding.OpenSSH, s.PublicFormat.OpenSSH
    ).decode()


def addresses(demo: Demo) -> dict[str, str]:
    """The name of each picture and the page on it."""
    side = _made[0]
    notes = f"/files/local{demo.results}/notes.txt"
    at = {name: f"/runs/{run.pk}/" for name, run in side.runs.items()}
    return {
        "run-results": at["results"], "run-files": f"{at['results']}files/",
        "run-files-folder": f"{at['results']}files/results/",
        "run-files-none": f"/runs/{demo.runs['queued'].pk}/files/",
        "run-file-image": f"{at['results']}files/results/coverage.png",
        "run-file-report": f"{at['results']}files/results/quality.html",
        "run-reports": f"{at['results']}reports/", "run-reports-none": f"{at['begun']}reports/",
        **{f"run-{name}": at[name] for name in ("timeout", "vanished", "memory", "cancelled", "outside")},
        "run-notes": at["results"], "run-advice": f"{at['results']}usage/",
        "compare-tasks": f"/runs/compare/?a={side.runs['results'].pk}&b={side.runs['slower'].pk}",
        "runs-ticked": "/runs/", "runs-refusal": "/runs/", "runs-refused": "/runs/",
        "runs-labels": "/runs/?q=label:giab", "runs-no-hits": "/runs/?q=state:failed+nothing-of-this-name",
        "file-image": f"/files/local{demo.results}/plot.png",
        "file-pdf": f"/files/local{side.runs['results'].directory}/results/summary.pdf",
        "file-rename": notes, "file-rights": notes, "file-checksum": notes, "file-delete": notes,
        "folder-actions": f"/files/local{demo.results}/alignments", "files-away": "/files/atlas/",
        "transfers-moving": "/transfers/", "transfers-list": "/transfers/",
    }  # fmt: skip


def _tick(page: Page) -> None:
    """A run that waits, one that runs and one that is over."""
    for name in ("COLO829 tumour/normal", "COLO829 coverage", "MMRF_1021 coverage"):
        page.get_by_label(f"Choose {name}", exact=True).first.check()


def _ask_to_cancel(page: Page) -> None:
    _tick(page)
    page.locator("#many-cancel").click()
    page.wait_for_load_state()


def _hold(page: Page) -> None:
    _tick(page)
    page.locator("#many-hold").click()
    page.wait_for_load_state()


def _open(title: str) -> Act:
    def act(page: Page) -> None:
        page.locator("#files-part summary", has_text=title).click()
        page.locator("details[open].file-fold").scroll_into_view_if_needed()

    return act


def _checksum(page: Page) -> None:
    page.get_by_role("button", name="Checksum").click()
    page.wait_for_timeout(1500)


def _scroll(selector: str) -> Act:
    def act(page: Page) -> None:
        page.locator(selector).scroll_into_view_if_needed()
        page.evaluate("selector => document.querySelector(selector).scrollIntoView()", selector)

    return act


def _upload(page: Page) -> None:
    """Three files, of which one is on its way to a store that takes its last part never, one paused and one refused."""

    def begun(route: Route) -> None:
        body = route.request.post_data_json or {}
        if "refused" in str(body):
            detail = "/data is not writable for alice on orion."
            route.fulfill(status=400, json={"detail": detail})
        else:
            links: list[dict[str, Any]] = [
                {"number": number, "url": f"/staging/{number}/", "headers": {}}
                for number in (1, 2, 3)
            ]
            route.fulfill(status=201, json={"id": "0f0e", "part_size": 1 << 20, "links": links})

    def stored(route: Route) -> None:
        if "/3/" not in route.request.url:
            route.fulfill(status=200)

    page.route("**/api/v1/transfers/**", begun)
    page.route("**/staging/*/", stored)
    page.get_by_label("Directory on the system").fill("/data/reads")
    names = ("NA12878_R1.fastq.gz", "NA12878_R2.fastq.gz", "refused.bam")
    files: Any = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": b"x" * 3_000_000}
        for name in names
    ]
    page.locator("#upload-files").set_input_files(files)
    page.wait_for_timeout(1000)
    page.locator(".upload").nth(1).get_by_role("button", name="Pause").click()
    page.wait_for_timeout(500)


def _wait(page: Page) -> None:
    """Until the system has been asked."""
    page.locator(".file-wait").wait_for(state="detached")
    page.wait_for_timeout(1000)


def _report(page: Page) -> None:
    """A frame that is not in view is not painted."""
    _wait(page)
    _scroll("#preview")(page)
    page.wait_for_timeout(1000)


ACTS: dict[str, Act] = {
    "run-file-report": _report,
    **dict.fromkeys(("run-files", "run-files-folder", "run-file-image", "run-reports",
                     "run-reports-none", "files-away"), _wait),
    "runs-ticked": _tick, "runs-refusal": _ask_to_cancel, "runs-refused": _hold,
    "file-rename": _open("Rename"), "file-rights": _open("Permissions"), "file-delete": _open("Delete"),
    "file-checksum": _checksum, "folder-actions": _scroll("#this-folder"), "run-notes": _scroll("#annotations"),
    "transfers-moving": _upload, "transfers-list": _scroll("#transfers-live"),
    "compare-tasks": _scroll("#compare-tasks"),
}  # fmt: skip
"""What is done on a page before its picture is taken."""
