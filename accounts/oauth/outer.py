"""The public keys of the outer issuer: fetched when needed, kept, fetched again for an unknown key id.

Anybody may send tokens with made-up key ids, so these bring at most one request to the issuer within
``INTERVAL``, and nobody waits for it whose key is at hand.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import jwt
from django.conf import settings

from accounts.oauth.errors import IssuerUnreachable, TokenError

FRESH = 3600.0  # seconds that keys are used without asking again
STALE = 24 * 3600.0  # and as long as that while the issuer does not answer
INTERVAL = 30.0  # seconds between two requests to the issuer
TIMEOUT = 5.0  # seconds for its answer
MAX_BYTES = 256 * 1024


class KeySet:
    """The keys at one address. Safe for threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, dict[str, Any]] = {}
        self._made: dict[tuple[str, str], jwt.PyJWK] = {}
        self._fetched = self._asked = float("-inf")
        self._fault = "not asked yet"
        self._fetching = threading.Lock()

    def key(self, key_id: str, algorithm: str) -> jwt.PyJWK:
        """The key with this id, for this algorithm. Raises ``TokenError`` and ``IssuerUnreachable``."""
        age = time.monotonic() - self._fetched
        if key_id not in self._keys or age > FRESH:
            self._refresh(wait=key_id not in self._keys)
            age = time.monotonic() - self._fetched
        if age > STALE:
            raise IssuerUnreachable(f"The keys of the issuer cannot be had: {self._fault}.")
        found = self._keys.get(key_id)
        if found is None:
            raise TokenError("The token is not signed by a key of its issuer.")
        return self._build(found, key_id, algorithm)

    def _build(self, found: dict[str, Any], key_id: str, algorithm: str) -> jwt.PyJWK:
        made = self._made.get((key_id, algorithm))
        if made is None:
            if found.get("alg") not in (None, algorithm):
                raise TokenError("The token is signed by an algorithm that its key is not for.")
            try:
                made = jwt.PyJWK(found, algorithm=algorithm)
            except (jwt.PyJWTError, ValueError) as error:
                raise TokenError(
                    "The token names a key that does not fit its algorithm."
                ) from error
            self._made[key_id, algorithm] = made
        return made

    def _refresh(self, *, wait: bool) -> None:
        """Ask the issuer, unless it was asked a moment ago; ``wait`` for another thread that asks."""
        if not self._fetching.acquire(timeout=TIMEOUT if wait else 0):
            return
        try:
            now = time.monotonic()
            if now - self._asked < INTERVAL:
                return
            self._asked = now
            try:
                self._keys, self._made = fetch(self._url), {}
            except (OSError, ValueError, http.client.HTTPException) as error:
                self._fault = str(getattr(error, "reason", error)) or type(error).__name__
            else:
                self._fetched = time.monotonic()
        finally:
            self._fetching.release()


def fetch(url: str) -> dict[str, dict[str, Any]]:
    """The signing keys of a JWK set (RFC 7517) by their ids. Raises ``OSError`` and ``ValueError``."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 (http or https, see centro/config/sections.py)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 (as above)
        data = answer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("the answer is too large")
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("the answer is no JWK set") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer is no JWK set")
    return {
        key["kid"]: key
        for key in keys
        if isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
    }


_sets: dict[str, KeySet] = {}


def key(key_id: object, algorithm: str) -> jwt.PyJWK:
    """The configured issuer's key. Raises ``TokenError`` and ``IssuerUnreachable``."""
    if not isinstance(key_id, str) or not key_id:
        raise TokenError("The token does not say which key has signed it (kid).")
    url = str(settings.CENTRO_OIDC.jwks_url)
    return _sets.setdefault(url, KeySet(url)).key(key_id, algorithm)


def forget() -> None:
    """Drop all keys of this process."""
    _sets.clear()
