"""Systems: whether they answer, and with which account the viewer works there."""

from __future__ import annotations

from django.db.models import Q
from django.http import Http404, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from accounts.policy import is_administrator
from pipeline_management.models import System, SystemAccount
from pipeline_management.querysets import visible_versions
from pipeline_management.services.transfers.routes import known_route
from pipeline_management.views.access import PageRequest, page


def _accounts(request: PageRequest) -> list[SystemAccount]:
    """The viewer's own accounts and those for everybody; administrators see all."""
    accounts = SystemAccount.objects.select_related("user", "system")
    if not is_administrator(request.user):
        accounts = accounts.filter(Q(user=request.user) | Q(user__isnull=True))
    return list(accounts.order_by("system__name", "user__username", "username"))


@page()
def system_list(request: PageRequest) -> HttpResponseBase:
    """Every system on which the viewer has an account."""
    accounts: dict[int, list[SystemAccount]] = {}
    for account in _accounts(request):
        accounts.setdefault(account.system_id, []).append(account)
    systems = System.objects.visible_to(request.user)
    rows = [(system, _last_answer(accounts.get(system.pk, []))) for system in systems]
    return render(request, "systems/list.html", {"rows": rows})


@page()
def detail(request: PageRequest, name: str) -> HttpResponseBase:
    """One system: health with reason, the accounts, the pipelines that run there."""
    system = System.objects.visible_to(request.user).filter(name=name).first()
    if system is None:
        raise Http404
    accounts = [account for account in _accounts(request) if account.system_id == system.pk]
    versions = visible_versions(request.user).filter(pipeline_systems__system=system)
    context = {
        "system": system,
        "accounts": accounts,
        "last_answer": _last_answer(accounts),
        "store_route": known_route(system),
        "versions": versions.order_by("pipeline__name", "-sort_key"),
        "now": timezone.now(),
    }
    return render(request, "systems/detail.html", context)


def _last_answer(accounts: list[SystemAccount]) -> SystemAccount | None:
    """The account whose listing of the queue was answered last."""
    answered = [account for account in accounts if account.polled_at is not None]
    return max(answered, key=lambda account: account.polled_at, default=None)  # type: ignore[arg-type,return-value]  # None is filtered out
