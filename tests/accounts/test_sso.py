"""Logging in at an OpenID Connect issuer: whose account it opens, and how the browser comes and goes."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts.models import OuterIdentity
from accounts.sso import flow
from accounts.sso.errors import NotConnected
from accounts.sso.identities import Identity, person
from pipeline_management.models import AuditEvent
from tests.accounts.issuer import ISSUER, Issuer
from tests.accounts.log_ins import (
    CALLBACK,
    CLIENT_ID,
    begin,
    come_back,
    configured,
    give,
    id_token,
    log_in,
    refusal,
    who,
)
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_the_browser_is_sent_with_what_only_its_session_knows(issuer: Issuer, alice: User) -> None:
    client = Client()
    query = begin(client)
    assert query["response_type"] == "code" and query["client_id"] == CLIENT_ID
    assert query["redirect_uri"] == f"http://testserver{CALLBACK}"
    assert query["scope"] == "openid profile email" and query["code_challenge_method"] == "S256"
    assert begin(client)["state"] != query["state"], "each log-in has its own"
    give(issuer, id_token(issuer, query))
    assert come_back(client, query)["Location"] == "/"
    (posted,) = issuer.posted
    assert posted["grant_type"] == "authorization_code" and posted["code"] == "c-1"
    assert posted["redirect_uri"] == query["redirect_uri"]
    assert (posted["client_id"], posted["client_secret"]) == (CLIENT_ID, "hush")
    challenge = flow.WebApplicationClient("any").create_code_challenge(
        posted["code_verifier"], "S256"
    )
    assert challenge == query["code_challenge"]
    assert who(client) == alice.pk


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/runs/?q=trio", "/runs/?q=trio"),
        ("https://evil.example.org/", "/"),
        ("//evil.example.org/", "/"),
        ("/\\evil.example.org/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_only_pages_of_this_portal_come_next(
    issuer: Issuer, alice: User, wanted: str, got: str
) -> None:
    assert log_in(Client(), issuer, wanted)["Location"] == got


def test_the_first_log_in_connects_and_later_ones_go_by_the_subject(
    issuer: Issuer, alice: User
) -> None:
    assert log_in(Client(), issuer).status_code == 302
    known = OuterIdentity.objects.get()
    assert (known.user, known.issuer, known.subject, known.name) == (
        alice,
        ISSUER,
        "f3a-1",
        "alice",
    )
    assert known.last_login_at is not None
    assert AuditEvent.objects.filter(action="login.connect", actor=alice).count() == 1
    make_user("carol")
    client = Client()
    assert log_in(client, issuer, preferred_username="carol").status_code == 302
    assert who(client) == alice.pk, "the name at the issuer changed, the person did not"
    assert OuterIdentity.objects.get().name == "carol"


def test_a_name_that_was_given_anew_opens_nothing(issuer: Issuer, alice: User) -> None:
    log_in(Client(), issuer)
    client = Client()
    refusal(log_in(client, issuer, sub="f3a-2"), 403, "No account here belongs to “alice” yet")
    assert who(client) is None
    refusal(log_in(client, issuer, sub="F3A-1"), 403, "No account")  # subjects are case-sensitive


def test_a_name_does_not_make_an_administrator(issuer: Issuer) -> None:
    make_user("alice", staff=True)
    client = Client()
    refusal(log_in(client, issuer), 403, "No account here belongs to “alice” yet")
    assert who(client) is None and not OuterIdentity.objects.exists()


@pytest.mark.parametrize(
    "name", ["ALICE", "alice ", "", "nobody", None, 7, ["alice"], "a" * 500, "\ud800", "a\x00"]
)
def test_names_that_nobody_here_has(issuer: Issuer, alice: User, name: Any) -> None:
    client = Client()
    refusal(log_in(client, issuer, preferred_username=name), 403, "No account here")
    assert User.objects.count() == 1 and who(client) is None


def test_a_disabled_person(issuer: Issuer, alice: User) -> None:
    client = Client()
    log_in(client, issuer)
    assert client.get("/accounts/tokens/").status_code == 200
    User.objects.update(is_active=False)
    assert client.get("/accounts/tokens/").status_code == 302, "an open session ends"
    refusal(log_in(Client(), issuer), 403, "Your account is disabled")


def test_nobody_by_name_where_that_is_refused(issuer: Issuer, alice: User, settings: Any) -> None:
    settings.CENTRO_OIDC = configured(issuer, first_login="refuse")
    refusal(log_in(Client(), issuer), 403, "No account here")
    assert not OuterIdentity.objects.exists()


def test_new_people_where_that_is_wished(issuer: Issuer, alice: User, settings: Any) -> None:
    settings.CENTRO_OIDC = configured(issuer, first_login="create")
    client = Client()
    claims = {
        "sub": "n-1", "preferred_username": "newt", "given_name": "Nan", "family_name": "Ewt",
        "email": "newt@example.org", "email_verified": True,
    }  # fmt: skip
    assert log_in(client, issuer, **claims).status_code == 302
    newt = User.objects.get(username="newt")
    assert who(client) == newt.pk and (newt.first_name, newt.last_name) == ("Nan", "Ewt")
    assert newt.email == "newt@example.org" and not newt.has_usable_password()
    assert not newt.is_staff and not newt.memberships.exists()
    assert sorted(AuditEvent.objects.filter(actor=newt).values_list("action", flat=True)) == [
        "account.create",
        "login.connect",
    ]
    assert client.get("/runs/").status_code == 200, "the pages of a person without a lab"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"preferred_username": "new t"}, 403),
        ({"preferred_username": "ALICE"}, 403),
        ({"preferred_username": "x" * 151}, 403),
        ({"preferred_username": "<script>"}, 403),
        ({"email": "no address", "email_verified": True}, 302),
        ({"email": "other@example.org"}, 302),
        ({"given_name": "N" * 900, "family_name": 7}, 302),
    ],
)
def test_new_people_with_odd_claims(
    issuer: Issuer, alice: User, settings: Any, claims: dict[str, Any], status: int
) -> None:
    settings.CENTRO_OIDC = configured(issuer, first_login="create")
    answer = log_in(Client(), issuer, **({"sub": "n-1", "preferred_username": "newt"} | claims))
    assert answer.status_code == status
    assert User.objects.count() == (2 if status == 302 else 1)
    assert not User.objects.exclude(email="").exclude(pk=alice.pk).exists(), "not verified"


def test_each_log_in_ends_once_and_in_its_own_session(issuer: Issuer, alice: User) -> None:
    client = Client()
    query = begin(client)
    give(issuer, id_token(issuer, query))
    refusal(come_back(Client(), query), 400, "in another browser, or too long ago")
    assert come_back(client, query).status_code == 302
    assert who(client) == alice.pk
    refusal(come_back(client, query), 400, "in another browser, or too long ago")
    assert len(issuer.posted) == 1, "the issuer is not asked for what this session did not begin"


def test_a_log_in_that_took_too_long(
    issuer: Issuer, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    query = begin(client)
    real = time.time
    monkeypatch.setattr(flow.time, "time", lambda: real() + flow.SECONDS + 1)
    refusal(come_back(client, query), 400, "too long ago")


def test_a_session_remembers_a_few(issuer: Issuer, alice: User) -> None:
    client = Client()
    queries = [begin(client) for _ in range(flow.MAX_FLOWS + 3)]
    assert len(client.session["sso_flows"]) == flow.MAX_FLOWS
    give(issuer, id_token(issuer, queries[-1]))
    assert come_back(client, queries[-1]).status_code == 302
    refusal(come_back(client, queries[0]), 400, "too long ago")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("access_denied", "You did not log in"),
        ("server_error", "did not log you in: server_error."),
        ("<script>alert(1)</script>", "did not log you in."),
        ("", "did not log you in."),
    ],
)
def test_errors_that_come_back(issuer: Issuer, alice: User, code: str, words: str) -> None:
    client = Client()
    query = begin(client)
    answer = client.get(CALLBACK, {"state": query["state"], "error": code})
    refusal(answer, 400, words)
    assert b"<script>alert" not in answer.content


def test_a_link_with_an_error_logs_nobody_out(issuer: Issuer, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get(CALLBACK, {"error": "x", "state": "s"}).status_code == 400
    assert who(client) == alice.pk


@pytest.mark.parametrize("query", [{}, {"code": "c"}, {"state": "s"}, {"code": "c", "state": "s"}])
def test_a_callback_that_nobody_began(issuer: Issuer, query: dict[str, str]) -> None:
    refusal(Client().get(CALLBACK, query), 400, "in another browser, or too long ago")


def test_without_a_code(issuer: Issuer, alice: User) -> None:
    client = Client()
    query = begin(client)
    refusal(client.get(CALLBACK, {"state": query["state"]}), 400, "sent no code")


def test_where_it_is_not_configured(alice: User) -> None:
    client = Client()
    client.force_login(alice)
    for address in ("", "callback/", "connect/"):
        assert client.get(f"/accounts/sso/{address}").status_code == 404
    assert "/accounts/sso/" not in Client().get("/accounts/login/").content.decode()
    assert "/accounts/sso/" not in client.get("/accounts/password/").content.decode()


def test_the_log_in_page_offers_it(issuer: Issuer) -> None:
    text = Client().get("/accounts/login/?next=/runs/%3Fq%3Da%26b").content.decode()
    assert "Log in with Campus ID" in text
    assert "/accounts/sso/?next=/runs/%3Fq%3Da%26b" in text


def test_a_disabled_person_is_not_even_connected(issuer: Issuer, alice: User) -> None:
    User.objects.update(is_active=False)
    refusal(log_in(Client(), issuer), 403, "Your account is disabled")
    assert not OuterIdentity.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.lab
@pytest.mark.parametrize("way", ["by-name", "create"])
def test_one_of_two_who_come_with_a_name_at_once(issuer: Issuer, settings: Any, way: str) -> None:
    settings.CENTRO_OIDC = configured(issuer, first_login=way)
    if way == "by-name":
        make_user("alice")
    both, came = threading.Barrier(2), []

    def come(subject: str) -> None:
        identity = Identity(ISSUER, subject, "alice")
        both.wait()
        try:
            came.append(person(identity, {}).username)
        except NotConnected:
            came.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=come, args=(subject,)) for subject in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["alice", "refused"]
    assert OuterIdentity.objects.count() == User.objects.count() == 1
