"""From the header ``X-Machine-Name`` to the account that acts there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.firecrest.errors import (
    MACHINE_AWAY,
    MACHINE_UNKNOWN,
    MACHINE_UNKNOWN_MISSPELT,
    PERMISSION_DENIED,
    Refusal,
)
from pipeline_management.models import SystemAccount
from pipeline_management.services import system_access

if TYPE_CHECKING:
    from api.firecrest.base import FirecrestView

NOT_NAMED = "No machine name given"


def find(view: FirecrestView) -> SystemAccount:
    """The person's account on the system that the header names.

    For ``/storage/`` a person with one system need not name it. Raises ``Refusal``.
    """
    name = view.request.headers.get("X-Machine-Name", "").strip()
    if not name:
        usable = system_access.accounts_of(view.person) if view.service == "storage" else []
        if len(usable) == 1:
            return usable[0]
        raise _not_named(view)
    access = system_access.find(view.person, name)
    if access.account is not None:
        return access.account
    if access.verdict is system_access.Verdict.UNKNOWN:
        raise _unknown(view)
    reason = access.reason
    away = access.verdict is system_access.Verdict.SWITCHED_OFF
    header = MACHINE_AWAY if away else PERMISSION_DENIED
    raise view.refuse(400, reason, {header: reason})


def _not_named(view: FirecrestView) -> Refusal:
    if view.service == "reservations":
        return view.refuse(400, NOT_NAMED)
    if view.names_machine_in_error:
        return view.refuse(400, NOT_NAMED)
    return Refusal(400, {"description": NOT_NAMED})


def _unknown(view: FirecrestView) -> Refusal:
    if view.service in ("compute", "storage"):
        text = "Machine does not exists"
        headers = {MACHINE_UNKNOWN: text, MACHINE_UNKNOWN_MISSPELT: text}
        return view.refuse(400, text, headers)
    text = "Machine does not exist"
    if view.service == "reservations":
        return Refusal(400, {"error": text}, {MACHINE_UNKNOWN: text})
    return view.refuse(400, text, {MACHINE_UNKNOWN: text})
