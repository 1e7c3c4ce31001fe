"""Takes the pictures of docs/screenshots: ``.venv/bin/python -m tests.browser.screenshots [folder [page …]]``.

The pages are real, the rows come from ``tests/browser/demo.py``. Needs /usr/bin/chromium.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import conftest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.demo import Demo

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "390": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
FILES = {"text": "notes.txt", "table": "coverage.csv", "notebook": "analysis.ipynb", "report": "report.html",
         "binary": "calls.vcf.gz"}  # fmt: skip
SIDES = ("run_side_pictures", "submit_side_pictures", "admin_side_pictures", "sso_side_pictures")
"""Further pictures: modules beside this one with ``prepare(demo)``, ``addresses(demo)`` and ``ACTS``."""
WIDE = {"viewport": {"width": 2560, "height": 1300}, "color_scheme": "light"}
BROKEN = '{\n  "pipeline": "hello",\n  "name": "world"\n  "times": 3\n}'
WRONG = '{\n  "pipeline": "phoenix",\n  "project": "GIAB NA12878",\n  "study": "GIAB",\n  "cramm": true\n}'


@contextmanager
def served() -> Iterator[tuple[str, Demo]]:
    """Django's test server on a database of its own, with the demonstration's rows."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    import django

    django.setup()
    from django.conf import settings
    from django.test.runner import DiscoverRunner
    from django.test.testcases import LiveServerThread
    from django.test.testcases import _StaticFilesHandler as StaticFiles
    from django.test.utils import setup_test_environment, teardown_test_environment

    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(conftest.STATE / "test.sqlite3")
    setup_test_environment()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.EMAIL_HOST = "mail.example.org"
    server = LiveServerThread("localhost", StaticFiles)
    server.daemon = True
    try:
        from tests.browser.demo import Demo

        demo = Demo()
        _write_output(demo)
        _write_results(demo)
        for side in _sides():
            side.prepare(demo)
        server.start()
        server.is_ready.wait()
        yield f"http://localhost:{server.port}", demo
    finally:
        if server.is_alive():
            server.terminate()
        runner.teardown_databases(databases)
        teardown_test_environment()
        conftest.pytest_unconfigure()


def _write_output(demo: Any) -> None:
    """What the demonstration's systems, which nobody can reach, would have: files on this machine."""
    from pipeline_management.services import log_lines, log_search, log_sharing, logs
    from pipeline_management.services.clients import client_for
    from tests.browser.demo import ERRORS, OUTPUT

    folder = Path(tempfile.mkdtemp(dir=conftest.STATE))
    (folder / "stdout").write_bytes(OUTPUT)
    (folder / "stderr").write_bytes(ERRORS)
    logs.path_of = lambda run, stream: str(folder / stream)
    for service in (log_lines, log_search, log_sharing):
        service.client_for = lambda account: client_for(demo.local)


def _write_results(demo: Any) -> None:
    """Files that the file browser shows on this machine, where alice has an account."""
    from tests.browser.demo_files import write_files
    from tests.factories import make_account

    make_account(demo.local.system, demo.alice)
    demo.results = write_files(Path(tempfile.mkdtemp(dir=conftest.STATE)))


def _sides() -> list[Any]:
    return [import_module(f"tests.browser.{name}") for name in SIDES]


def addresses(demo: Demo) -> dict[str, str]:
    """The name of each picture and the page on it."""
    runs = {f"run-{name}": f"/runs/{demo.runs[name].pk}/" for name in ("running", "attention", "failed")}
    return {
        "dashboard": "/", "runs": "/runs/", "runs-filtered": "/runs/?state=failed&lab=genomics", **runs,
        "log": f"/runs/{demo.runs['running'].pk}/log/",
        "submit": "/submit/?pipeline=phoenix", "submit-syntax": "/submit/", "submit-check": "/submit/",
        "pipelines": "/pipelines/", "pipeline": "/pipelines/hello/", "systems": "/systems/",
        "system": "/systems/gemini/", "tokens": "/accounts/tokens/",
        "clients": "/accounts/clients/", "api": "/api/v1/docs/",
        "notifications": "/notifications/", "webhooks": "/labs/genomics/webhooks/",
        "webhook": f"/labs/genomics/webhooks/{demo.webhook.pk}/", "not-found": "/nothing/",
        "runs-search": "/runs/?q=state:failed", "runs-causes": "/runs/?group=cause", "usage": "/usage/",
        "compare": f"/runs/compare/?a={demo.runs['failed'].pk}&b={demo.runs['running'].pk}",
        "run-tasks": f"/runs/{demo.runs['running'].pk}/tasks/",
        "run-configuration": f"/runs/{demo.runs['failed'].pk}/configuration/",
        "run-usage": f"/runs/{demo.runs['failed'].pk}/usage/", "transfers": "/transfers/", "files": "/files/",
        "files-folder": f"/files/local{demo.results}",
        **{f"file-{kind}": f"/files/local{demo.results}/{name}" for kind, name in FILES.items()},
        "files-missing": f"/files/local{demo.results}/nothing", "runs-none": "/runs/?text=zebrafish",
        "run-events": f"/runs/{demo.runs['failed'].pk}/events/", "workbook": "/submit/?pipeline=hello",
        "run-cancel": f"/runs/{demo.runs['waiting'].pk}/cancel/",
    }  # fmt: skip


def take(browser: Browser, url: str, demo: Demo, folder: Path, only: set[str]) -> None:
    """Every page, or those named, in every look; list and run very wide too; the log-in page without a session."""
    from django.test import Client

    from pipeline_management.models import Draft, Pipeline

    client = Client()
    client.force_login(demo.alice)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}
    pages = addresses(demo) | {name: at for side in _sides() for name, at in side.addresses(demo).items()}
    acts = {name: act for side in _sides() for name, act in side.ACTS.items()}
    for look, options in {**LOOKS, "2560": WIDE}.items():
        context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", base_url=url, **options)
        page = context.new_page()
        if look in LOOKS:
            page.goto("/accounts/login/")
            page.screenshot(path=folder / f"login-{look}.png")
        context.add_cookies([cookie])  # type: ignore[list-item]  # a SetCookieParam
        for name, address in pages.items():
            if (look == "2560" and name not in {"runs", "run-running"}) or (only and name not in only):
                continue
            Draft.objects.all().delete()  # these two: of the picture before
            Pipeline.objects.filter(name="fresh").delete()
            page.goto(address)
            page.wait_for_timeout(1500 if name.startswith("file") else 500)
            if name == "workbook":
                page.get_by_role("tab", name="Workbook").click()
            if name in {"submit-syntax", "submit-check"}:
                text = BROKEN if name == "submit-syntax" else WRONG
                page.get_by_role("tab", name="JSON").click()
                page.evaluate("text => window.centroEditor.setValue(text, -1)", text)
                if name == "submit-check":
                    page.get_by_role("button", name="Check", exact=True).click()
                page.wait_for_timeout(1500)
            if name in acts:
                acts[name](page)
            whole = name.startswith("run-") or name.endswith("-whole")
            page.screenshot(path=folder / f"{name}-{look}.png", full_page=whole)
        context.close()


def main() -> None:
    """Write the pictures and say where they are."""
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with served() as (url, demo), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        take(browser, url, demo, folder, set(sys.argv[2:]))
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
