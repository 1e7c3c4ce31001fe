"""The way from a system account to the system: one connection pool per process."""

from __future__ import annotations

from django.conf import settings

from accounts.models import Credential, CredentialKind
from hpc.client import SystemClient, SystemSpec
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

pool = TransportPool()


def credential_of(username: str, credential: Credential | None) -> TransportCredential:
    """The stored credential, decrypted, as the transport takes it."""
    if credential is None:
        return NoCredential(username)
    if credential.kind == CredentialKind.CA:
        return CertificateCredential(username, credential.secret)
    return KeyCredential(username, credential.secret, credential.passphrase or None)


def limits_of(system: System) -> SystemLimits:
    """The system's limits, those not given at their defaults."""
    return SystemLimits(**system.limits)


def scheduler_of(system: System) -> Scheduler:
    """The adapter of the system's scheduler with the site's options."""
    return scheduler_for(system.scheduler, system.scheduler_options)


def client_for(account: SystemAccount) -> SystemClient:
    """A client that acts on ``account.system`` as this account. Opens nothing yet.

    Raises ``ValueError`` where the stored settings are unusable.
    """
    system = account.system
    username = account.username
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
            username=username,
            credential=credential_of(
                username, None if system.transport == TransportKind.LOCAL else account.credential
            ),
        ),
    )


def settle_seconds(system: System) -> int:
    """How long a submission of unknown outcome is waited for: the setting, or twice the slowest submit."""
    return max(settings.CENTRO_SETTLE_SECONDS, round(2 * system.submit_seconds))
