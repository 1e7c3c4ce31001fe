"""What the OAuth2 library asks about clients: whose secret is right, and which scopes they may have."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2.rfc6749 import errors

from accounts.models import OAuthClient
from accounts.oauth import clients


class ClientValidator(OAuth2Validator):
    """Client credentials only. No token is stored: it says itself whose it is, and the client is looked
    up whenever it is used."""

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Whether id and secret fit, in the body or by HTTP basic; sets ``request.client``.

        Raises ``accounts.throttle.Throttled`` after too many wrong secrets.
        """
        client_id, secrets = _credentials(request)
        client = clients.check(client_id, secrets, request.headers.get("REMOTE_ADDR", ""))
        if client is None:
            raise errors.InvalidClientError(
                "The client id or the secret is wrong.", request=request
            )
        if not client.user.is_active:
            raise errors.InvalidClientError(
                "The owner of the client may not log in.", request=request
            )
        request.client, request.client_id = client, client.client_id
        return True

    def get_default_scopes(
        self, client_id: str, request: Any, *args: Any, **kwargs: Any
    ) -> list[str]:
        return list(request.client.scopes)

    def validate_scopes(
        self,
        client_id: str,
        scopes: list[str],
        client: OAuthClient,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        return bool(scopes) and set(scopes) <= set(client.scopes)

    def save_bearer_token(self, token: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        clients.note_use(request.client)


def _credentials(request: Any) -> tuple[str, list[str]]:
    """The client id and the ways in which its secret can be meant.

    RFC 6749 wants both form-encoded within HTTP basic, which many programs leave out.
    """
    scheme, _, value = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return request.client_id or "", [request.client_secret or ""]
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        message = "The Authorization header is not valid Basic."
        raise errors.InvalidRequestError(message, request=request) from None
    name, _, secret = text.partition(":")
    return unquote_plus(name), list(dict.fromkeys([secret, unquote_plus(secret)]))
