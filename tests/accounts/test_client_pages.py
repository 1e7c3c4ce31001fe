"""The page on which people make and delete their OAuth clients."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import OAuthClient
from accounts.oauth import clients, tokens
from accounts.oauth.errors import TokenError
from pipeline_management.models import AuditEvent
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PAGE = "/accounts/clients/"


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_the_secret_is_shown_once_and_works(alice: User, browser: Client) -> None:
    answer = browser.post(PAGE, {"name": "my <workflow>"})
    page = answer.content.decode()
    client = OAuthClient.objects.get()
    (secret,) = re.findall(r'id="client-secret"[^>]*>([^<]+)<', page)
    assert client.client_id in page and "my &lt;workflow&gt;" in page and "<workflow>" not in page
    assert answer["Cache-Control"].count("no-store") == 1
    again = browser.get(PAGE).content.decode()
    assert client.client_id in again and secret not in again
    assert secret not in str(OAuthClient.objects.values().get()) and client.user == alice
    fields = {"client_id": client.client_id, "client_secret": secret}
    token = browser.post("/o/token/", fields | {"grant_type": "client_credentials"}).json()
    assert tokens.verify(token["access_token"])[0] == alice
    assert AuditEvent.objects.get(action="client.create").target == client.client_id


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b", "a\nb"])
def test_bad_names_are_explained(browser: Client, name: str) -> None:
    answer = browser.post(PAGE, {"name": name})
    assert answer.status_code == 400 and not OAuthClient.objects.exists()
    assert "invalid-feedback" in answer.content.decode()


def test_there_is_a_limit(alice: User, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MAX_CLIENTS", 1)
    assert browser.post(PAGE, {"name": "one"}).status_code == 200
    answer = browser.post(PAGE, {"name": "two"})
    assert answer.status_code == 400 and "delete one" in answer.content.decode()


def test_deleting_ends_the_tokens_at_once(alice: User, browser: Client) -> None:
    client, _ = clients.create_client(alice, "mine")
    text = tokens.issue(client, username="alice", scopes=["firecrest"], seconds=60)
    address = reverse("accounts:client-delete", args=[client.pk])
    assert browser.get(address).status_code == 405
    answer = browser.post(address, follow=True)
    assert "“mine” is deleted" in answer.content.decode()
    with pytest.raises(TokenError):
        tokens.verify(text)
    assert AuditEvent.objects.get(action="client.delete").target == client.client_id
    assert browser.post(address).status_code == 404


def test_only_ones_own(alice: User, browser: Client) -> None:
    theirs, _ = clients.create_client(make_user("bob"), "theirs")
    assert theirs.client_id not in browser.get(PAGE).content.decode()
    for pk in (theirs.pk, 10**30):
        assert browser.post(f"{PAGE}{pk}/delete/").status_code == 404
    assert OAuthClient.objects.filter(pk=theirs.pk).exists()


def test_those_of_the_site_file_stay(alice: User, browser: Client) -> None:
    client, _ = clients.create_client(alice, "site")
    OAuthClient.objects.update(from_site=True, name="")
    page = browser.get(PAGE).content.decode()
    assert (
        "kept by the site file" in page
        and reverse("accounts:client-delete", args=[client.pk]) not in page
    )
    assert browser.post(f"{PAGE}{client.pk}/delete/").status_code == 404
