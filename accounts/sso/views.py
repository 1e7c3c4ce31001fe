"""To the OpenID Connect issuer and back, and connecting an account with somebody there."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.asking import LARGEST_KEY, address_of, person_of
from accounts.forms import LoginForm
from accounts.sso import flow, identities
from accounts.sso.errors import LoginRefused, NotConnected
from accounts.sso.identities import Identity

PENDING = "sso_pending"
PENDING_SECONDS = 600


def _or_404() -> None:
    if not settings.CENTRO_OIDC.logs_in:
        raise Http404


def _refused(request: HttpRequest, error: LoginRefused) -> HttpResponse:
    """The log-in page with what went wrong: the way in that is left."""
    context = {"form": LoginForm(request), "refused": str(error), "sso": settings.CENTRO_OIDC}
    return render(request, "accounts/login.html", context, status=error.status)


@require_GET
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """On to the issuer. ``next`` is the page of this portal to see afterwards."""
    _or_404()
    wanted = request.GET.get("next", "")
    fits = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(flow.begin(request.session, _callback(request), wanted if fits else ""))


@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the issuer, with a code or with the reason why there is none."""
    _or_404()
    try:
        claims, wanted = flow.finish(request.session, request.GET.dict(), _callback(request))
        user = authenticate(request, id_claims=claims)
    except NotConnected as error:
        if not request.user.is_authenticated:
            return _refused(request, error)
        request.session[PENDING] = asdict(error.identity) | {"at": time.time()}
        return redirect("accounts:sso-connect")
    except LoginRefused as error:
        return _refused(request, error)
    if user != request.user:  # a new session only for another person: forms of other tabs go on
        login(request, user)
    return redirect(wanted or settings.LOGIN_REDIRECT_URL)


def _callback(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("accounts:sso-callback"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def connect(request: HttpRequest) -> HttpResponse:
    """Asks whether the person is the one whom the issuer named; POST connects the two.

    Without this question, whoever is logged in at the issuer in somebody's browser could take his account.
    """
    _or_404()
    identity = _pending(request)
    if identity is None:
        messages.error(request, _("That was too long ago. Begin again."))
        return redirect("accounts:password")
    if request.method == "POST":
        del request.session[PENDING]
        try:
            identities.connect(person_of(request), identity, address=address_of(request))
        except LoginRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                _("From now on you can log in with %(label)s.")
                % {"label": settings.CENTRO_OIDC.label},
            )
        return redirect("accounts:password")
    context = {"identity": identity, "sso": settings.CENTRO_OIDC}
    return render(request, "accounts/sso_connect.html", context)


def _pending(request: HttpRequest) -> Identity | None:
    found: dict[str, Any] = request.session.get(PENDING) or {}
    if time.time() - found.get("at", 0) > PENDING_SECONDS:
        return None
    return Identity(found["issuer"], found["subject"], found["name"])


@require_POST
@login_required
def disconnect(request: HttpRequest, identity_pk: int) -> HttpResponse:
    """Take away one of the person's own identities."""
    try:
        found = identities.disconnect(
            person_of(request), min(identity_pk, LARGEST_KEY), address=address_of(request)
        )
    except LoginRefused as error:
        messages.error(request, str(error))
        return redirect("accounts:password")
    if found is None:
        raise Http404
    messages.success(
        request,
        _("“%(name)s” logs in here no longer.") % {"name": found.name or found.subject},
    )
    return redirect("accounts:password")
