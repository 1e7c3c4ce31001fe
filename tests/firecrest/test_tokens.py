"""Who may ask at all: the 401 answers of the contract, at every address and for every method."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import Client
from firecrest import ClientCredentialsAuth, ClientsCredentialsException
from firecrest.FirecrestException import UnauthorizedException
from firecrest.v1 import Firecrest

from accounts.models import OAuthClient
from accounts.oauth import clients, outer, tokens
from accounts.oauth.keys import signing_key
from accounts.services import create_token
from centro.config.sections import Oidc
from tests.accounts.issuer import AUDIENCE, ISSUER, Issuer
from tests.factories import make_user

pytestmark = pytest.mark.django_db
ROOT = "/firecrest/v1"
KNOWN = "/status/services"
UNREADABLE = {
    "message": "Bad token; invalid JSON",
    "description": "Bad header or JWT, general exception raised",
}


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def app(alice: User) -> OAuthClient:
    return clients.create_client(alice, "workflow")[0]


def issue(app: OAuthClient, scopes: tuple[str, ...] = ("firecrest",), seconds: int = 60) -> str:
    return tokens.issue(app, username="alice", scopes=scopes, seconds=seconds)


def ask(header: str | None, path: str = KNOWN, method: str = "GET", **options: Any) -> Any:
    headers = {} if header is None else {"Authorization": header}
    browser = options.pop("browser", None) or Client(enforce_csrf_checks=True)
    return browser.generic(method, ROOT + path, headers=headers, **options)


def test_a_good_token(app: OAuthClient) -> None:
    for header in (f"Bearer {issue(app)}", f"bearer  {issue(app)} "):
        answer = ask(header)
        assert answer.status_code == 200 and not answer.cookies
        assert not answer.has_header("WWW-Authenticate")


def altered(app: OAuthClient, **changes: Any) -> str:
    claims = jwt.decode(issue(app), options={"verify_signature": False}) | changes
    key = signing_key()
    return jwt.encode(claims, key.private, "ES256", headers={"kid": key.id})


def bad_headers(app: OAuthClient) -> dict[str, tuple[str | None, dict[str, str]]]:
    """What is sent, and the answer's body: what the gateway says together with what the service says."""
    head, body, signature = issue(app).split(".")
    personal = create_token(app.user, "personal")[1]
    password = base64.b64encode(b"alice:secret").decode()
    plain = {"message": "Unauthorized"}
    return {
        "none": (None, plain | {"description": "No Auth Header given"}),
        "empty": ("", plain | {"description": "No Auth Header given"}),
        "no token": ("Bearer", UNREADABLE),
        "no JWT": ("Bearer abc", UNREADABLE),
        "cut off": (f"Bearer {head}.{body}", UNREADABLE),
        "another scheme": (f"Basic {password}", UNREADABLE),
        "a personal token": (f"Bearer {personal}", UNREADABLE),
        "too long": ("Bearer " + "x" * 9000, UNREADABLE),
        "expired": (
            f"Bearer {issue(app, seconds=-1)}",
            {"exp": "token expired", "description": "JWT token has expired"},
        ),
        "signature": (
            f"Bearer {head}.{body}.{'BA'[signature[0] == 'B']}{signature[1:]}",
            plain | {"description": "The signature of the token is wrong."},
        ),
        "audience": (
            f"Bearer {altered(app, aud='other')}",
            plain | {"description": "The token is not meant for this portal (audience)."},
        ),
        "scope": (
            f"Bearer {issue(app, scopes=('other',))}",
            plain | {"description": "The token does not have the scope “firecrest”."},
        ),
    }


