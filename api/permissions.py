"""What an access token may do of what its person may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import ApiToken, TokenScope

if TYPE_CHECKING:
    # loaded, it asks for this module's class
    from rest_framework.views import APIView


class TokenMayDoIt(BasePermission):
    """A token is refused (403) where its scope does not reach.

    Reading needs ``TokenScope.READ``. What a view's other methods need it says by ``token_scope``: ``READ``
    where they only answer, such as the check of a configuration, and ``ALL`` where it says nothing.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        token = request.auth
        if not isinstance(token, ApiToken) or request.method in SAFE_METHODS:
            return True
        scope, needed = TokenScope(token.scope), getattr(view, "token_scope", TokenScope.ALL)
        self.message = f"This token's scope is “{scope}”; this needs one of scope “{needed}”."
        return scope.includes(needed)
