"""Below ``/o/``: Centro as an OAuth2 server. Tokens for client credentials, the key to check them, no more."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.urls import re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from oauth2_provider.oauth2_backends import get_oauthlib_core

from accounts.models import OAuthClient
from accounts.oauth import tokens
from accounts.oauth.keys import signing_key
from accounts.throttle import Throttled
from pipeline_management.services import system_access

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def access_token(request: Any) -> str:
    """The text of a new token for the library's request, whose client has shown its secret."""
    client: OAuthClient = request.client
    return tokens.issue(
        client,
        username=system_access.name_on_systems(client.user),
        scopes=request.scopes,
        seconds=request.expires_in,
    )


def _refusal(status: int, error: str, text: str, **headers: str) -> JsonResponse:
    """An error as of RFC 6749, section 5.2."""
    body = {"error": error, "error_description": text}
    return JsonResponse(body, status=status, headers=_NO_STORE | headers)


@method_decorator(csrf_exempt, name="dispatch")
@method_decorator(sensitive_post_parameters("client_secret"), name="dispatch")
class TokenView(View):
    """``POST`` with ``grant_type=client_credentials``, id and secret in the body or by HTTP basic."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """The token, or an error as of RFC 6749; 429 after too many wrong secrets."""
        if "\0" in request.META.get("QUERY_STRING", ""):
            return _refusal(400, "invalid_request", "The address holds a NUL.")
        try:
            _, headers, body, status = get_oauthlib_core().create_token_response(request)
        except Throttled as error:
            wait = str(error.retry_after)
            text = f"Too many wrong secrets; try again in {wait} seconds."
            return _refusal(429, "invalid_client", text, **{"Retry-After": wait})
        except UnreadablePostError:
            return _refusal(400, "invalid_request", "The body ended before its announced length.")
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="Centro"'  # RFC 6749, section 5.2
        kind = {"Content-Type": "application/json"}  # the library forgets it with some errors
        return HttpResponse(body, status=status, headers=kind | headers | _NO_STORE)

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return _refusal(
            405, "invalid_request", "Tokens are asked for by POST.", Allow="POST, OPTIONS"
        )


def keys(request: HttpRequest) -> HttpResponse:
    """The public key of Centro's access tokens as a JWK set (RFC 7517)."""
    if request.method not in ("GET", "HEAD"):
        return _refusal(405, "invalid_request", "The keys are read by GET.", Allow="GET, HEAD")
    return HttpResponse(
        json.dumps({"keys": [signing_key().jwk]}),
        content_type="application/jwk-set+json",
        headers={"Cache-Control": "max-age=300"},
    )


urlpatterns = [
    # Both forms answer directly: a redirect would lose the body.
    re_path(r"^token/?$", TokenView.as_view(), name="oauth-token"),
    re_path(r"^jwks/?$", keys, name="oauth-keys"),
]
