"""OAuth clients of a site file: what is stored, what a change ends, what pruning takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.models import OAuthClient
from accounts.oauth import clients, tokens
from accounts.oauth.errors import TokenError
from pipeline_management.services.site.reading import SiteError

ADDRESS = "10.9.8.7"
APP = {"client_id": "my-app", "client_secret": "a secret: 1%+", "user": "alice"}


def told(changes: Any) -> list[str]:
    return [str(entry) for entry in changes.made]


@pytest.fixture
def applied(site: dict[str, Any], apply: Any) -> dict[str, Any]:
    """The site with one client, already applied."""
    apply(site)
    site["oauth_clients"] = [dict(APP)]
    assert told(apply(site)) == ["created   client my-app"]
    return site


def test_only_a_hash_of_the_secret_is_stored(applied: dict[str, Any]) -> None:
    client = OAuthClient.objects.get()
    assert client.user.username == "alice" and client.scopes == ["firecrest"] and client.from_site
    assert (client.client_type, client.authorization_grant_type) == (
        "confidential",
        "client-credentials",
    )
    assert APP["client_secret"] not in str(OAuthClient.objects.values().get())
    assert client.client_secret.startswith("argon2")
    assert clients.check("my-app", [APP["client_secret"]], ADDRESS) == client
    assert clients.check("my-app", ["a secret: 1%"], ADDRESS) is None
    assert clients.check("MY-APP", [APP["client_secret"]], ADDRESS) is None


def test_a_second_time_changes_nothing(applied: dict[str, Any], apply: Any) -> None:
    before = OAuthClient.objects.values().get()
    assert apply(applied).made == [] and apply(applied, remove=True).made == []
    assert OAuthClient.objects.values().get() == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"client_secret": "another"}, "updated   client my-app: client_secret"),
        ({"user": "bob"}, "updated   client my-app: user"),
    ],
)
def test_a_change_ends_older_tokens(
    change: dict[str, str], line: str, applied: dict[str, Any], apply: Any
) -> None:
    client = OAuthClient.objects.get()
    text = tokens.issue(client, username="alice", scopes=["firecrest"], seconds=60)
    assert tokens.verify(text)[0].username == "alice"
    applied["oauth_clients"] = [APP | change]
    assert told(apply(applied)) == [line]
    with pytest.raises(TokenError, match="deleted or has a new secret"):
        tokens.verify(text)


def test_secrets_from_files_and_the_environment(
    applied: dict[str, Any], apply: Any, site_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site_path.parent / "word").write_text("from a file\n")
    monkeypatch.setenv("THE_WORD", "from the environment")
    applied["oauth_clients"] = [
        {"client_id": "one", "client_secret_file": "word", "user": "alice"},
        {
            "client_id": "two",
            "client_secret_env": "THE_WORD",
            "user": "bob",
            "scopes": ["firecrest"],
        },
    ]
    apply(applied)
    assert clients.check("one", ["from a file"], ADDRESS)
    assert clients.check("two", ["from the environment"], ADDRESS)


def test_pruning_leaves_what_people_made(applied: dict[str, Any], apply: Any) -> None:
    own, _ = clients.create_client(User.objects.get(username="alice"), "mine")
    applied["oauth_clients"] = []
    assert apply(applied).made == []
    assert told(apply(applied, remove=True)) == ["removed   client my-app"]
    assert OAuthClient.objects.get() == own
    assert apply(applied, remove=True).made == []


def test_a_dry_run_writes_nothing(site: dict[str, Any], apply: Any) -> None:
    site["oauth_clients"] = [dict(APP)]
    assert "created   client my-app" in told(apply(site, dry_run=True))
    assert not OAuthClient.objects.exists()


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"client_id": "a b"}, "[0].client_id", "letters, digits"),
    ({"client_id": None}, "[0].client_id", "is missing"),
    ({"user": "nobody"}, "[0].user", "no user 'nobody'"),
    ({"user": "alic"}, "[0].user", 'did you mean "alice"?'),
    ({"client_secret": None}, "[0]", "exactly one of client_secret"),
    ({"client_secret": ""}, "[0].client_secret", "at least 1 character"),
    ({"client_secret_file": "x"}, "[0]", "exactly one of client_secret"),
    (
        {"client_secret": None, "client_secret_file": "none"},
        "[0].client_secret_file",
        "No such file",
    ),
    (
        {"client_secret": None, "client_secret_env": "NO_SUCH_VARIABLE"},
        "[0].client_secret_env",
        "NO_SUCH_VARIABLE is not set",
    ),
    ({"scopes": ["everything"]}, "[0].scopes[0]", "'firecrest', found 'everything'"),
    ({"scopes": []}, "[0].scopes", "at least 1 item"),
    ({"secret": "x"}, "[0].secret", "is not a known key"),
]


@pytest.mark.parametrize(("changes", "where", "text"), BROKEN)
def test_faults_say_where_and_what(
    changes: dict[str, Any], where: str, text: str, site: dict[str, Any], apply: Any
) -> None:
    client = {key: value for key, value in (APP | changes).items() if value is not None}
    site["oauth_clients"] = [client]
    with pytest.raises(SiteError) as caught:
        apply(site)
    told = [str(fault) for fault in caught.value.faults]
    assert any(f"oauth_clients{where}: " in line and text in line for line in told), told
    assert not User.objects.exists()


def test_an_id_is_given_once(site: dict[str, Any], apply: Any) -> None:
    site["oauth_clients"] = [dict(APP), APP | {"user": "bob"}]
    with pytest.raises(SiteError, match=r"oauth_clients\[1\].client_id: is the same as that of"):
        apply(site)
