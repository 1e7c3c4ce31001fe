"""Access tokens of an outer issuer: whose they are, when its keys are fetched, what is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User

from accounts.oauth import outer, tokens
from accounts.oauth.errors import ExpiredToken, IssuerUnreachable, TokenError, UnreadableToken
from centro.config.sections import Oidc
from tests.accounts.issuer import AUDIENCE, ISSUER, Issuer

pytestmark = pytest.mark.django_db


@pytest.fixture
def issuer(login_server: Issuer, settings: Any) -> Iterator[Issuer]:
    """The issuer with one key, configured, and never asked before."""
    login_server.keys = {"first": login_server.first}
    login_server.asked, login_server.status, login_server.answer, login_server.delay = (
        0,
        200,
        None,
        0.0,
    )
    settings.CENTRO_OIDC = configured(login_server)
    outer.forget()
    yield login_server
    outer.forget()


def configured(issuer: Issuer, **changes: Any) -> Oidc:
    values = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": issuer.url} | changes
    return Oidc.model_validate(values)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the keys' clock is put forward."""
    ahead, real = [0.0], time.monotonic
    monkeypatch.setattr(outer.time, "monotonic", lambda: real() + ahead[0])
    return ahead


def test_a_person_and_what_the_token_says(issuer: Issuer, alice: User) -> None:
    user, info = tokens.verify(issuer.token())
    assert user == alice
    assert (info.issuer, info.client) == (ISSUER, "workflow")
    assert info.scopes == {"profile", "firecrest", "email"}
    assert info.expires_at.timestamp() == pytest.approx(time.time() + 300, abs=5)


def test_another_claim_may_name_the_person(issuer: Issuer, alice: User, settings: Any) -> None:
    settings.CENTRO_OIDC = configured(issuer, username_claim="centro_user")
    with pytest.raises(TokenError, match="no claim “centro_user”"):
        tokens.verify(issuer.token())
    assert tokens.verify(issuer.token("else", centro_user="alice"))[0] == alice


@pytest.mark.parametrize(
    "name", ["bob", "ALICE", "alice ", "", None, 7, ["alice"], {"a": 1}, "a" * 500]
)
def test_only_people_who_are_known(issuer: Issuer, alice: User, name: Any) -> None:
    with pytest.raises(TokenError):
        tokens.verify(issuer.token(preferred_username=name))
    assert User.objects.count() == 1, "nobody is made from a token"


