"""Reserving nodes of a cluster for an account, as far as the cluster lets its user do that."""

from __future__ import annotations

from dataclasses import replace

from django.contrib.auth.models import User

from hpc.client import SystemClient
from hpc.commands import Command
from hpc.errors import NotSupported, SchedulerError, SchedulerSilent
from hpc.rows import ReservationRow, ReservationSpec
from pipeline_management.models import SystemAccount
from pipeline_management.services import audit, cluster
from pipeline_management.services.clients import client_for

OPERATORS_ONLY = "Invalid user id"
"""What Slurm says to those who are no operators (measured with 22.05.8)."""
_AWAY = frozenset({"DOWN", "FAIL", "FUTURE", "NOT_RESPONDING", "UNKNOWN"})


def create(
    person: User,
    account: SystemAccount,
    spec: ReservationSpec,
    charged: str,
    address: str | None = None,
) -> None:
    """Reserve nodes for the scheduler account ``charged``.

    Raises ``SchedulerError`` with the reason for what cannot be had, ``NotSupported``, and the ``HpcError`` tree.
    """
    client = _client(account)
    _check_nodes(account, spec)
    _change(client, account, client.scheduler.create_reservation(spec, charged))
    data = {"system": account.system.name, "account": charged}
    audit.record(person, "reservation.create", spec.name, address=address, data=data)


def update(
    person: User, account: SystemAccount, spec: ReservationSpec, address: str | None = None
) -> None:
    """Change nodes and times of a reservation that is for this user or one of his accounts. Raises as ``create``."""
    client = _client(account)
    before = _owned(client, account, spec.name)
    _check_nodes(account, spec)
    if before.features == (spec.feature,):  # Slurm refuses to change features, even to the same
        spec = replace(spec, feature="")
    _change(client, account, client.scheduler.update_reservation(spec))
    data = {"system": account.system.name}
    audit.record(person, "reservation.update", spec.name, address=address, data=data)


def delete(person: User, account: SystemAccount, name: str, address: str | None = None) -> None:
    """Remove a reservation that is for this user or one of his accounts. Raises as ``create``."""
    client = _client(account)
    _owned(client, account, name)
    _change(client, account, client.scheduler.delete_reservation(name))
    data = {"system": account.system.name}
    audit.record(person, "reservation.delete", name, address=address, data=data)


def _client(account: SystemAccount) -> SystemClient:
    client = client_for(account)
    if "reservations" not in client.scheduler.capabilities:
        raise NotSupported(f"the scheduler of {account.system.name} knows no reservations")
    return client


def _change(client: SystemClient, account: SystemAccount, command: Command[None]) -> None:
    try:
        client.run(command)
    except SchedulerSilent:
        raise
    except SchedulerError as error:
        text = _reason(error.text)
        if OPERATORS_ONLY in text:
            text = f"{text}: this cluster lets only its operators change reservations"
        raise SchedulerError(text, error.exit_code) from error
    finally:
        cluster.changed(account)


def _reason(text: str) -> str:
    """The line that says why; Slurm puts advice and a second wording around it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "reservation" in line.lower() and ":" in line), text)


def _check_nodes(account: SystemAccount, spec: ReservationSpec) -> None:
    nodes = cluster.nodes(account)
    types = sorted({feature for node in nodes for feature in node.features})
    if spec.feature not in types:
        known = ", ".join(types) if types else "no"
        raise SchedulerError(f"only {known} feature type are supported")
    usable = [n for n in nodes if spec.feature in n.features and not _AWAY & {*n.states}]
    if spec.nodes > len(usable):
        raise SchedulerError(
            f"numberOfNodes ({spec.nodes}) is greater than {len(usable)} available"
        )


def _owned(client: SystemClient, account: SystemAccount, name: str) -> ReservationRow:
    """The reservation, if it is for this user or one of his accounts.

    An unknown one is refused in the same words as somebody else's.
    """
    found = cluster.reservations(account, [name], anew=True)
    if found and client.username in found[0].users:
        return found[0]
    if found and found[0].accounts:
        own = client.run(client.scheduler.accounts_of(client.username))
        if own & {*found[0].accounts}:
            return found[0]
    raise SchedulerError(f"You are not an owner of the {name} reservation")
