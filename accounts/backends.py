"""The password door for pages and admin; the API's HTTP basic goes through the same check."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts import verified
from accounts.throttle import Throttled


class PasswordBackend(ModelBackend):
    """Django's users and permissions, with throttling and the memory of ``accounts.verified``."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The user, or None. When throttled, ``request.login_throttled`` is set to the exception and no
        other backend is asked."""
        name = username if username is not None else kwargs.get(User.USERNAME_FIELD)
        if name is None or password is None:
            return None
        address = request.META.get("REMOTE_ADDR", "") if request is not None else ""
        try:
            return verified.check(name, password, address)
        except Throttled as error:
            if request is not None:
                request.login_throttled = error  # type: ignore[attr-defined]  # read by the log-in page
            raise PermissionDenied from error
