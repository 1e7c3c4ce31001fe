"""Connecting an account with somebody at the issuer, and taking that back."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import OuterIdentity
from pipeline_management.models import AuditEvent
from tests.accounts.issuer import Issuer
from tests.accounts.log_ins import (
    PASSWORD,
    begin,
    come_back,
    configured,
    give,
    id_token,
    log_in,
    who,
)
from tests.factories import make_user
from tests.hostile.judging import judge
from tests.hostile.values import VALUES

pytestmark = pytest.mark.django_db


def connect_page(client: Client, issuer: Issuer, **changes: Any) -> Any:
    answer = log_in(client, issuer, "/accounts/password/", **changes)
    assert answer["Location"] == "/accounts/sso/connect/"
    return client.get(answer["Location"])


def test_whoever_is_logged_in_may_connect_and_disconnect(issuer: Issuer) -> None:
    boss = make_user("boss", password=PASSWORD, staff=True)
    client = Client()
    client.force_login(boss)
    page = connect_page(client, issuer, preferred_username="b.oss").content.decode()
    assert "Is this you?" in page and "b.oss" in page
    assert not OuterIdentity.objects.exists(), "nothing before the person has agreed"
    answer = client.post("/accounts/sso/connect/", follow=True)
    assert "From now on you can log in with Campus ID." in answer.content.decode()
    other = Client()
    assert log_in(other, issuer, preferred_username="b.oss").status_code == 302
    assert who(other) == boss.pk, "an administrator who has connected himself"
    known = OuterIdentity.objects.get()
    stranger = Client()
    stranger.force_login(make_user("carol"))
    away = f"/accounts/sso/{known.pk}/disconnect/"
    assert stranger.post(away).status_code == 404
    assert client.get(away).status_code == 405
    assert "logs in here no longer" in client.post(away, follow=True).content.decode()
    assert not OuterIdentity.objects.exists()
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {
        "login.connect",
        "login.disconnect",
    }


@pytest.mark.parametrize("way", ["by-name", "create", "refuse"])
def test_whoever_is_logged_in_is_asked_whatever_the_name(
    issuer: Issuer, alice: User, settings: Any, way: str
) -> None:
    """Neither somebody else's account nor a new one comes of it."""
    settings.CENTRO_OIDC = configured(issuer, first_login=way)
    carol = make_user("carol")
    for name in ("alice", "carol", "brand.new"):
        client = Client()
        client.force_login(carol)
        assert (
            "Is this you?" in connect_page(client, issuer, preferred_username=name).content.decode()
        )
        assert who(client) == carol.pk
    assert User.objects.count() == 2 and not OuterIdentity.objects.exists()


def test_connecting_needs_a_token_of_the_page(issuer: Issuer) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("boss", staff=True))
    connect_page(client, issuer)
    assert client.post("/accounts/sso/connect/").status_code == 403
    assert not OuterIdentity.objects.exists()


def test_connecting_somebody_elses(issuer: Issuer, alice: User) -> None:
    client = Client()
    client.force_login(make_user("boss", staff=True))
    connect_page(client, issuer, preferred_username="x")
    assert log_in(Client(), issuer).status_code == 302  # meanwhile it has become alice's
    answer = client.post("/accounts/sso/connect/", follow=True)
    assert "connected with another account" in answer.content.decode()
    assert OuterIdentity.objects.get().user == alice


def test_connecting_too_late(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    client.force_login(make_user("boss", staff=True))
    connect_page(client, issuer)
    real = time.time
    monkeypatch.setattr("accounts.sso.views.time.time", lambda: real() + 601)
    answer = client.post("/accounts/sso/connect/", follow=True)
    assert "That was too long ago" in answer.content.decode()
    assert not OuterIdentity.objects.exists()


def test_the_only_way_in_is_not_taken_away(issuer: Issuer, settings: Any) -> None:
    settings.CENTRO_OIDC = configured(issuer, first_login="create")
    client = Client()
    log_in(client, issuer, sub="n-1", preferred_username="newt")
    known = OuterIdentity.objects.get()
    answer = client.post(f"/accounts/sso/{known.pk}/disconnect/", follow=True)
    text = answer.content.decode()
    assert "your only way to log in" in text and OuterIdentity.objects.exists()
    assert "Your account has no password." in text


def test_somebody_else_gets_a_session_of_his_own(issuer: Issuer, alice: User) -> None:
    log_in(Client(), issuer)  # known from another browser
    client = Client()
    client.force_login(make_user("carol"))
    before = client.session.session_key
    assert log_in(client, issuer).status_code == 302
    assert who(client) == alice.pk and client.session.session_key != before


def test_the_way_in_is_closed_with_its_setting(issuer: Issuer, alice: User, settings: Any) -> None:
    client = Client()
    log_in(client, issuer)
    settings.AUTHENTICATION_BACKENDS = settings.AUTHENTICATION_BACKENDS[:1]
    assert client.get("/accounts/tokens/").status_code == 302


def test_a_log_in_by_password_with_a_code_in_its_address(issuer: Issuer, alice: User) -> None:
    client = Client()
    answer = client.post(
        "/accounts/login/?state=s&code=c", {"username": "alice", "password": PASSWORD}
    )
    assert answer.status_code == 302 and who(client) == alice.pk and not issuer.posted


@pytest.mark.parametrize("value", VALUES.values(), ids=list(VALUES))
def test_what_the_issuer_says_is_shown_harmlessly(issuer: Issuer, value: str) -> None:
    boss = make_user("boss", staff=True)
    client = Client()
    client.force_login(boss)
    query = begin(client)
    give(issuer, id_token(issuer, query, preferred_username=value[:5000]))
    page = come_back(client, query)
    judge(client.get(page["Location"]), "the question")
    client.post("/accounts/sso/connect/")
    judge(client.get("/accounts/password/"), "the page of the account")
    judge(log_in(Client(), issuer, sub="x", preferred_username=value[:5000]), "the refusal", 403)
