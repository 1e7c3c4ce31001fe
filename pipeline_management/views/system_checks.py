"""The administrator's test of a system, step by step."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.models import System, SystemAccount, SystemCheck
from pipeline_management.services import system_check
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.catalogue import only_administrators
from pipeline_management.views.live import fragment


@page("POST")
def begin(request: PageRequest, name: str) -> HttpResponseBase:
    """Ask for a check with one account of the system: ``account`` is its id, else the one for everybody."""
    only_administrators(request)
    system = System.objects.filter(name=name).first()
    if system is None:
        raise Http404
    accounts = SystemAccount.objects.filter(system=system).order_by("user_id", "pk")
    wanted = request.POST.get("account", "")
    if wanted:
        accounts = (
            accounts.filter(pk=int(wanted))
            if wanted.isdecimal() and len(wanted) < 18
            else accounts.none()
        )
    account = accounts.first()
    if account is None:
        context = {
            "system": system,
            "fault": _("There is no such account on this system: add one first."),
        }
        return render(request, "systems/check.html", context, status=400)
    check = system_check.begin(account, request.user, request.META.get("REMOTE_ADDR"))
    return redirect("system-test-steps", name=name, pk=check.pk)


@page()
def steps(request: PageRequest, name: str, pk: uuid.UUID) -> HttpResponseBase:
    """The steps so far; htmx asks for the list alone until the check is over."""
    only_administrators(request)
    found = SystemCheck.objects.filter(pk=pk, account__system__name=name)
    check = found.select_related("account__system", "account__user", "asked_by").first()
    if check is None:
        raise Http404
    context = {
        "check": check,
        "system": check.account.system,
        "is_open": system_check.is_open(check),
        "is_unheard": system_check.is_unheard(check),
    }
    if request.htmx:
        return fragment(request, "systems/steps.html", context)
    return render(request, "systems/check.html", {**context, "mark": ""})
