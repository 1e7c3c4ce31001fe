"""Files between the viewer and systems: the list with its progress, sending, fetching, stopping."""

from __future__ import annotations

import uuid
from typing import Any

from csp.constants import SELF
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.errors import DomainError
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import TransferState
from pipeline_management.services import system_access, transfer_intake
from pipeline_management.services.transfers import requests
from pipeline_management.services.transfers.area import area
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.live import fragment, marked
from pipeline_management.views.transfer_rows import row

PAGE_SIZE = 25
_LIVE = "transfers/live.html"


@page("GET", "HEAD", "POST")
def transfers(request: PageRequest) -> HttpResponseBase:
    """The list and both ways to begin; POST fetches a file. Asked for by htmx, only the list."""
    if request.method == "POST":
        return _fetch(request)
    if request.htmx:
        return fragment(request, _LIVE, _list(request))
    return _whole(request)


def _fetch(request: PageRequest) -> HttpResponseBase:
    system, path = request.POST.get("system", ""), request.POST.get("path", "").strip()
    fault = ""
    if not path or not path.isprintable():
        fault = _("Name a file or a folder on the system.")
    else:
        try:
            transfer_intake.download(request.user, system, path, address=_address(request))
        except DomainError as error:
            fault = error.message
    if fault:
        return _whole(request, system=system, path=path, fault=fault)
    messages.success(request, _("The file is being fetched; its link appears below."))
    return redirect("transfers")


def _whole(
    request: PageRequest, *, system: str = "", path: str = "", fault: str = ""
) -> HttpResponseBase:
    text, _mark = marked(request, _LIVE, _list(request))
    accounts = system_access.accounts_of(request.user)
    context = {
        "systems": [account.system for account in accounts],
        "chosen": system or request.GET.get("system", ""),
        "path": path or request.GET.get("path", ""),
        "folder": request.GET.get("folder", ""),
        "fault": fault,
        "live_html": text,
    }
    answer = render(request, "transfers/list.html", context, status=400 if fault else 200)
    # Files go from this page straight to the store, which may be another host.
    allowed = {"connect-src": [SELF, *area().origins]}
    answer._csp_update = allowed  # type: ignore[attr-defined]  # read by django-csp's middleware
    return answer


def _list(request: PageRequest) -> dict[str, Any]:
    shown = Paginator(requests.visible(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [row(transfer) for transfer in shown]
    return {
        "page": shown,
        "rows": rows,
        "busy": any(one.busy for one in rows),
        "query": f"page={shown.number}" if shown.number > 1 else "",
    }


@page()
def file(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """On to the file of a download that is ready: a link that names nothing but the transfer."""
    transfer = _transfer(request, pk)
    if transfer.state != TransferState.READY:
        raise Http404
    return HttpResponseRedirect(transfer.link)


@page("POST")
def cancel(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Stop it; of a download that is ready, take the link back."""
    try:
        transfer_intake.stop(_transfer(request, pk), request.user, address=_address(request))
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The transfer is stopped."))
    return redirect("transfers")


@page("POST")
def retry(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Try a failed one again."""
    try:
        requests.retry(_transfer(request, pk), user=request.user, address=_address(request))
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("It is tried again."))
    return redirect("transfers")


def _transfer(request: PageRequest, pk: uuid.UUID) -> Transfer:
    found = requests.visible(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _address(request: PageRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None
