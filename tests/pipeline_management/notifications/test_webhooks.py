"""Webhooks: what is sent and how it is signed, tried again, and kept in the log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import RequestFactory

from api.v1.serializers import RunSerializer
from pipeline_management.choices import RunState
from pipeline_management.models import AuditEvent, Delivery, Run, RunEnding, Webhook
from pipeline_management.services.notifications import delivering, webhooks
from tests.factories import make_lab
from tests.pipeline_management.notifications.desk import Desk
from tests.pipeline_management.notifications.web_server import Call, WebServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_mail")]
HOWTO = Path(__file__).resolve().parents[3] / "docs" / "howto" / "notifications.md"
ALL = ["succeeded", "failed", "cancelled"]


def make(desk: Desk, url: str, states: list[str] = ALL) -> tuple[Webhook, str]:
    return webhooks.create(desk.lab, url, states, user=desk.manager)


def documented_check(secret: str, call: Call) -> bool:
    """The Python example of the documentation, run as it stands there."""
    found = re.search(r"```python\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    assert found is not None
    assert len(found.group(1).strip().split("\n")) <= 12
    names: dict[str, Any] = {}
    exec(found.group(1), names)  # noqa: S102  our own documentation
    return bool(names["is_from_centro"](secret, call.headers, call.body))


def test_an_end_is_told_once_and_signed(desk: Desk, web_server: WebServer) -> None:
    webhook, secret = make(desk, web_server.url("/hook?team=1"))
    run = desk.end(RunState.FAILED, reason="EXIT_NONZERO", exit_code=3)
    assert desk.work() == 1
    assert desk.work() == 0
    (call,) = web_server.calls
    kept = Delivery.objects.get()
    assert call.path == "/hook?team=1"
    assert call.headers["Host"] == f"127.0.0.1:{web_server.port}"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["X-Centro-Event"] == "run.failed"
    assert call.headers["X-Centro-Delivery"] == str(kept.pk)
    body = json.loads(call.body)
    assert set(body) == {"id", "type", "at", "lab", "run"}
    assert (body["id"], body["lab"]) == (f"{run.pk}-{run.event_seq}", "genomics")
    assert (kept.state, kept.status_code, kept.answer, kept.tries) == (
        "delivered",
        200,
        "thank you",
        1,
    )
    assert documented_check(secret, call)
    assert not documented_check("another", call)
    assert not documented_check(secret, Call(call.path, call.headers, call.body + b" "))
    late = call.headers | {"X-Centro-Timestamp": str(int(call.headers["X-Centro-Timestamp"]) - 301)}
    assert not documented_check(secret, Call(call.path, late, call.body))


def test_the_run_is_told_as_the_api_shows_it(
    desk: Desk, web_server: WebServer, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["centro.example.org"]
    make(desk, web_server.url())
    run = desk.end(RunState.FAILED, reason="SIGNAL", signal=9, job_id="12", resources={"cpus": 4})
    desk.work()
    told = json.loads(web_server.calls[0].body)["run"]
    request = RequestFactory(headers={"host": "centro.example.org"}).get("/", secure=True)
    found = Run.objects.for_lists().get(pk=run.pk)
    shown = json.loads(json.dumps(RunSerializer(found, context={"request": request}).data))
    for only_open in ("attention", "last_confirmation", "held"):
        del shown[only_open]
    assert told == shown | {"resources": {"cpus": 4}}


def test_only_the_chosen_states_of_the_own_lab(desk: Desk, web_server: WebServer) -> None:
    make(desk, web_server.url("/failures"), ["failed"])
    other = make_lab("imaging")
    webhooks.create(other, web_server.url("/other"), ALL, user=desk.manager)
    for state in (RunState.SUCCEEDED, RunState.FAILED):
        desk.end(state)
    desk.work()
    assert [(call.path, call.headers["X-Centro-Event"]) for call in web_server.calls] == [
        ("/failures", "run.failed")
    ]


def test_a_server_that_is_down_gets_it_later(desk: Desk, web_server: WebServer) -> None:
    make(desk, web_server.url())
    web_server.stop()
    desk.end()
    desk.end()
    assert desk.work() == 2
    for kept in Delivery.objects.all():
        assert (kept.state, kept.tries) == ("waiting", 1)
        assert "refused" in kept.error.lower()
    web_server.start()
    desk.wait()
    desk.work()
    assert len(web_server.calls) == 2
    assert set(Delivery.objects.values_list("state", "tries", "error")) == {("delivered", 2, "")}


def test_an_error_of_the_server_is_kept_and_tried_again(desk: Desk, web_server: WebServer) -> None:
    web_server.answers, web_server.text = [500], b"broken \x00\x1b" + b"x" * 70_000
    _, secret = make(desk, web_server.url())
    desk.end()
    desk.work()
    kept = Delivery.objects.get()
    assert (kept.state, kept.status_code, kept.error) == (
        "waiting",
        500,
        "The server answered 500.",
    )
    assert kept.answer == "broken   " + "x" * 491
    desk.wait()
    desk.work()
    first, second = web_server.calls
    assert Delivery.objects.get().state == "delivered"
    assert first.body == second.body
    assert first.headers["X-Centro-Delivery"] == second.headers["X-Centro-Delivery"]
    assert documented_check(secret, second)


def test_gone_is_for_good(desk: Desk, web_server: WebServer) -> None:
    web_server.status = 410
    make(desk, web_server.url())
    desk.end()
    desk.work()
    assert Delivery.objects.get().state == "given_up"


def test_after_about_a_day_it_is_given_up_and_can_be_sent_again(
    desk: Desk, web_server: WebServer
) -> None:
    web_server.status = 503
    webhook, _ = make(desk, web_server.url())
    desk.end()
    for _ in range(len(delivering.PAUSES) + 1):
        desk.work()
        desk.wait()
    kept = Delivery.objects.get()
    assert (kept.state, kept.tries) == ("given_up", 11)
    web_server.status = 204
    assert webhooks.send_again(webhook, kept.pk, user=desk.manager)
    assert desk.work() == 1
    kept.refresh_from_db()
    assert (kept.state, kept.tries, kept.status_code) == ("delivered", 1, 204)
    assert len(web_server.calls) == 12
    assert AuditEvent.objects.filter(action="webhook.resend", actor=desk.manager).count() == 1


def test_a_disabled_webhook_is_not_called(desk: Desk, web_server: WebServer) -> None:
    webhook, _ = make(desk, web_server.url())
    desk.end()
    from pipeline_management.services.notifications.spreading import spread

    spread()
    webhooks.switch(webhook, enabled=False, user=desk.manager)
    desk.end()
    desk.work()
    assert web_server.calls == [] and not RunEnding.objects.exists()
    kept = Delivery.objects.get()
    assert (kept.state, kept.error) == ("dropped", "The webhook is disabled.")
    webhooks.switch(webhook, enabled=True, user=desk.manager)
    desk.end()
    desk.work()
    assert len(web_server.calls) == 1


def test_a_test_is_sent_without_a_run(desk: Desk, web_server: WebServer) -> None:
    webhook, secret = make(desk, web_server.url())
    webhooks.send_test(webhook)
    webhooks.send_test(webhook)
    assert desk.work() == 2
    call = web_server.calls[0]
    body = json.loads(call.body)
    assert (body["type"], body["run"], call.headers["X-Centro-Event"]) == ("test", None, "test")
    assert documented_check(secret, call)


def test_the_secret_is_encrypted_at_rest_and_never_the_same(
    desk: Desk, web_server: WebServer
) -> None:
    (webhook, secret), (_, other) = make(desk, web_server.url()), make(desk, web_server.url())
    assert secret != other and len(secret) > 40
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM pipeline_management_webhook")
        stored = [row[0] for row in cursor.fetchall()]
    assert all(secret not in text for text in stored)
    assert Webhook.objects.get(pk=webhook.pk).secret == secret


@pytest.mark.parametrize(
    ("url", "states", "field", "names"),
    [
        ("", ALL, "url", "https://"),
        ("hook", ALL, "url", "https://"),
        ("ftp://example.org/", ALL, "url", "https://"),
        ("https:///path", ALL, "url", "https://"),
        ("https://user:pw@example.org/", ALL, "url", "without user"),
        ("https://example.org/#x", ALL, "url", "fragment"),
        ("https://example.org:99999/", ALL, "url", "not an address"),
        ("https://exa mple.org/", ALL, "url", "spaces"),
        ("https://example.org/\r\nX-Evil: 1", ALL, "url", "ASCII"),
        ("https://exämple.org/", ALL, "url", "ASCII"),
        (f"https://example.org/{'x' * 500}", ALL, "url", "500"),
        ("https://example.org/", [], "states", "at least one"),
        ("https://example.org/", ["running"], "states", "at least one"),
    ],
)
def test_bad_webhooks_are_refused_at_the_field(
    desk: Desk, url: str, states: list[str], field: str, names: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        make(desk, url, states)
    assert list(caught.value.message_dict) == [field]
    assert names in caught.value.message_dict[field][0]
    assert not Webhook.objects.exists()


def test_a_lab_has_20_webhooks_at_most(desk: Desk) -> None:
    for _ in range(webhooks.MOST):
        make(desk, "https://example.org/")
    with pytest.raises(ValidationError):
        make(desk, "https://example.org/")
