"""The pages of notifications: a person's choice, a lab's webhooks, the log of deliveries."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from pipeline_management.choices import RunState
from pipeline_management.models import AuditEvent, Delivery, MailPreference, Webhook
from pipeline_management.services.notifications import webhooks
from pipeline_management.services.notifications.spreading import spread
from pipeline_management.services.transition import Change, apply
from tests.pages.site import Site

PAGE = "/notifications/"
HOOKS = "/labs/genomics/webhooks/"
EVIL = "<script>alert(1)</script>"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def made(site: Site, url: str = "https://example.org/hook") -> Webhook:
    return webhooks.create(site.lab, url, ["failed"], user=site.people["manager"])[0]


def test_without_a_mail_server_the_page_says_so(site: Site, settings: Any) -> None:
    settings.EMAIL_HOST = ""
    assert "has no mail server" in text_of(site.client("submitter").get(PAGE))
    settings.EMAIL_HOST = "mail.example.org"
    text = text_of(site.client("submitter").get(PAGE))
    assert "has no mail server" not in text
    assert "Your account has no mail address" in text
    site.people["submitter"].email = "sam@example.org"
    site.people["submitter"].save()
    text = text_of(site.client("submitter").get(PAGE))
    assert "no mail address" not in text and "sam@example.org" in text


def test_a_choice_is_kept(site: Site) -> None:
    client = site.client("submitter")
    text = text_of(client.get(PAGE))
    assert re.search(r'value="all"[^>]*checked', text), "the default is shown as chosen"
    assert "digest" not in text, "who manages no lab is offered none"
    answer = client.post(
        PAGE, {"runs": "failures", "digest": "on", "digest_hour": "3"}, follow=True
    )
    assert "Your choice is saved." in text_of(answer)
    kept = MailPreference.objects.get(user=site.people["submitter"])
    assert (kept.runs, kept.digest, kept.digest_hour) == ("failures", False, 6)


def test_a_manager_chooses_a_digest(site: Site, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Zurich"
    client = site.client("manager")
    assert "In the time zone Europe/Zurich." in text_of(client.get(PAGE))
    client.post(PAGE, {"runs": "none", "digest": "on", "digest_hour": "22"})
    kept = MailPreference.objects.get(user=site.people["manager"])
    assert (kept.runs, kept.digest, kept.digest_hour) == ("none", True, 22)
    assert kept.digest_until is not None


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"runs": "sometimes"}, "id_runs"),
        ({}, "id_runs"),
        ({"runs": "all", "digest_hour": "24"}, "id_digest_hour"),
        ({"runs": "all", "digest_hour": "six"}, "id_digest_hour"),
    ],
)
def test_a_wrong_choice_is_refused_at_the_field(
    site: Site, data: dict[str, str], field: str
) -> None:
    answer = site.client("manager").post(PAGE, data)
    assert answer.status_code == 400
    assert f'id="error_1_{field}"' in text_of(answer) or f"{field}_error" in text_of(answer)
    assert not MailPreference.objects.exists()


def test_the_own_last_mails_and_nobody_elses(site: Site, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.org"
    for name in ("submitter", "manager"):
        person = site.people[name]
        person.email = f"{name}@example.org"
        person.save()
        run = site.run(submitter=person, state=RunState.FINISHING, name=f"of {name} {EVIL}")
        apply([Change(run, RunState.SUCCEEDED)], actor="test")
    spread()
    Delivery.objects.update(error=EVIL)
    text = text_of(site.client("submitter").get(PAGE))
    assert "of submitter" in text and "of manager" not in text
    assert "submitter@example.org" in text and "manager@example.org" not in text
    assert EVIL not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("manager", 200),
        ("administrator", 200),
        ("submitter", 404),
        ("viewer", 404),
        ("outsider", 404),
    ],
)
def test_webhooks_are_for_managers_and_administrators(site: Site, name: str, code: int) -> None:
    webhook = made(site)
    client = site.client(name)
    assert client.get(HOOKS).status_code == code
    assert client.get(f"{HOOKS}{webhook.pk}/").status_code == code
    assert ("/labs/genomics/" in text_of(client.get(PAGE))) is (code == 200)


def test_the_secret_is_shown_once(site: Site) -> None:
    client = site.client("manager")
    assert "No webhooks yet" in text_of(client.get(HOOKS))
    answer = client.post(
        HOOKS, {"url": " https://example.org/a?b=1 ", "states": ["failed", "cancelled"]}
    )
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.states) == ("https://example.org/a?b=1", ["cancelled", "failed"])
    assert text_of(answer).count(webhook.secret) == 1
    assert "no-store" in answer["Cache-Control"]
    for path in (HOOKS, f"{HOOKS}{webhook.pk}/"):
        assert webhook.secret not in text_of(client.get(path))
    shown = text_of(
        site.client("administrator").get(f"/admin/pipeline_management/webhook/{webhook.pk}/change/")
    )
    assert webhook.url.replace("&", "&amp;") in shown and webhook.secret not in shown
    event = AuditEvent.objects.get(action="webhook.create")
    assert (event.actor, event.target) == (site.people["manager"], f"genomics {webhook.pk}")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"states": ["failed"]}, "This field is required."),
        ({"url": "http://example.org/", "states": ["failed"]}, "begins with https://"),
        ({"url": "https://127.0.0.1/", "states": ["failed"]}, "127.0.0.1 is not a public address."),
        ({"url": "https://example.org/"}, "Choose at least one."),
        (
            {"url": "https://example.org/", "states": ["running"]},
            "not one of the available choices",
        ),
        (
            {"url": "https://example.org/" + "x" * 500, "states": ["failed"]},
            "at most 500 characters",
        ),
        ({"url": f"https://{EVIL}/", "states": ["failed"]}, "not the name of a host"),
    ],
)
def test_a_wrong_webhook_is_refused_at_the_field(
    site: Site, data: dict[str, Any], sentence: str
) -> None:
    answer = site.client("manager").post(HOOKS, data)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert EVIL not in text_of(answer)
    assert not Webhook.objects.exists()


def test_switch_test_send_again_delete(site: Site) -> None:
    client, webhook = site.client("manager"), made(site)
    path = f"{HOOKS}{webhook.pk}/"
    assert "Nothing was sent yet" in text_of(client.get(path))
    assert client.post(f"{path}test/").status_code == 302
    delivery = Delivery.objects.get()
    Delivery.objects.update(
        state="given_up", tries=11, status_code=500, answer=EVIL, error="The server answered 500."
    )
    text = text_of(client.get(path))
    assert "Given up" in text and "The server answered 500." in text and EVIL not in text
    assert client.post(f"{path}deliveries/{delivery.pk}/again/").status_code == 302
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("waiting", 0)
    client.post(f"{path}switch/", {"enabled": "0"})
    assert not Webhook.objects.get().enabled
    assert "Enable" in text_of(client.get(path))
    client.post(f"{path}switch/", {"enabled": "1"})
    assert Webhook.objects.get().enabled
    assert client.post(f"{path}delete/").status_code == 302
    assert not Webhook.objects.exists() and not Delivery.objects.exists()
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert actions >= {"webhook.enable", "webhook.disable", "webhook.delete", "webhook.resend"}


def test_things_of_another_webhook_or_lab_do_not_exist(site: Site) -> None:
    client, first, second = site.client("manager"), made(site), made(site)
    delivery = webhooks.send_test(first)
    again = f"{HOOKS}{second.pk}/deliveries/{delivery.pk}/again/"
    assert client.post(again).status_code == 404
    foreign, _ = webhooks.create(
        site.other_lab, "https://example.org/", ["failed"], user=site.people["outsider"]
    )
    assert client.get(f"{HOOKS}{foreign.pk}/").status_code == 404
    assert client.get(f"{HOOKS}{10**30}/").status_code == 404


def test_long_logs_have_pages(site: Site) -> None:
    client, webhook = site.client("manager"), made(site)
    for _ in range(51):
        webhooks.send_test(webhook)
    path = f"{HOOKS}{webhook.pk}/"
    assert "Page 1 of 2" in text_of(client.get(path))
    assert "Page 2 of 2" in text_of(client.get(f"{path}?page=2"))
    assert client.get(f"{path}?page=nonsense").status_code == 200


def test_the_menu_leads_there(site: Site) -> None:
    assert f'href="{reverse("notifications")}"' in text_of(site.client("viewer").get("/"))
