"""Secrets at rest: encrypted in the database, opened when they are read, and kept as they are while no key fits."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.db import connection, transaction

from accounts.models import Credential, CredentialKind

pytestmark = pytest.mark.django_db
TEXT = "-----BEGIN KEY-----\nä\n"


@pytest.fixture
def stored() -> Credential:
    made = Credential.objects.create(name="a", kind=CredentialKind.KEY, secret=TEXT)
    return Credential.objects.get(pk=made.pk)


def raw(credential: Credential) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM accounts_credential WHERE id = %s", [credential.pk])
        return str(cursor.fetchone()[0])


def test_a_secret_is_encrypted_and_comes_back(stored: Credential) -> None:
    assert "BEGIN" not in raw(stored)
    assert (stored.secret, stored.passphrase) == (TEXT, "")
    assert type(stored.secret) is str
    assert Credential.objects.defer("secret").get().secret == TEXT
    assert pickle.loads(pickle.dumps(Credential.objects.get())).secret == TEXT  # noqa: S301  our own
    stored.secret = "other"
    stored.save()
    stored.refresh_from_db()
    assert stored.secret == "other"


def test_another_key_in_front_opens_what_the_old_one_closed(
    stored: Credential, settings: Any
) -> None:
    old = list(settings.CENTRO_ENCRYPTION_KEYS)
    settings.CENTRO_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *old]
    found = Credential.objects.get()
    assert found.secret == TEXT
    found.save()
    settings.CENTRO_ENCRYPTION_KEYS = settings.CENTRO_ENCRYPTION_KEYS[:1]
    assert Credential.objects.get().secret == TEXT


def test_without_its_key_a_row_is_loaded_and_the_secret_is_neither_read_nor_lost(
    stored: Credential, settings: Any
) -> None:
    keys, before = list(settings.CENTRO_ENCRYPTION_KEYS), raw(stored)
    settings.CENTRO_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    found = Credential.objects.get()
    assert found.name == "a"
    for _ in range(2):
        with pytest.raises(InvalidToken, match="not in encryption_keys"):
            assert found.secret
    found.name = "b"
    with pytest.raises(InvalidToken), transaction.atomic():
        found.save()
    found.save(update_fields=["name"])
    assert raw(stored) == before
    settings.CENTRO_ENCRYPTION_KEYS = keys
    assert Credential.objects.get().secret == TEXT
