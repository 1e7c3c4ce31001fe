"""What a person wants to be mailed; the webhooks of a lab and how their calls went."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.models import Lab
from accounts.policy import scope_of
from pipeline_management.forms.notifications import PreferenceForm, WebhookForm
from pipeline_management.models import Webhook
from pipeline_management.services.notifications import preferences, webhooks
from pipeline_management.services.notifications.addresses import is_address
from pipeline_management.services.notifications.spreading import can_mail
from pipeline_management.views.access import PageRequest, page

_LARGEST = 2**63 - 1  # of a primary key; a larger number is an error in the database's driver
PAGE_SIZE = 50


@page("GET", "HEAD", "POST")
def mine(request: PageRequest) -> HttpResponseBase:
    """The person's choice, his last mails, and the way to the webhooks of his labs."""
    manages = bool(scope_of(request.user).manages)
    form = PreferenceForm(
        request.POST if request.method == "POST" else None,
        preference=preferences.of(request.user),
        manages=manages,
    )
    if request.method == "POST" and form.is_valid():
        preferences.save(request.user, **form.choice())
        messages.success(request, _("Your choice is saved."))
        return redirect("notifications")
    context = {
        "form": form,
        "can_mail": can_mail(),
        "address": request.user.email if is_address(request.user.email) else "",
        "labs": webhooks.managed_labs(request.user),
        "mails": preferences.recent_mails(request.user),
        "zone": settings.TIME_ZONE,
    }
    return render(request, "notifications/mine.html", context, status=400 if form.errors else 200)


@page("GET", "HEAD", "POST")
def webhook_list(request: PageRequest, slug: str) -> HttpResponseBase:
    """The webhooks of a lab; POST makes one and shows its secret, once, in the answer itself."""
    lab = _lab(request, slug)
    form, made, secret = WebhookForm(request.POST if request.method == "POST" else None), None, None
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = webhooks.create(
                lab,
                form.cleaned_data["url"],
                form.cleaned_data["states"],
                user=request.user,
                address=_address(request),
            )
            form = WebhookForm()
        except ValidationError as error:
            form.add_error(None, error)
    context = {
        "lab": lab,
        "form": form,
        "made": made,
        "secret": secret,
        "webhooks": Webhook.objects.filter(lab=lab),
    }
    return render(
        request, "notifications/webhooks.html", context, status=400 if form.errors else 200
    )


@page()
def webhook(request: PageRequest, slug: str, webhook_id: int) -> HttpResponseBase:
    """One webhook with its log, newest first; ``?page=`` counts from 1, anything else is the nearest page."""
    found = _webhook(request, slug, webhook_id)
    deliveries = found.deliveries.select_related("run__version__pipeline").defer(
        "run__configuration_json", "run__script"
    )
    shown = Paginator(deliveries, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"lab": found.lab, "webhook": found, "deliveries": shown}
    return render(request, "notifications/webhook.html", context)


@page("POST")
def switch(request: PageRequest, slug: str, webhook_id: int) -> HttpResponseBase:
    """Enable it with ``enabled=1``, disable it with anything else."""
    found = _webhook(request, slug, webhook_id)
    enabled = request.POST.get("enabled") == "1"
    webhooks.switch(found, enabled=enabled, user=request.user, address=_address(request))
    text = _("The webhook is enabled.") if enabled else _("The webhook is disabled.")
    messages.success(request, text)
    return redirect("webhook", slug=slug, webhook_id=found.pk)


@page("POST")
def delete(request: PageRequest, slug: str, webhook_id: int) -> HttpResponseBase:
    """Delete it with its log."""
    found = _webhook(request, slug, webhook_id)
    webhooks.delete(found, user=request.user, address=_address(request))
    messages.success(request, _("The webhook is deleted."))
    return redirect("webhooks", slug=slug)


@page("POST")
def send_test(request: PageRequest, slug: str, webhook_id: int) -> HttpResponseBase:
    """Send an event of type "test" soon."""
    found = _webhook(request, slug, webhook_id)
    webhooks.send_test(found)
    messages.info(request, _("A test is on its way. Load this page again to see how it went."))
    return redirect("webhook", slug=slug, webhook_id=found.pk)


@page("POST")
def send_again(
    request: PageRequest, slug: str, webhook_id: int, delivery_id: uuid.UUID
) -> HttpResponseBase:
    """Send one delivery again, now."""
    found = _webhook(request, slug, webhook_id)
    if not webhooks.send_again(found, delivery_id, user=request.user, address=_address(request)):
        raise Http404
    messages.info(request, _("It is sent again. Load this page again to see how it went."))
    return redirect("webhook", slug=slug, webhook_id=found.pk)


def _lab(request: PageRequest, slug: str) -> Lab:
    """The lab if the person keeps its webhooks, else 404, so that nobody learns which labs exist."""
    lab = webhooks.managed_labs(request.user).filter(slug=slug).first()
    if lab is None:
        raise Http404
    return lab


def _webhook(request: PageRequest, slug: str, webhook_id: int) -> Webhook:
    lab = _lab(request, slug)
    rows = Webhook.objects.select_related("lab", "created_by")
    found = rows.filter(lab=lab, pk=min(webhook_id, _LARGEST)).first()
    if found is None:
        raise Http404
    return found


def _address(request: PageRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None
