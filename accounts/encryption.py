"""Secrets at rest: a model field whose value is encrypted with keys that the database does not hold."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher of the configured keys: the first encrypts, all of them decrypt."""
    keys = tuple(settings.CENTRO_ENCRYPTION_KEYS)
    if not keys:
        raise ImproperlyConfigured("encryption_keys is empty: no secret can be stored or read")
    return _cipher(keys)


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database; reading it with none of the keys raises ``InvalidToken``.

    It cannot be searched: every encryption of one text gives another value.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return cipher().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        if not value:
            return value
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise InvalidToken(
                "a stored secret was encrypted with a key that is not in encryption_keys"
            ) from error
