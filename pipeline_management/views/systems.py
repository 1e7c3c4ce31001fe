"""Systems: whether they answer, how full their queues are, what is announced. All of it is read from the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.policy import is_administrator
from pipeline_management.choices import OPEN_STATES, HealthState
from pipeline_management.forms.catalogue import MaintenanceForm
from pipeline_management.models import Maintenance, Run, System, SystemAccount, SystemCheck
from pipeline_management.querysets import visible_versions
from pipeline_management.services import maintenance
from pipeline_management.services.clients import fault_of
from pipeline_management.services.transfers.routes import known_route
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.catalogue import only_administrators

_MOST_ANNOUNCEMENTS = 50


def _accounts(request: PageRequest) -> list[SystemAccount]:
    """The viewer's own accounts and those for everybody; administrators see all."""
    accounts = SystemAccount.objects.select_related("user", "system")
    if not is_administrator(request.user):
        accounts = accounts.filter(Q(user=request.user) | Q(user__isnull=True))
    return list(accounts.order_by("system__name", "user__username", "username"))


def _show_faults(systems: Iterable[System], accounts: Iterable[SystemAccount]) -> None:
    """Let unusable settings be the health of the systems on the page. Nothing is stored: they are seen in the
    rows themselves, and gone as soon as they are mended."""
    reasons = {one.system_id: reason for one in accounts if (reason := fault_of(one))}
    for system in systems:
        if system.pk in reasons:
            system.health, system.health_reason = HealthState.BLOCKED, reasons[system.pk]


def _open_runs(request: PageRequest) -> dict[int, int]:
    """How many open runs that the viewer sees each system has; open ones are few, and found by their state."""
    runs = Run.objects.visible_to(request.user).filter(state__in=OPEN_STATES).order_by()
    return dict(runs.values_list("system_id").annotate(number=Count("pk")))


@page()
def system_list(request: PageRequest) -> HttpResponseBase:
    """Every system on which the viewer has an account."""
    accounts: dict[int, list[SystemAccount]] = defaultdict(list)
    known = _accounts(request)
    for account in known:
        accounts[account.system_id].append(account)
    open_runs = _open_runs(request)
    announced = _announced(request)
    rows = []
    systems = list(System.objects.visible_to(request.user).prefetch_related("queues"))
    _show_faults(systems, known)
    for system in systems:
        queues = list(system.queues.all())
        rows.append(
            {
                "system": system,
                "answer": _last_answer(accounts[system.pk]),
                "queues": queues[:6],
                "more": max(0, len(queues) - 6),
                "open": open_runs.get(system.pk, 0),
                "maintenance": next(
                    (m for m in announced if m.system_id in (None, system.pk)), None
                ),
            }
        )
    context = {"rows": rows, "may_announce": is_administrator(request.user)}
    return render(request, "systems/list.html", context)


@page()
def detail(request: PageRequest, name: str) -> HttpResponseBase:
    """One system: health with reason, queues, the accounts, the pipelines that run there."""
    system = System.objects.visible_to(request.user).filter(name=name).first()
    if system is None:
        raise Http404
    accounts = [account for account in _accounts(request) if account.system_id == system.pk]
    _show_faults([system], accounts)
    versions = visible_versions(request.user).filter(pipeline_systems__system=system)
    administrator = is_administrator(request.user)
    context = {
        "system": system,
        "accounts": accounts,
        "last_answer": _last_answer(accounts),
        "queues": list(system.queues.all()),
        "announced": maintenance.of_system(system),
        "open": _open_runs(request).get(system.pk, 0),
        "store_route": known_route(system),
        "versions": versions.defer("schema", "script", "example", "documentation").order_by(
            "pipeline__name", "-sort_key"
        ),
        "now": timezone.now(),
        "may_test": administrator,
        "last_check": _last_check(system) if administrator else None,
    }
    return render(request, "systems/detail.html", context)


@page("GET", "HEAD", "POST")
def maintenances(request: PageRequest) -> HttpResponseBase:
    """What is announced, and the form for a new announcement."""
    only_administrators(request)
    return _edit(request, Maintenance())


@page("GET", "HEAD", "POST")
def maintenance_change(request: PageRequest, pk: int) -> HttpResponseBase:
    """The form for one announcement."""
    only_administrators(request)
    return _edit(request, get_object_or_404(Maintenance, pk=pk))


@page("POST")
def maintenance_end(request: PageRequest, pk: int) -> HttpResponseBase:
    """End an announcement now, or take one back that has not begun."""
    only_administrators(request)
    one = get_object_or_404(Maintenance.objects.select_related("system"), pk=pk)
    maintenance.end(one, request.user, request.META.get("REMOTE_ADDR"))
    messages.success(request, _("It is over: runs that waited are submitted now."))
    return redirect("system-maintenance")


def _edit(request: PageRequest, one: Maintenance) -> HttpResponseBase:
    given = request.POST if request.method == "POST" else None
    start: dict[str, str | None] = {"system": request.GET.get("system")} if one.pk is None else {}
    form = MaintenanceForm(given, instance=one, initial=start)
    if given is not None and form.is_valid():
        maintenance.announce(form.save(commit=False), request.user, request.META.get("REMOTE_ADDR"))
        messages.success(request, _("Announced."))
        return redirect("system-maintenance")
    rows = Maintenance.objects.select_related("system", "created_by")[:_MOST_ANNOUNCEMENTS]
    context = {"form": form, "rows": rows, "one": one, "now": timezone.now()}
    return render(
        request, "systems/maintenance.html", context, status=200 if given is None else 400
    )


def _announced(request: PageRequest) -> list[Maintenance]:
    """What lasts now, by the system that it is for."""
    return [one for one in maintenance.announcements(request.user) if maintenance.has_begun(one)]


def _last_check(system: System) -> SystemCheck | None:
    return SystemCheck.objects.filter(account__system=system).select_related("account").first()


def _last_answer(accounts: list[SystemAccount]) -> SystemAccount | None:
    """The account whose listing of the queue was answered last."""
    answered = [account for account in accounts if account.polled_at is not None]
    return max(answered, key=lambda account: account.polled_at, default=None)  # type: ignore[arg-type,return-value]  # None is filtered out
