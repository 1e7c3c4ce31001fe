"""Which account acts for a person on a system. Pipelines and direct access decide it here alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from accounts.policy import is_administrator
from accounts.remembered import Remembered
from pipeline_management.choices import TransportKind
from pipeline_management.models import System, SystemAccount

_granted: Remembered[SystemAccount] = Remembered()
_accounts: Remembered[tuple[SystemAccount, ...]] = Remembered()


class Verdict(Enum):
    """Why there is, or is not, a way for the person to the system."""

    GRANTED = auto()
    UNKNOWN = auto()
    SWITCHED_OFF = auto()
    NO_ACCOUNT = auto()


@dataclass(frozen=True, slots=True)
class Access:
    """The account if granted; else the reason as a sentence."""

    verdict: Verdict
    account: SystemAccount | None = None
    reason: str = ""


def candidates(user: User) -> QuerySet[SystemAccount]:
    """The person's own accounts and those for everybody, on systems that are switched on, with the system.

    In no order: sorting would cost every request of the FirecREST API a join.
    """
    rows = SystemAccount.objects.filter(Q(user=user) | Q(user__isnull=True), system__enabled=True)
    return rows.select_related("system").order_by()


def is_shared(account: SystemAccount) -> bool:
    """Whether the account is for everybody. As a sort key it puts a person's own account first."""
    return account.user_id is None


def accounts_of(user: User) -> list[SystemAccount]:
    """The account with which the person acts directly on each system, by the system's name. No
    query where it was asked lately, else one."""
    return list(_accounts.get(user.pk, lambda: _direct_accounts(user)) or ())


def _direct_accounts(user: User) -> tuple[SystemAccount, ...]:
    best: dict[int, SystemAccount] = {}
    for account in sorted(candidates(user).select_related("credential"), key=is_shared):
        if _may_act_directly(user, account):
            best.setdefault(account.system_id, account)
    return tuple(sorted(best.values(), key=lambda account: account.system.name))


def name_on_systems(user: User) -> str:
    """What the person is called on the systems, where that is one name; else the name in Centro.

    Accounts of the person's own count before those for everybody. Queries as of ``accounts_of``.
    """
    accounts = accounts_of(user)
    own = {account.username for account in accounts if not is_shared(account)}
    names = own or {account.username for account in accounts}
    return names.pop() if len(names) == 1 else user.get_username()


def find(user: User, name: str) -> Access:
    """The person's way to the system of this name for files and jobs of his own making.

    No query for a way that was found lately, else one or two.
    """
    granted = _granted.get((user.pk, name), lambda: _account(user, name))
    return Access(Verdict.GRANTED, granted) if granted is not None else _refusal(user, name)


def _account(user: User, name: str) -> SystemAccount | None:
    rows = candidates(user).select_related("credential").filter(system__name=name)
    # Some databases compare without regard to case.
    accounts = sorted((row for row in rows if row.system.name == name), key=is_shared)
    return next((account for account in accounts if _may_act_directly(user, account)), None)


def _refusal(user: User, name: str) -> Access:
    system = next((s for s in System.objects.filter(name=name) if s.name == name), None)
    if system is None:
        return Access(Verdict.UNKNOWN, reason=f"There is no system {name}.")
    known = SystemAccount.objects.filter(Q(user=user) | Q(user__isnull=True), system=system)
    if not system.enabled and known.exists():
        return Access(Verdict.SWITCHED_OFF, reason=f"{name} is switched off at present.")
    return Access(Verdict.NO_ACCOUNT, reason=f"{user.get_username()} has no account on {name}.")


def _may_act_directly(user: User, account: SystemAccount) -> bool:
    """Everybody's account on this machine is the one that Centro itself runs as: with it one could read
    Centro's own secrets. Pipelines may use it, for their scripts are the site's; people may not."""
    if not is_shared(account) or account.system.transport != TransportKind.LOCAL:
        return True
    return is_administrator(user)
