"""/o/token/ and /o/jwks/ as programs use them."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from accounts import throttle, verified
from accounts.models import OAuthClient
from accounts.oauth import clients, tokens
from tests.factories import make_account, make_system, make_user

pytestmark = pytest.mark.django_db
TOKEN = "/o/token/"
ADDRESS = "10.1.2.3"


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    cache.clear()
    verified.forget_all()
    yield
    verified.forget_all()


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def app(alice: User) -> tuple[OAuthClient, str]:
    """A client of Alice's and its secret."""
    return clients.create_client(alice, "workflow")


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def ask(fields: dict[str, str], path: str = TOKEN, **options: Any) -> Any:
    """What a client does: a form, no cookies; CSRF checks are on."""
    browser = Client(enforce_csrf_checks=True, REMOTE_ADDR=options.pop("address", ADDRESS))
    kind = "application/x-www-form-urlencoded"
    body = urlencode({"grant_type": "client_credentials"} | fields)
    return browser.post(path, body, content_type=kind, **options)


def in_body(app: tuple[OAuthClient, str], **more: str) -> Any:
    return ask({"client_id": app[0].client_id, "client_secret": app[1]} | more)


def claims_of(answer: Any) -> dict[str, Any]:
    """As pyfirecrest reads them: without a key."""
    found: dict[str, Any] = jwt.decode(
        answer.json()["access_token"], options={"verify_signature": False}
    )
    return found


@pytest.mark.parametrize("path", ["/o/token/", "/o/token"])
@pytest.mark.parametrize("way", ["body", "basic", "basic, small letters"])
def test_the_secret_in_the_body_or_by_basic(
    app: tuple[OAuthClient, str], way: str, path: str
) -> None:
    client, secret = app
    if way == "body":
        answer = ask({"client_id": client.client_id, "client_secret": secret}, path)
    else:
        header = basic(client.client_id, secret)["Authorization"]
        header = header.replace("Basic", "basic") if "small" in way else header
        answer = ask({}, path, headers={"Authorization": header})
    body = answer.json()
    assert answer.status_code == 200 and answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store" and answer["Pragma"] == "no-cache"
    assert body == {
        "access_token": body["access_token"],
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "firecrest",
    }
    assert not answer.cookies


def test_what_the_token_says(app: tuple[OAuthClient, str], alice: User) -> None:
    client, _ = app
    before = int(time.time())
    claims = claims_of(in_body(app))
    assert claims["iss"] == "http://127.0.0.1:8000/o"
    assert claims["aud"] == "http://127.0.0.1:8000/firecrest/v1"
    assert claims["preferred_username"] == "alice" and claims["scope"] == "firecrest"
    assert claims["azp"] == claims["client_id"] == claims["sub"] == client.client_id
    assert before <= claims["iat"] <= int(time.time()) and claims["exp"] == claims["iat"] + 3600
    assert claims["jti"] != claims_of(in_body(app))["jti"]


def test_everybody_can_check_it_with_the_published_key(app: tuple[OAuthClient, str]) -> None:
    text = in_body(app).json()["access_token"]
    answer = Client().get("/o/jwks/")
    (key,) = answer.json()["keys"]
    assert "d" not in key and (key["use"], key["alg"]) == ("sig", "ES256")
    header = jwt.get_unverified_header(text)
    assert header == {"alg": "ES256", "kid": key["kid"], "typ": "at+jwt"}
    public = jwt.PyJWK(key)
    found = jwt.decode(
        text, public, algorithms=["ES256"], audience="http://127.0.0.1:8000/firecrest/v1"
    )
    assert found["preferred_username"] == "alice"
    assert Client().post("/o/jwks/").status_code == 405


def test_the_name_is_that_on_the_systems(app: tuple[OAuthClient, str], alice: User) -> None:
    """Programs build paths from it, so it is the unix user where that is one name."""
    ssh = {"transport": "ssh", "host": "h", "scheduler": "slurm"}
    make_account(make_system("shared", **ssh), username="svc")
    assert claims_of(in_body(app))["preferred_username"] == "svc"
    make_account(make_system("one", **ssh), alice, username="unix1")
    assert claims_of(in_body(app))["preferred_username"] == "unix1"
    make_account(make_system("two", **ssh), alice, username="unix1")
    assert claims_of(in_body(app))["preferred_username"] == "unix1"
    make_account(make_system("three", **ssh), alice, username="unix3")
    answer = in_body(app)
    assert claims_of(answer)["preferred_username"] == "alice"
    assert tokens.verify(answer.json()["access_token"])[0] == alice


