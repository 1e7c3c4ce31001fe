"""The key that signs Centro's access tokens.

An elliptic-curve key (P-256, ES256) that follows from ``secret_key``: every process and every machine of
an installation has the same one, and there is nothing more to keep, to copy or to lose. A new
``secret_key`` gives a new key, and every token ends with the old one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from jwt.algorithms import ECAlgorithm

ALGORITHM = "ES256"
# The order of the curve's group, FIPS 186-5 (SEC 2, section 2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """The private key, its public half and the public half as a JSON Web Key (RFC 7517).

    There is one object per key, so it may stand for the key in a cache.
    """

    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey
    jwk: dict[str, Any]

    @property
    def id(self) -> str:
        """The ``kid``: the thumbprint of RFC 7638."""
        return str(self.jwk["kid"])


def signing_key() -> SigningKey:
    """The installation's key."""
    return _derive(settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _derive(secret: str) -> SigningKey:
    # 384 bits for a number below 2**256: what the remainder favours is immeasurable (FIPS 186-5, A.2.1).
    derivation = HKDF(hashes.SHA256(), length=48, salt=None, info=b"centro access tokens ES256")
    number = int.from_bytes(derivation.derive(secret.encode()), "big") % (_ORDER - 1) + 1
    private = ec.derive_private_key(number, ec.SECP256R1())
    public = private.public_key()
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(public, as_dict=True)
    return SigningKey(
        private, public, jwk | {"use": "sig", "alg": ALGORITHM, "kid": _thumbprint(jwk)}
    )


def _thumbprint(jwk: dict[str, Any]) -> str:
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