PLACES = [
    ("GET", KNOWN), ("GET", f"{KNOWN}/"), ("GET", f"/{KNOWN}"), ("POST", KNOWN), ("PATCH", KNOWN),
    ("GET", "/tasks/taskslist"), ("GET", "/nowhere"), ("GET", "/"), ("GET", ""), ("DELETE", "/no/where/"),
    ("POST", "/utilities/upload"), ("PUT", "/utilities/chmod"), ("GET", "/utilities/ls"), ("OPTIONS", KNOWN),
    ("GET", "/schema"), ("GET", "/utilities/ls%00"), ("HEAD", KNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_the_token_comes_first_everywhere(app: OAuthClient, method: str, path: str) -> None:
    for name, (header, body) in bad_headers(app).items():
        answer = ask(header, path, method)
        assert answer.status_code == 401, (name, answer.content)
        assert answer["WWW-Authenticate"] == 'Bearer realm="Centro"', name
        assert answer["Content-Type"] == "application/json" and not answer.cookies
        if method != "HEAD":
            assert answer.json() == body, name


def test_an_address_that_is_none_after_the_token(app: OAuthClient) -> None:
    good = f"Bearer {issue(app)}"
    assert ask(good, "/nowhere").status_code == 404
    assert ask(good, "/nowhere", "DELETE").json()
    assert ask(good, KNOWN, "POST").status_code == 405


def test_a_session_counts_for_nothing(alice: User, app: OAuthClient) -> None:
    browser = Client()
    browser.force_login(alice)
    assert ask(None, browser=browser).status_code == 401
    bob = clients.create_client(make_user("bob"), "b")[0]
    assert ask(f"Bearer {issue(bob)}", browser=browser).status_code == 200


def test_what_ends_a_token_ends_it_at_the_next_request(alice: User, app: OAuthClient) -> None:
    header = f"Bearer {issue(app)}"
    assert ask(header).status_code == 200
    app.scopes = []
    app.save()
    assert "scope" in ask(header).json()["description"]
    app.scopes = ["firecrest"]
    app.save()
    alice.is_active = False
    alice.save()
    assert ask(header).status_code == 401
    alice.is_active = True
    alice.save()
    assert ask(header).status_code == 200
    app.client_secret = make_password("new")
    app.save()
    assert ask(header).status_code == 401
    app.delete()
    answer = ask(header)
    assert answer.status_code == 401 and "deleted" in answer.json()["description"]


@pytest.fixture(scope="module")
def server() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def issuer(server: Issuer, settings: Any) -> Iterator[Issuer]:
    values = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": server.url}
    settings.CENTRO_OIDC = Oidc.model_validate(values)
    outer.forget()
    yield server
    outer.forget()
    server.status = 200


def test_tokens_of_the_outer_issuer(issuer: Issuer, alice: User) -> None:
    assert ask(f"Bearer {issuer.token()}").status_code == 200
    refused = {
        issuer.token(exp=1): {"exp": "token expired", "description": "JWT token has expired"},
        issuer.token("bob"): {
            "message": "Unauthorized",
            "description": "The person that the token names is not known here.",
        },
        issuer.token(scope="profile"): {
            "message": "Unauthorized",
            "description": "The token does not have the scope “firecrest”.",
        },
    }
    for text, body in refused.items():
        answer = ask(f"Bearer {text}")
        assert (answer.status_code, answer.json()) == (401, body)


def test_an_issuer_that_is_away(issuer: Issuer, alice: User, app: OAuthClient) -> None:
    issuer.status = 500
    answer = ask(f"Bearer {issuer.token()}")
    assert answer.status_code == 503 and "keys of the issuer" in answer.json()["description"]
    assert ask(f"Bearer {issue(app)}").status_code == 200, "Centro's own tokens go on"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["client_secret_post", "client_secret_basic"])
def test_the_real_client_logs_in(live_server: Any, way: str) -> None:
    alice = make_user("alice")
    app, secret = clients.create_client(alice, "workflow")
    address = f"{live_server.url}/o/token/"
    login = ClientCredentialsAuth(app.client_id, secret, address, client_auth_method=way)
    client = Firecrest(live_server.url + ROOT, login)
    assert client.whoami() == "alice"
    assert {service["service"] for service in client.all_services()} >= {"utilities", "compute"}
    text = login.get_access_token()
    assert text == login.get_access_token(), "kept until it is about to end"
    clients.delete_client(user=alice, pk=app.pk)
    with pytest.raises(UnauthorizedException):
        client.all_services()
    wrong = ClientCredentialsAuth(app.client_id, "wrong", address, client_auth_method=way)
    with pytest.raises(ClientsCredentialsException) as caught:
        wrong.get_access_token()
    assert "invalid_client" in str(caught.value)