def test_a_locked_person(issuer: Issuer, alice: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(TokenError, match="may not log in"):
        tokens.verify(issuer.token())


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"exp": NOW - 60}, ExpiredToken, "expired"),
        ({"exp": None}, TokenError, "lacks a claim"),
        ({"exp": "soon"}, UnreadableToken, "cannot be read"),
        ({"nbf": NOW + 3600}, TokenError, "not valid yet"),
        ({"iat": NOW + 3600}, TokenError, "not valid yet"),
        ({"aud": "account"}, TokenError, "audience"),
        ({"aud": ["account", "other"]}, TokenError, "audience"),
        ({"aud": None}, TokenError, "lacks a claim"),
        ({"iss": "https://login.example.org/realms/other"}, TokenError, "another issuer"),
        ({"iss": None}, TokenError, "lacks a claim"),
        ({"iss": "http://127.0.0.1:8000/o"}, TokenError, "another issuer"),
    ],
)
def test_claims_that_are_checked(
    issuer: Issuer, alice: User, changes: dict[str, Any], kind: type[TokenError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        tokens.verify(issuer.token(**changes))


def test_clocks_may_differ_by_seconds(issuer: Issuer, alice: User) -> None:
    now = int(time.time())
    assert tokens.verify(issuer.token(iat=now + 5, nbf=now + 5))[0] == alice
    assert tokens.verify(issuer.token(exp=now - 5))[0] == alice
    assert tokens.verify(issuer.token(exp=10**18))[1].expires_at.year > 2100


def test_signatures_that_prove_nothing(issuer: Issuer, alice: User) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = issuer.keys["first"][0].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(TokenError, match="signature"):
        tokens.verify(issuer.token(signer=stranger))
    with pytest.raises(TokenError, match="algorithm"):
        tokens.verify(issuer.token(algorithm="none", signer=""))
    with pytest.raises(TokenError, match="algorithm"):
        tokens.verify(issuer.token(algorithm="HS256", signer=bytes(reversed(pem))))
    with pytest.raises(TokenError, match="algorithm"):  # right, but not one that is accepted
        tokens.verify(issuer.token(algorithm="RS512"))
    head, body, signature = issuer.token().split(".")
    other = issuer.token("root").split(".")[1]
    with pytest.raises(TokenError, match="signature"):
        tokens.verify(f"{head}.{other}.{signature}")
    with pytest.raises(UnreadableToken):
        tokens.verify(f"{head}.{body}")


def test_a_key_is_for_its_own_algorithm(issuer: Issuer, alice: User, settings: Any) -> None:
    settings.CENTRO_OIDC = configured(issuer, algorithms=["RS256", "PS256", "ES256"])
    issuer.rotate("curve", kind="EC")
    issuer.rotate("bound", alg="PS256")
    assert tokens.verify(issuer.token(key_id="curve", algorithm="ES256"))[0] == alice
    assert tokens.verify(issuer.token(key_id="bound", algorithm="PS256"))[0] == alice
    assert tokens.verify(issuer.token(key_id="first", algorithm="PS256"))[0] == alice
    with pytest.raises(TokenError, match="not for"):
        tokens.verify(issuer.token(key_id="bound", algorithm="RS256"))
    signer = issuer.keys["first"][0]
    with pytest.raises(TokenError, match="does not fit"):
        tokens.verify(issuer.token(key_id="curve", signer=signer, algorithm="RS256"))


def test_keys_that_do_not_sign_are_not_used(issuer: Issuer, alice: User) -> None:
    issuer.rotate("encryption", use="enc")
    issuer.add("shared", "k" * 32, {"kty": "oct", "k": "a2tra2traw"})
    for key_id in ("encryption", "shared"):
        with pytest.raises(TokenError, match="not signed by a key of its issuer"):
            tokens.verify(issuer.token(key_id=key_id, signer=issuer.keys["first"][0]))
    for header in ({"kid": ""}, {"kid": "../first"}):
        with pytest.raises(TokenError):
            tokens.verify(issuer.token(header=header))


def test_the_keys_are_fetched_once(issuer: Issuer, alice: User, clock: list[float]) -> None:
    text = issuer.token()
    for _ in range(5):
        tokens.verify(text)
    assert issuer.asked == 1
    clock[0] = outer.FRESH + 1
    tokens.verify(text)
    assert issuer.asked == 2


def test_a_new_key_is_found_and_an_old_one_forgotten(
    issuer: Issuer, alice: User, clock: list[float]
) -> None:
    old = issuer.token()
    assert tokens.verify(old)
    issuer.rotate("second")
    new = issuer.token(key_id="second")
    with pytest.raises(TokenError, match="not signed by a key"):
        tokens.verify(new)  # asked a moment ago: not again
    clock[0] = outer.INTERVAL + 1
    assert tokens.verify(new)[0] == alice and tokens.verify(old)[0] == alice
    assert issuer.asked == 2
    issuer.withdraw("first")
    clock[0] += outer.FRESH + 1
    with pytest.raises(TokenError, match="not signed by a key"):
        tokens.verify(old)
    assert tokens.verify(new)[0] == alice


def test_made_up_key_ids_do_not_make_us_ask(
    issuer: Issuer, alice: User, clock: list[float]
) -> None:
    good, signer = issuer.token(), issuer.keys["first"][0]
    assert tokens.verify(good)
    clock[0] = outer.INTERVAL + 1
    for number in range(50):
        with pytest.raises(TokenError, match="not signed by a key"):
            tokens.verify(issuer.token(key_id=f"made-up-{number}", signer=signer))
    assert issuer.asked == 2
    assert tokens.verify(good)


def test_nobody_waits_for_a_slow_issuer_whose_key_is_at_hand(issuer: Issuer) -> None:
    keys = outer.KeySet(issuer.url)
    keys.key("first", "RS256")
    keys._asked -= outer.INTERVAL + 1
    issuer.delay = 1.0

    def unknown() -> None:
        with pytest.raises(TokenError):
            keys.key("made-up", "RS256")

    waiting = threading.Thread(target=unknown)
    waiting.start()
    while issuer.asked < 2:
        time.sleep(0.01)
    started = time.monotonic()
    keys.key("first", "RS256")
    assert time.monotonic() - started < 0.5
    waiting.join()


def test_many_first_requests_ask_once(issuer: Issuer) -> None:
    issuer.delay = 0.3
    keys, found = outer.KeySet(issuer.url), []
    threads = [
        threading.Thread(target=lambda: found.append(keys.key("first", "RS256"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and issuer.asked == 1


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"{}"), (404, b"no"), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": 3}'),
        (200, b"\xff\xfe\xfa"), (200, b"[" * 100_000), (200, b'{"keys": []}' + b" " * 300_000),
    ],
    ids=["500", "404", "html", "list", "number", "bytes", "nested", "large"],
)  # fmt: skip
def test_an_issuer_that_answers_nonsense(
    issuer: Issuer, alice: User, status: int, answer: bytes, clock: list[float]
) -> None:
    issuer.status, issuer.answer = status, answer
    text = issuer.token()
    for _ in range(3):
        with pytest.raises(IssuerUnreachable):
            tokens.verify(text)
    assert issuer.asked == 1
    issuer.status, issuer.answer = 200, None
    clock[0] = outer.INTERVAL + 1
    assert tokens.verify(text)[0] == alice


def test_an_outage_of_the_issuer_is_survived_for_a_day(
    issuer: Issuer, alice: User, clock: list[float]
) -> None:
    text = issuer.token()
    assert tokens.verify(text)
    issuer.status = 503
    clock[0] = outer.FRESH + 1
    assert tokens.verify(text)[0] == alice
    clock[0] = outer.STALE + 1
    with pytest.raises(IssuerUnreachable, match="503|Service Unavailable"):
        tokens.verify(text)


def test_a_damaged_key_is_an_error_of_the_token_not_ours(issuer: Issuer, alice: User) -> None:
    signer = issuer.keys["first"][0]
    issuer.add("damaged", signer, {"kty": "RSA", "n": "!!", "e": "AQAB"})
    issuer.add("empty", signer, {"kty": "EC"})
    for key_id in ("damaged", "empty"):
        with pytest.raises(TokenError):
            tokens.verify(issuer.token(key_id=key_id))


def test_without_an_issuer_nobody_is_asked(issuer: Issuer, alice: User, settings: Any) -> None:
    settings.CENTRO_OIDC = Oidc()
    with pytest.raises(TokenError, match="not signed by a key of this portal"):
        tokens.verify(issuer.token())
    assert issuer.asked == 0
