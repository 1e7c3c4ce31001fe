"""OpenID Connect's authorization code flow with PKCE, between a session of ours and the issuer.

OpenID Connect Core 1.0, section 3.1; RFC 7636 for PKCE; RFC 9700 for what is to be watched.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import gettext as _
from oauthlib.oauth2 import WebApplicationClient

from accounts.oauth.claims import header_of, outer_claims
from accounts.oauth.errors import IssuerUnreachable, TokenError
from accounts.sso.errors import LoginRefused, ServiceUnreachable

log = logging.getLogger(__name__)

SCOPES = "openid profile email"
TIMEOUT = 10.0
"""Seconds that the issuer has for each part of its answer."""
SECONDS = 15 * 60
"""How long somebody may take at the issuer."""
MAX_FLOWS = 10
"""Log-ins that one session may have begun, for example in several tabs."""
MAX_ID_TOKEN = 64 * 1024
_KEY = "sso_flows"
_REQUIRED = ("iss", "sub", "aud", "exp", "iat", "nonce")


@dataclass(frozen=True, slots=True)
class Flow:
    """What only the session knows of a log-in that was begun; ``at`` in seconds since 1970."""

    nonce: str
    verifier: str
    next: str
    at: float


def begin(session: SessionBase, callback: str, next_page: str) -> str:
    """Where to send the browser. ``callback`` is this portal's address for the way back."""
    oidc = settings.CENTRO_OIDC
    client = WebApplicationClient(oidc.client_id)
    state, nonce, verifier = _random(), _random(), client.create_code_verifier(64)
    flows = dict(sorted(_flows(session).items(), key=lambda entry: entry[1]["at"])[1 - MAX_FLOWS :])
    session[_KEY] = flows | {state: asdict(Flow(nonce, verifier, next_page, time.time()))}
    query = {
        "response_type": "code",
        "client_id": oidc.client_id,
        "redirect_uri": callback,
        "scope": SCOPES,
        "state": state,
        "nonce": nonce,
        "code_challenge": client.create_code_challenge(verifier, "S256"),
        "code_challenge_method": "S256",
    }
    address = str(oidc.authorization_url)
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def finish(
    session: SessionBase, query: Mapping[str, str], callback: str
) -> tuple[dict[str, Any], str]:
    """The checked claims of the ID token, and the page that the person wanted.

    ``query`` is what the browser brought back. Each log-in ends here once, whatever comes of it. Raises
    ``LoginRefused``.
    """
    flow = _take(session, query.get("state", ""))
    if "error" in query:
        raise LoginRefused(_reason(query["error"]))
    if not query.get("code"):
        raise LoginRefused(_("The log-in service sent no code. Begin again."))
    try:
        return _claims(_ask(query["code"], callback, flow), flow), flow.next
    except IssuerUnreachable as error:
        log.warning("Log-in: %s", error)
        raise ServiceUnreachable(_unreachable()) from error
    except TokenError as error:
        log.warning("Log-in: the ID token is not accepted: %s", error)
        message = _("What the log-in service says of you cannot be trusted: %(reason)s")
        raise LoginRefused(message % {"reason": error}) from error


def _random() -> str:
    return secrets.token_urlsafe(24)


def _flows(session: SessionBase) -> dict[str, dict[str, Any]]:
    """Those that were begun and are not too old."""
    found: dict[str, dict[str, Any]] = session.get(_KEY) or {}
    oldest = time.time() - SECONDS
    return {state: flow for state, flow in found.items() if flow["at"] >= oldest}


def _take(session: SessionBase, state: str) -> Flow:
    flows = _flows(session)
    found = flows.pop(state, None)
    if found is None:
        message = _("This log-in was begun in another browser, or too long ago. Begin again.")
        raise LoginRefused(message)
    session[_KEY] = flows
    session.save()  # before the issuer is asked: the same answer must not count twice
    return Flow(**found)


def _reason(code: str) -> str:
    """What the issuer's error code says; the address is anybody's to write, so nothing else of it is shown."""
    if code == "access_denied":
        return _("You did not log in, or the log-in service does not let you in here.")
    if not re.fullmatch(r"[a-z_]{1,40}", code):
        return _("The log-in service did not log you in.")
    return _("The log-in service did not log you in: %(code)s.") % {"code": code}


def _ask(code: str, callback: str, flow: Flow) -> str:
    """The ID token that the issuer gives for the code."""
    oidc = settings.CENTRO_OIDC
    body = WebApplicationClient(oidc.client_id).prepare_request_body(
        code=code,
        redirect_uri=callback,
        code_verifier=flow.verifier,
        client_secret=oidc.client_secret,
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    try:
        answer = requests.post(
            str(oidc.token_url),
            data=body,
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if answer.status_code >= 500:
            answer.raise_for_status()
        document = answer.json()
    except requests.RequestException as error:  # also an answer that is no JSON
        log.warning("Log-in: %s: %s", oidc.token_url, error)
        raise ServiceUnreachable(_unreachable()) from error
    if answer.status_code != 200:
        fault = document.get("error") if isinstance(document, dict) else None
        log.warning("Log-in: %s answered %s %r", oidc.token_url, answer.status_code, fault)
        raise LoginRefused(_("The log-in service did not accept this log-in. Begin again."))
    token = document.get("id_token") if isinstance(document, dict) else None
    if not isinstance(token, str):
        log.warning("Log-in: %s gave no ID token", oidc.token_url)
        raise LoginRefused(_("The log-in service did not say who you are (no ID token)."))
    return token


def _claims(token: str, flow: Flow) -> dict[str, Any]:
    """The claims of a good ID token (OpenID Connect Core 1.0, 3.1.3.7)."""
    client = settings.CENTRO_OIDC.client_id
    header = header_of(token, MAX_ID_TOKEN)
    claims = outer_claims(token, header, audience=client, required=_REQUIRED)
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client) != client:
        raise TokenError("The token was made for another program (azp).")
    if claims["nonce"] != flow.nonce:
        raise TokenError("The token belongs to another log-in (nonce).")
    return claims


def _unreachable() -> str:
    return _("The log-in service does not answer. Try again in a minute.")
