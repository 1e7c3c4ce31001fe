"""Secrets at rest: a model field whose value is encrypted with keys that the database does not hold."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher of the configured keys: the first encrypts, all of them decrypt."""
    keys = tuple(settings.CENTRO_ENCRYPTION_KEYS)
    if not keys:
        raise ImproperlyConfigured("encryption_keys is empty: no secret can be stored or read")
    return _cipher(keys)


class _Sealed(str):
    """A value as the database holds it, not opened yet."""

    __slots__ = ()

    def opened(self) -> str:
        """The text. Raises ``InvalidToken``."""
        try:
            return cipher().decrypt(self.encode()).decode()
        except InvalidToken as error:
            raise InvalidToken(
                "a stored secret was encrypted with a key that is not in encryption_keys"
            ) from error


class _OpenedWhenRead(DeferredAttribute):
    """The attribute of an ``EncryptedTextField``: a row whose secret no key opens can still be loaded."""

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls) if instance is not None else self
        if isinstance(value, _Sealed) and instance is not None:
            value = instance.__dict__[self.field.attname] = value.opened()
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database. Reading the attribute raises ``InvalidToken`` where none of the keys
    fits; loading the row does not, so that what needs no secret goes on.

    It cannot be searched: every encryption of one text gives another value. ``values`` and ``values_list`` give
    what the database holds.
    """

    descriptor_class = _OpenedWhenRead

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return cipher().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return _Sealed(value) if value else value
