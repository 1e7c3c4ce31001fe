"""How large a transfer may be, and how many a person may have open."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User

from pipeline_management.errors import Conflict, Problem, TooLarge
from pipeline_management.models import Transfer
from pipeline_management.services.transfers.area import area, largest
from pipeline_management.transfer_states import OPEN


def check(user: User, size: int | None) -> int:
    """The most bytes that a new transfer of this person may have.

    Raises ``Conflict`` with too many open ones, ``TooLarge`` for a ``size`` above the limit.
    """
    most = int(settings.CENTRO_STAGING["open_transfers"])
    if Transfer.objects.filter(user=user, state__in=OPEN).count() >= most:
        raise Conflict(f"You have {most} open transfers; let some end, or cancel them.")
    return largest() if size is None else check_size(size)


def check_size(size: int) -> int:
    """The limit in bytes. Raises ``TooLarge``."""
    if reason := too_large(size):
        raise TooLarge([Problem("too_large", reason)])
    return largest()


def too_large(size: int) -> str:
    """Why a file of so many bytes cannot be taken, "" if it can."""
    limit = largest()
    return f"The file has {size} bytes; transfers take at most {limit}." if size > limit else ""


def form_limit(size: int) -> int:
    """The most bytes that one form may bring, where ``size`` are allowed."""
    most = area().largest_form
    return size if most is None else min(size, most)
