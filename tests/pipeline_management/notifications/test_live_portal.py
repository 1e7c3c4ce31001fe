"""The portal's own processes tell of a run on Slurm, although the mail server and the worker fail once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.pipeline_management.notifications.mail_server import MailServer
from tests.pipeline_management.notifications.web_server import WebServer

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.stack import LiveStack

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]
MAKE_WEBHOOK = """
from accounts.models import Lab
from django.contrib.auth.models import User
from pipeline_management.services.notifications import webhooks
webhooks.create(Lab.objects.get(slug="{lab}"), "{url}", ["failed"], user=User.objects.get(username="olga"))
"""


@pytest.fixture
def servers() -> Iterator[tuple[MailServer, WebServer]]:
    mail, web = MailServer().start(), WebServer().start()
    yield mail, web
    mail.stop()
    web.stop()


@pytest.fixture
def portal(lab: Lab, servers: tuple[MailServer, WebServer]) -> Iterator[LiveStack]:
    """A portal that may call loopback and has a mail server."""
    from tests.stack import LiveStack

    settings = {
        "CENTRO_MAIL_URL": f"smtp://127.0.0.1:{servers[0].port}",
        "CENTRO_MAIL_FROM": "centro@example.org",
        "CENTRO_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    with LiveStack.started(lab, settings) as stack:
        yield stack


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


def test_mail_and_webhook_arrive_once(
    portal: LiveStack, servers: tuple[MailServer, WebServer]
) -> None:
    mail, web = servers
    lab = portal.request("GET", "/api/v1/whoami/", "alice").json()["labs"][0]["slug"]
    portal.manage("shell", "-c", MAKE_WEBHOOK.format(lab=lab, url=web.url("/ended")))
    mail.closed = True
    run = portal.submit({"pipeline": "exit-code", "code": 7, "lab": lab, "email": "pi@example.org"})
    portal.wait_state(run, "failed")
    until(lambda: web.calls)
    tried = "SELECT MIN(tries) FROM pipeline_management_delivery"
    until(lambda: portal.sql(tried) == [["1"]])
    assert web.calls[0].headers["X-Centro-Event"] == "run.failed"
    portal.kill_worker()
    mail.closed = False
    portal.sql(
        "UPDATE pipeline_management_delivery SET next_at = UTC_TIMESTAMP(6) WHERE state = 'waiting'"
    )
    portal.start("worker")
    until(lambda: len(mail.letters) == 2)
    waiting = "SELECT COUNT(*) FROM pipeline_management_delivery WHERE state <> 'delivered'"
    until(lambda: portal.sql(waiting) == [["0"]])
    time.sleep(11)  # one more round of the sweep
    assert sorted(letter.recipients for letter in mail.letters) == [
        ["alice@example.org"],
        ["pi@example.org"],
    ]
    assert len(web.calls) == 1
    for letter in mail.letters:
        assert letter.message["Subject"].startswith("[Centro] failed: exit-code@1.0")
        assert "The job script ended with exit code 7." in letter.text
        assert f"{portal.base_url}/runs/{run}/" in letter.text
