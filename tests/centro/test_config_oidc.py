"""Settings of the outer issuer and of Centro's own tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from centro.config import ConfigError, load

REALM = "https://login.example.org/realms/hpc"
WHOLE = {
    "CENTRO_OIDC_ISSUER": REALM,
    "CENTRO_OIDC_AUDIENCE": "centro",
    "CENTRO_OIDC_JWKS_URL": f"{REALM}/protocol/openid-connect/certs",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "secrets.json"
    keys = {"secret_key": "0123456789" * 6, "encryption_keys": [Fernet.generate_key().decode()]}
    path.write_text(json.dumps(keys))
    return {"CENTRO_SECRETS": str(path)}


def test_from_the_environment(environment: dict[str, str]) -> None:
    more = {"CENTRO_OIDC_ALGORITHMS": "RS256, ES256", "CENTRO_OIDC_USERNAME_CLAIM": "login"}
    oidc = load(environment | WHOLE | more).oidc
    assert (oidc.issuer, oidc.audience) == (REALM, "centro")
    assert oidc.algorithms == ["RS256", "ES256"] and oidc.username_claim == "login"


def test_from_the_file(environment: dict[str, str]) -> None:
    path = Path(environment["CENTRO_SECRETS"])
    section = {"issuer": REALM, "audience": "centro", "jwks_url": f"{REALM}/certs"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"oidc": section}))
    assert load(environment).oidc.jwks_url == f"{REALM}/certs"


def test_nothing_is_configured_at_first(environment: dict[str, str]) -> None:
    config = load(environment)
    assert config.oidc.issuer is None and config.oidc.algorithms == ["RS256"]
    assert config.oidc.username_claim == "preferred_username"
    assert config.oauth_token_seconds == 3600
    assert load(environment | {"CENTRO_OAUTH_TOKEN_SECONDS": "60"}).oauth_token_seconds == 60


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CENTRO_OIDC_ALGORITHMS": "HS256"}, ("CENTRO_OIDC_ALGORITHMS", "RS256")),
        ({"CENTRO_OIDC_ALGORITHMS": "none"}, ("CENTRO_OIDC_ALGORITHMS", "RS256")),
        ({"CENTRO_OIDC_ALGORITHMS": ","}, ("CENTRO_OIDC_ALGORITHMS", "at least 1 item")),
        ({"CENTRO_OIDC_AUDIENCE": ""}, ("needs an audience", "or a client_id")),
        ({"CENTRO_OIDC_CLIENT_ID": "centro"}, ("belong together", "missing: client_secret")),
        (
            {"CENTRO_OIDC_AUTHORIZATION_URL": f"{REALM}/auth"},
            ("belong together", "missing: client_id"),
        ),
        (
            {"CENTRO_OIDC_TOKEN_URL": "http://login.example.org/token"},
            ("CENTRO_OIDC_TOKEN_URL", "must be https"),
        ),
        ({"CENTRO_OIDC_FIRST_LOGIN": "always"}, ("CENTRO_OIDC_FIRST_LOGIN", "by-name")),
        ({"CENTRO_OIDC_JWKS_URL": ""}, ("belong together", "missing: jwks_url")),
        ({"CENTRO_OIDC_ISSUER": ""}, ("belong together", "missing: issuer")),
        (
            {"CENTRO_OIDC_JWKS_URL": "http://login.example.org/certs"},
            ("CENTRO_OIDC_JWKS_URL", "must be https"),
        ),
        (
            {"CENTRO_OIDC_JWKS_URL": "file:///etc/passwd"},
            ("CENTRO_OIDC_JWKS_URL", "an address such as"),
        ),
        ({"CENTRO_OIDC_ISSUER": "login.example.org"}, ("CENTRO_OIDC_ISSUER", "an address such as")),
        ({"CENTRO_OIDC_SECRET": "x"}, ("CENTRO_OIDC_SECRET", "is not a setting")),
        ({"CENTRO_OAUTH_TOKEN_SECONDS": "59"}, ("CENTRO_OAUTH_TOKEN_SECONDS", "60")),
    ],
)
def test_faults_name_the_variable(
    environment: dict[str, str], changes: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environment | WHOLE | changes)
    for word in words:
        assert word in str(caught.value)


LOGIN = {
    "CENTRO_OIDC_ISSUER": REALM,
    "CENTRO_OIDC_JWKS_URL": f"{REALM}/protocol/openid-connect/certs",
    "CENTRO_OIDC_CLIENT_ID": "centro",
    "CENTRO_OIDC_CLIENT_SECRET": "hush",
    "CENTRO_OIDC_AUTHORIZATION_URL": f"{REALM}/protocol/openid-connect/auth",
    "CENTRO_OIDC_TOKEN_URL": f"{REALM}/protocol/openid-connect/token",
}


def test_logging_in_and_access_tokens_are_apart(environment: dict[str, str]) -> None:
    oidc = load(environment | LOGIN).oidc
    assert oidc.logs_in and not oidc.accepts_tokens
    assert (oidc.label, oidc.first_login) == ("single sign-on", "by-name")
    oidc = load(environment | WHOLE).oidc
    assert oidc.accepts_tokens and not oidc.logs_in
    oidc = load(environment | WHOLE | LOGIN).oidc
    assert oidc.accepts_tokens and oidc.logs_in


@pytest.mark.parametrize("name", ["CENTRO_OIDC_ISSUER", "CENTRO_OIDC_JWKS_URL"])
def test_logging_in_needs_the_issuer_and_its_keys(environment: dict[str, str], name: str) -> None:
    missing = name.removeprefix("CENTRO_OIDC_").lower()
    with pytest.raises(ConfigError, match=f"belong together; missing: {missing}"):
        load(environment | {key: value for key, value in LOGIN.items() if key != name})


def test_loopback_may_do_without_tls(environment: dict[str, str]) -> None:
    for host in ("127.0.0.1:8080", "localhost", "[::1]:9"):
        url = f"http://{host}/certs"
        assert load(environment | WHOLE | {"CENTRO_OIDC_JWKS_URL": url}).oidc.jwks_url == url
