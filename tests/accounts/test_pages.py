"""Log-in, log-out, password and token pages, as a browser uses them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import verified
from accounts.models import ApiToken, hash_token
from accounts.services import create_token, find_token
from pipeline_management.models import AuditEvent
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse 7"
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def clean() -> None:
    cache.clear()
    verified.forget_all()


@pytest.fixture
def alice() -> User:
    return make_user("alice", password=PASSWORD)


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def log_in(client: Client, password: str = PASSWORD, **extra: str) -> object:
    return client.post(LOGIN, {"username": "alice", "password": password} | extra)


def test_log_in_and_out(alice: User) -> None:
    client = Client()
    assert client.get(LOGIN).status_code == 200
    answer = log_in(client, next="/accounts/tokens/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/tokens/")
    assert client.get("/accounts/tokens/").status_code == 200
    assert client.get("/accounts/logout/").status_code == 405, "a link must not log out"
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/accounts/tokens/").status_code == 302


def test_a_wrong_password_says_so_and_keeps_the_name(alice: User) -> None:
    answer = log_in(Client(), "wrong")
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "The user name or the password is wrong" in text
    assert 'value="alice"' in text
    assert 'wrong"' not in text, "the password must not be sent back"


def test_a_disabled_person_and_an_unknown_one_read_the_same(alice: User) -> None:
    alice.is_active = False
    alice.save()
    known = log_in(Client())
    unknown = Client().post(LOGIN, {"username": "nobody", "password": PASSWORD})
    sentence = "The user name or the password is wrong"
    assert sentence in known.content.decode() and sentence in unknown.content.decode()


def test_too_many_tries_are_429_with_the_time_to_wait(alice: User) -> None:
    client = Client()
    for _ in range(5):
        assert log_in(client, "wrong").status_code == 200
    answer = log_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 300
    assert "Too many wrong passwords" in answer.content.decode()


def test_no_way_out_of_the_site_after_log_in(alice: User) -> None:
    answer = log_in(Client(), next="https://evil.example/")
    assert answer["Location"] == "/"


def test_administration_uses_the_same_door() -> None:
    answer = Client().get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=")


def test_somebody_who_may_not_see_a_page_is_not_sent_in_circles(browser: Client) -> None:
    answer = browser.get("/admin/", follow=True)
    assert answer.status_code == 200
    assert "You are logged in as alice, who may not open that page" in answer.content.decode()


def test_log_in_without_csrf_token_is_refused(alice: User) -> None:
    assert log_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_password_change_ends_other_sessions_and_is_written_down(
    alice: User, browser: Client
) -> None:
    other = Client()
    other.force_login(alice)
    new = "another horse 8"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert browser.post("/accounts/password/", fields).status_code == 302
    assert browser.get("/accounts/tokens/").status_code == 200
    assert other.get("/accounts/tokens/").status_code == 302
    event = AuditEvent.objects.get(action="password.change")
    assert (event.actor, event.address) == (alice, "127.0.0.1")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"old_password": "wrong"}, "incorrectly"),
        ({"new_password2": "different 99"}, "match"),
        ({"new_password1": "short", "new_password2": "short"}, "too short"),
        ({"new_password1": "password1", "new_password2": "password1"}, "too common"),
    ],
)
def test_bad_new_passwords(browser: Client, fields: dict[str, str], sentence: str) -> None:
    good = {
        "old_password": PASSWORD,
        "new_password1": "new horse 88",
        "new_password2": "new horse 88",
    }
    answer = browser.post("/accounts/password/", good | fields)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()


def test_a_token_is_shown_once_and_works(alice: User, browser: Client) -> None:
    answer = browser.post("/accounts/tokens/", {"name": "laptop", "last_day": "", "scope": "all"})
    text = re.search(r"cto_[A-Za-z0-9_-]{43}", answer.content.decode())
    assert text and find_token(text[0]).user == alice
    assert "no-store" in answer["Cache-Control"]
    again = browser.get("/accounts/tokens/").content.decode()
    assert text[0] not in again and "laptop" in again
    token = ApiToken.objects.get()
    assert token.hash == hash_token(text[0]) and token.expires_at is None
    assert AuditEvent.objects.get(action="token.create").target == "laptop"
    assert text[0] not in str(list(AuditEvent.objects.values()))


def test_a_token_ends_after_its_last_day(browser: Client) -> None:
    day = timezone.now().date() + timedelta(days=3)
    wanted = {"name": "laptop", "last_day": day.isoformat(), "scope": "all"}
    browser.post("/accounts/tokens/", wanted)
    assert (
        ApiToken.objects.get().expires_at.isoformat() == f"{day + timedelta(days=1)}T00:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "required"),
        ({"name": "x" * 101}, "at most 100"),
        ({"name": "a\u202eb"}, "printable"),
        ({"name": "taken"}, "already"),
        ({"last_day": "2020-01-01"}, "in the future"),
        ({"last_day": "9999-12-31"}, "earlier day"),
        ({"last_day": "soon"}, "valid date"),
    ],
)
def test_bad_tokens_are_explained_and_not_made(
    alice: User, browser: Client, fields: dict[str, str], sentence: str
) -> None:
    create_token(alice, "taken")
    good = {"name": "new", "last_day": "", "scope": "all"}
    answer = browser.post("/accounts/tokens/", good | fields)
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert ApiToken.objects.count() == 1


def test_only_ones_own_tokens_can_be_seen_and_revoked(alice: User, browser: Client) -> None:
    mine, _ = create_token(alice, "mine")
    theirs, _ = create_token(make_user("bob"), "theirs-not-mine")
    assert "theirs-not-mine" not in browser.get("/accounts/tokens/").content.decode()
    for pk in (theirs.pk, 10**30):
        assert browser.post(f"/accounts/tokens/{pk}/revoke/").status_code == 404
    assert browser.get(reverse("accounts:token-revoke", args=[mine.pk])).status_code == 405
    assert browser.post(reverse("accounts:token-revoke", args=[mine.pk])).status_code == 302
    assert list(ApiToken.objects.all()) == [theirs]
    assert AuditEvent.objects.get(action="token.revoke").target == "mine"


def test_names_are_escaped(browser: Client) -> None:
    wanted = {"name": "<script>alert(1)</script>", "last_day": "", "scope": "all"}
    browser.post("/accounts/tokens/", wanted)
    page = browser.get("/accounts/tokens/").content.decode()
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("page", ["login", "password", "tokens"])
def test_pages_are_free_of_inline_code(browser: Client, page: str) -> None:
    text = browser.get(f"/accounts/{page}/").content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style", text)
