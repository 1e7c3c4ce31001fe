"""The door of the OpenID Connect issuer, beside the one for passwords."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from accounts.asking import address_of
from accounts.sso import identities
from accounts.sso.identities import Identity


class IssuerBackend(ModelBackend):
    """Django's users and permissions for people of whom the issuer said who they are."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The person of ``id_claims``: an ID token's, checked by ``accounts.sso.flow.finish``. None without them.

        Raises ``accounts.sso.errors.LoginRefused``.
        """
        id_claims = kwargs.get("id_claims")
        if request is None or id_claims is None:
            return None
        return identities.person(
            Identity.of(id_claims),
            id_claims,
            asked=request.user.is_authenticated,
            address=address_of(request),
        )