@pytest.mark.parametrize(
    ("fields", "status", "error", "text"),
    [
        (
            {"client_secret": "wrong"},
            401,
            "invalid_client",
            "The client id or the secret is wrong.",
        ),
        ({"client_id": "nobody"}, 401, "invalid_client", "The client id or the secret is wrong."),
        ({"client_id": "a\0b"}, 401, "invalid_client", "The client id or the secret is wrong."),
        ({"client_id": "x" * 300}, 401, "invalid_client", "The client id or the secret is wrong."),
        ({"client_secret": ""}, 401, "invalid_client", "The client id or the secret is wrong."),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", None),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type", None),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type", None),
        ({"grant_type": ""}, 400, "invalid_request", "Request is missing grant type."),
        ({"scope": "everything"}, 400, "invalid_scope", None),
        ({"scope": "firecrest more"}, 400, "invalid_scope", None),
    ],
)
def test_refusals(
    app: tuple[OAuthClient, str], fields: dict[str, str], status: int, error: str, text: str | None
) -> None:
    answer = in_body(app, **fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json().get("error_description") == text
    assert "access_token" not in answer.json()
    assert answer.has_header("WWW-Authenticate") == (status == 401)


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ???", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Bearer x"]
)
def test_headers_that_are_not_basic(header: str) -> None:
    answer = ask({}, headers={"Authorization": header})
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in ("invalid_request", "invalid_client")


def test_other_methods_and_bodies(app: tuple[OAuthClient, str]) -> None:
    for method in ("get", "put", "patch", "delete"):
        answer = getattr(Client(enforce_csrf_checks=True), method)(TOKEN)
        assert (answer.status_code, answer.json()["error"]) == (405, "invalid_request")
        assert answer["Allow"] == "POST, OPTIONS"
    fields = {
        "grant_type": "client_credentials",
        "client_id": app[0].client_id,
        "client_secret": app[1],
    }
    assert Client().post(TOKEN, fields).status_code == 200, "multipart, as curl -F sends it"
    answer = Client().post(TOKEN, fields, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    # a secret in the address would be in every log
    answer = Client().post(f"{TOKEN}?{urlencode(fields)}")
    assert answer.status_code == 400 and "access_token" not in answer.json()


def test_only_tokens_and_keys_are_served() -> None:
    for path in ("authorize/", "introspect/", "revoke_token/", "applications/", "userinfo/", ""):
        assert Client().get(f"/o/{path}").status_code == 404, path


@pytest.mark.parametrize("secret", ["a:b", "a+b%20c", "ä ß", "100%"])
def test_secrets_with_awkward_characters(alice: User, secret: str) -> None:
    """RFC 6749 wants them form-encoded within basic; curl and requests send them as they are."""
    OAuthClient.objects.create(
        client_id="app", user=alice, client_secret=make_password(secret), **clients.fixed_values(["firecrest"])
    )  # fmt: skip
    assert ask({"client_id": "app", "client_secret": secret}).status_code == 200
    assert ask({}, headers=basic("app", secret)).status_code == 200
    assert ask({}, headers=basic("app", quote_plus(secret))).status_code == 200
    assert ask({}, headers=basic("app", secret + "x")).status_code == 401


class Hashes:
    def __init__(self, check: Callable[..., bool]) -> None:
        self.number, self._check = 0, check

    def __call__(self, *arguments: Any, **named: Any) -> bool:
        self.number += 1
        return self._check(*arguments, **named)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    counter = Hashes(clients.check_password)
    monkeypatch.setattr(clients, "check_password", counter)
    return counter


def test_a_right_secret_is_hashed_once(app: tuple[OAuthClient, str], hashes: Hashes) -> None:
    assert [in_body(app).status_code for _ in range(5)] == [200] * 5
    assert hashes.number == 1


def test_wrong_secrets_are_counted_before_they_are_hashed(
    app: tuple[OAuthClient, str], hashes: Hashes
) -> None:
    for _ in range(throttle.PER_NAME_AND_ADDRESS.failures):
        assert in_body(app, client_secret="wrong").status_code == 401
    before = hashes.number
    answer = in_body(app)
    assert answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= 300
    assert (
        answer.json()["error"] == "invalid_client"
        and "Too many" in answer.json()["error_description"]
    )
    assert hashes.number == before
    fields = {"client_id": app[0].client_id, "client_secret": app[1]}
    assert ask(fields, address="10.1.2.4").status_code == 200, "another address is not concerned"


def test_many_wrong_secrets_at_once_hash_no_more_than_the_limit(
    app: tuple[OAuthClient, str], hashes: Hashes
) -> None:
    found: list[object] = []

    def attempt(number: int) -> None:
        try:
            found.append(clients.check("made-up", [f"wrong{number}"], ADDRESS))
        except throttle.Throttled:
            found.append("throttled")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "_find", lambda client_id: None)  # threads see no rows of this test
        threads = [threading.Thread(target=attempt, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 20 and found.count("throttled") == 15
    assert hashes.number == throttle.PER_NAME_AND_ADDRESS.failures


def test_a_person_of_the_same_name_is_counted_apart(alice: User) -> None:
    for _ in range(throttle.PER_NAME_AND_ADDRESS.failures):
        assert clients.check("alice", ["wrong"], ADDRESS) is None
    assert verified.check("alice", "wrong", ADDRESS) is None, "not throttled"


def test_no_token_for_a_locked_owner(app: tuple[OAuthClient, str], alice: User) -> None:
    alice.is_active = False
    alice.save()
    answer = in_body(app)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "owner" in answer.json()["error_description"]


def test_the_last_token_is_recorded_once_a_minute(app: tuple[OAuthClient, str]) -> None:
    in_body(app)
    first = OAuthClient.objects.get().last_used_at
    in_body(app)
    assert first is not None and OAuthClient.objects.get().last_used_at == first
