"""Links and forms of the local store: signed by HMAC-SHA256, for one method and key, until a time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from staging.base import UploadForm
from staging.errors import LinkRefused

ALGORITHM = "CENTRO-HMAC-SHA256"
_CREDENTIAL = "centro"
_LONGEST = 4096
_NAMES = ("method", "expires", "limit", "upload", "part", "name")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link or form allows. ``limit`` in bytes, exact where ``exact``; part 0 is the whole object;
    ``name`` is what a browser is to call the file."""

    method: str
    key: str
    limit: int = 0
    exact: bool = False
    upload_id: str = ""
    part: int = 0
    name: str = ""


class Signer:
    """Makes and checks them. ``secret`` is any text of the installation's own."""

    def __init__(self, secret: str) -> None:
        self._secret = hashlib.sha256(b"centro staging links\0" + secret.encode()).digest()

    def url(self, base: str, grant: Grant, seconds: int) -> str:
        """``base`` is the address of the area, without a slash at its end."""
        values = {
            "method": grant.method,
            "expires": str(int(time.time()) + seconds),
            "limit": str(grant.limit) if grant.exact else "",
            "upload": grant.upload_id,
            "part": str(grant.part or ""),
            "name": grant.name,
        }
        signature = self._sign(grant.key, *(values[name] for name in _NAMES))
        query = urlencode({k: v for k, v in values.items() if v} | {"signature": signature})
        return f"{base}/{quote(grant.key)}?{query}"

    def check_url(self, method: str, key: str, query: Mapping[str, str]) -> Grant:
        """Raises ``LinkRefused`` with a sentence; HEAD passes where GET does."""
        values = {name: query.get(name, "") for name in _NAMES}
        expected = self._sign(key, *(values[name] for name in _NAMES))
        if not _same(expected, query.get("signature", "")):
            raise LinkRefused("The signature of this link is wrong.")
        if values["method"] != ("GET" if method == "HEAD" else method):
            raise LinkRefused(f"This link is for {values['method']}, not for {method}.")
        if int(values["expires"]) <= time.time():
            raise LinkRefused("This link has expired.")
        return Grant(
            method=values["method"],
            key=key,
            limit=int(values["limit"] or 0),
            exact=bool(values["limit"]),
            upload_id=values["upload"],
            part=int(values["part"] or 0),
            name=values["name"],
        )

    def form(self, url: str, key: str, limit: int, seconds: int) -> UploadForm:
        """The fields have the names that S3 gives them (browser-based uploads, signature version 4)."""
        now = datetime.now(UTC)
        ends = datetime.fromtimestamp(now.timestamp() + seconds, UTC)
        policy = {
            "expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "conditions": [{"key": key}, ["content-length-range", 0, limit]],
        }
        encoded = base64.b64encode(json.dumps(policy).encode()).decode()
        date = now.strftime("%Y%m%dT%H%M%SZ")
        fields = {
            "key": key,
            "policy": encoded,
            "x-amz-algorithm": ALGORITHM,
            "x-amz-credential": _CREDENTIAL,
            "x-amz-date": date,
            "x-amz-signature": self._sign("form", encoded, date),
        }
        return UploadForm("POST", url, fields)

    def check_form(self, fields: Mapping[str, str]) -> Grant:
        """Raises ``LinkRefused`` with a sentence."""
        policy, date = fields.get("policy", ""), fields.get("x-amz-date", "")
        signature = self._sign("form", policy, date)
        if len(policy) > _LONGEST or not _same(signature, fields.get("x-amz-signature", "")):
            raise LinkRefused("The signature of this form is wrong.")
        said: dict[str, Any] = json.loads(base64.b64decode(policy))
        ends = datetime.strptime(said["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if ends <= datetime.now(UTC):
            raise LinkRefused("This form has expired.")
        key = said["conditions"][0]["key"]
        if fields.get("key") != key:
            raise LinkRefused("This form is for another key.")
        return Grant("POST", key, limit=said["conditions"][1][2])

    def _sign(self, *words: str) -> str:
        text = json.dumps(words).encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
