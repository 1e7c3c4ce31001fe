"""A change of somebody's files, with its line in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.models import User

from hpc.commands import Command
from hpc.errors import CommandTimeout, ConnectionLost, OutputTooLarge
from pipeline_management.models import SystemAccount
from pipeline_management.services import audit
from pipeline_management.services.clients import client_for

T = TypeVar("T")


def change(
    account: SystemAccount,
    action: str,
    path: str,
    command: Command[T],
    user: User | None,
    address: str | None,
    **more: str,
) -> T:
    """Run a command that changes something and write it down as ``action``, with ``more`` as its data."""
    client = client_for(account)
    return recorded(account, action, path, lambda: client.run(command), user, address, **more)


def recorded(
    account: SystemAccount,
    action: str,
    path: str,
    work: Callable[[], T],
    user: User | None,
    address: str | None,
    **more: str,
) -> T:
    """Do ``work`` and write down who did what where; a change of unknown outcome is written as such.

    What the system refused changed nothing and is not written.
    """
    said = {name: printable(value) for name, value in more.items() if value}
    data = {"path": printable(path), "as": account.username, **said}
    target = f"{account.system.name}:{printable(path)}"
    try:
        done = work()
    except (CommandTimeout, ConnectionLost, OutputTooLarge):
        audit.record(user, action, target, address=address, data={**data, "outcome": "unknown"})
        raise
    audit.record(user, action, target, address=address, data=data)
    return done


def printable(text: str) -> str:
    """Bytes that are not UTF-8 as ``\\xNN``: a database takes only text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
