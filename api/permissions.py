"""What an access token may do besides what its person may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import ApiToken

if TYPE_CHECKING:
    # loaded, it asks for this module's class
    from rest_framework.views import APIView


class TokenMayDoIt(BasePermission):
    """A token that may only read is refused (403) where something would change.

    A view whose POST only answers, such as the check of a configuration, says so by ``only_answers``.
    """

    message = "This token may only read; this needs one that may also change things."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiToken) or not request.auth.read_only:
            return True
        return request.method in SAFE_METHODS or getattr(view, "only_answers", False)
