"""The way from a system account to the system: one connection pool per process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.fernet import InvalidToken
from django.conf import settings

from accounts.models import Credential, CredentialKind
from hpc.client import SystemClient, SystemSpec
from hpc.errors import SettingsUnusable
from hpc.jobs import SystemLimits
from hpc.schedulers.base import Scheduler
from hpc.schedulers.registry import scheduler_for
from hpc.transports.credentials import (
    CertificateCredential,
    KeyCredential,
    NoCredential,
)
from hpc.transports.credentials import Credential as TransportCredential
from hpc.transports.pool import TransportPool
from pipeline_management.choices import TransportKind
from pipeline_management.models import System, SystemAccount

logger = logging.getLogger(__name__)

pool = TransportPool()

_told: dict[int, str] = {}
"""What the log has of each account whose settings are unusable, so that it says so once and not at every request."""


def credential_of(username: str, credential: Credential | None) -> TransportCredential:
    """The stored credential, decrypted, as the transport takes it."""
    if credential is None:
        return NoCredential(username)
    if credential.kind == CredentialKind.CA:
        return CertificateCredential(username, credential.secret)
    return KeyCredential(username, credential.secret, credential.passphrase or None)


def limits_of(system: System) -> SystemLimits:
    """The system's limits, those not given and those that are none at their defaults.

    So that a page can say how large a file may be while the system is out of order; ``client_for`` is strict.
    """
    given = system.limits if isinstance(system.limits, dict) else {}
    return SystemLimits(**{name: value for name, value in given.items() if _is_limit(name, value)})


def _is_limit(name: str, value: object) -> bool:
    """Whether it is a number above 0 for a limit that there is."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return number and name in SystemLimits.__dataclass_fields__


def scheduler_of(system: System) -> Scheduler:
    """The adapter of the system's scheduler with the site's options. Raises ``SettingsUnusable``."""
    with _settings_of(system):
        return scheduler_for(system.scheduler, system.scheduler_options)


def client_for(account: SystemAccount) -> SystemClient:
    """A client that acts on ``account.system`` as this account. Opens nothing yet.

    Raises ``SettingsUnusable`` where the stored settings are unusable, and logs that for the operator.
    """
    try:
        with _settings_of(account.system):
            credential = _credential(account)
        client = _client(account, credential)
    except SettingsUnusable as error:
        if _told.get(account.pk) != str(error):
            _told[account.pk] = str(error)
            logger.error("%s cannot be used: %s", account, error)
        raise
    _told.pop(account.pk, None)
    return client


def fault_of(account: SystemAccount) -> str:
    """Why the stored settings of the account and its system are unusable, "" where they are not.

    Looks at the row alone: neither at the system nor at the credential's secret.
    """
    username = account.username
    missing = account.credential_id is None
    stand_in = NoCredential(username) if missing else KeyCredential(username, "")
    try:
        _client(account, stand_in)
    except SettingsUnusable as error:
        return str(error)
    return ""


def _credential(account: SystemAccount) -> TransportCredential:
    stored = None if account.system.transport == TransportKind.LOCAL else account.credential
    return credential_of(account.username, stored)


def _client(account: SystemAccount, credential: TransportCredential) -> SystemClient:
    system = account.system
    with _settings_of(system):
        _check_limits(system)
        return SystemClient.open(
            pool,
            SystemSpec(
                name=system.name,
                transport=system.transport,
                host=system.host,
                port=system.port,
                host_keys=tuple(system.host_keys),
                scheduler=system.scheduler,
                scheduler_options=system.scheduler_options,
                limits=limits_of(system),
                username=account.username,
                credential=credential,
            ),
        )


def _check_limits(system: System) -> None:
    for name, value in system.limits.items():
        if not _is_limit(name, value):
            known = ", ".join(SystemLimits.__dataclass_fields__)
            raise ValueError(
                f"system {system.name!r}: limits.{name} is {value!r}, expected a number above 0 for one of {known}"
            )


@contextmanager
def _settings_of(system: System) -> Iterator[None]:
    """What is stored may be of any kind, as it is JSON: whatever cannot be read is unusable."""
    try:
        yield
    except ValueError as error:
        raise SettingsUnusable(str(error)) from error
    except (TypeError, AttributeError, InvalidToken) as error:
        raise SettingsUnusable(f"system {system.name!r}: {error}") from error


def settle_seconds(system: System) -> int:
    """How long a submission of unknown outcome is waited for: the setting, or twice the slowest submit."""
    return max(settings.CENTRO_SETTLE_SECONDS, round(2 * system.submit_seconds))
