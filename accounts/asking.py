"""What a request says about the one who sends it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

LARGEST_KEY = 2**63 - 1
"""Of a primary key in an address; a larger number is an error in the database's driver."""


def address_of(request: HttpRequest) -> str | None:
    """The client's network address, as far as it is known."""
    return request.META.get("REMOTE_ADDR") or None


def person_of(request: HttpRequest) -> User:
    """The logged-in user of a view behind ``login_required``."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
