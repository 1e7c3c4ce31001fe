"""How Centro logs in to a system for somebody. Secrets never show in repr, errors or logs."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass, field
from datetime import timedelta

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
    load_pem_private_key,
    load_ssh_private_key,
)

from hpc.errors import AuthenticationFailed

_PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_CLOCK_SKEW = 60.0  # seconds that the system's clock may be behind ours


@dataclass(frozen=True, slots=True)
class KeyCredential:
    """A private key as text (OpenSSH or PEM; ed25519, ECDSA or RSA) with its passphrase, if any."""

    username: str
    private_key: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str:
        """A name for this credential that does not give it away; hex SHA-256."""
        return _digest("key", self.username, self.private_key, self.passphrase or "")

    def login_key(self) -> paramiko.PKey:
        """The key to log in with. Raises ``AuthenticationFailed`` when the text is no usable key."""
        return _to_paramiko(load_private_key(self.private_key, self.passphrase))


@dataclass(frozen=True, slots=True)
class CertificateCredential:
    """A user certificate authority: each connection gets a fresh key and a short-lived certificate.

    The system must trust the authority (``TrustedUserCAKeys`` in sshd_config). ``ttl`` bounds the time
    within which a connection may be opened, not how long it may last.
    """

    username: str
    ca_private_key: str = field(repr=False)
    ttl: timedelta = timedelta(minutes=2)
    passphrase: str | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str:
        """A name for this credential that does not give it away; hex SHA-256."""
        return _digest("ca", self.username, self.ca_private_key, self.passphrase or "")

    def login_key(self) -> paramiko.PKey:
        """A new ed25519 key carrying a certificate for ``username`` alone, without forwarding rights.

        Raises ``AuthenticationFailed`` when the authority's key is unusable.
        """
        authority = load_private_key(self.ca_private_key, self.passphrase)
        key = ed25519.Ed25519PrivateKey.generate()
        now = time.time()
        certificate = (
            SSHCertificateBuilder()
            .public_key(key.public_key())
            .serial(time.time_ns() % 2**63)
            .type(SSHCertificateType.USER)
            .key_id(f"centro:{self.username}".encode())
            .valid_principals([self.username.encode()])
            .valid_after(int(now - _CLOCK_SKEW))
            .valid_before(int(now + self.ttl.total_seconds()))
            .sign(authority)
        )
        login = _to_paramiko(key)
        login.load_certificate(certificate.public_bytes().decode("ascii"))
        return login


@dataclass(frozen=True, slots=True)
class NoCredential:
    """For transport "local": commands run as the user of this process."""

    username: str

    @property
    def fingerprint(self) -> str:
        return _digest("none", self.username)


Credential = KeyCredential | CertificateCredential | NoCredential


def load_private_key(text: str, passphrase: str | None = None) -> _PrivateKey:
    """Read a private key from text.

    Raises ``AuthenticationFailed`` saying what is wrong with the key, without a part of it.
    """
    data = text.strip().encode("utf-8", "replace") + b"\n"
    password = passphrase.encode() if passphrase else None
    loader = load_ssh_private_key if b"BEGIN OPENSSH" in data else load_pem_private_key
    try:
        key = loader(data, password)
    except TypeError as error:
        reason = (
            "it needs a passphrase" if password is None else "it has no passphrase, one was given"
        )
        raise AuthenticationFailed(f"the private key cannot be read: {reason}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = (
            "wrong passphrase or damaged text"
            if password
            else "it needs a passphrase or is not an OpenSSH or PEM private key"
        )
        raise AuthenticationFailed(f"the private key cannot be read: {reason}") from error
    if isinstance(key, _PrivateKey):
        return key
    raise AuthenticationFailed(
        "the private key is of a kind not supported: use ed25519, ECDSA or RSA"
    )


def _to_paramiko(key: _PrivateKey) -> paramiko.PKey:
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode("ascii")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return paramiko.Ed25519Key.from_private_key(io.StringIO(text))
    if isinstance(key, rsa.RSAPrivateKey):
        return paramiko.RSAKey.from_private_key(io.StringIO(text))
    return paramiko.ECDSAKey.from_private_key(io.StringIO(text))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
