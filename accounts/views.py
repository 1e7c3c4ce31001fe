"""Log-in, log-out, the own password, the own access tokens and OAuth clients."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import services
from accounts.asking import LARGEST_KEY, address_of, person_of
from accounts.forms import ChangePasswordForm, ClientForm, LoginForm, TokenForm
from accounts.models import ApiToken, OAuthClient, TokenScope
from accounts.oauth import clients as oauth
from accounts.signals import acted


class LoginView(auth.LoginView):
    """The log-in page. Too many wrong passwords: 429 with Retry-After."""

    template_name = "accounts/login.html"
    authentication_form = LoginForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"sso": settings.CENTRO_OIDC}

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        if form.retry_after is not None:
            response.status_code = 429
            response["Retry-After"] = str(form.retry_after)
        return response


class ChangePasswordView(auth.PasswordChangeView):
    """Change the own password: other sessions end, tokens go on. And who logs in by the issuer as this person."""

    template_name = "accounts/password.html"
    form_class = ChangePasswordForm
    success_url = reverse_lazy("accounts:password")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = person_of(self.request)
        return super().get_context_data(**kwargs) | {
            "sso": settings.CENTRO_OIDC,
            "identities": list(user.outer_identities.all()),
            "has_password": user.has_usable_password(),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user = self.request.user
        acted.send(
            User,
            user=user,
            action="password.change",
            target=user.get_username(),
            address=address_of(self.request),
        )
        messages.success(self.request, _("Your password is changed."))
        return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def tokens(request: HttpRequest) -> HttpResponse:
    """The person's tokens; POST makes one and shows its text, once, in the answer itself."""
    form = TokenForm(request.POST or None)
    text = None
    if request.method == "POST" and form.is_valid():
        text = _create(request, form)
        if text is not None:
            form = TokenForm()
    context = {
        "form": form,
        "text": text,
        "tokens": ApiToken.objects.filter(user=person_of(request)),
        "host": request.get_host().partition(":")[0],
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "accounts/tokens.html", context, status=400 if form.errors else 200)


def _create(request: HttpRequest, form: TokenForm) -> str | None:
    try:
        _token, text = services.create_token(
            person_of(request),
            form.cleaned_data["name"],
            form.expires_at,
            scope=TokenScope(form.cleaned_data["scope"]),
            address=address_of(request),
        )
    except ValidationError as error:
        for name, found in error.message_dict.items():
            for message in found:
                form.add_error("last_day" if name == "expires_at" else name, message)
        return None
    return text


@require_POST
@login_required
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke one of the person's own tokens."""
    name = services.revoke_token(
        user=person_of(request), token_id=min(token_id, LARGEST_KEY), address=address_of(request)
    )
    if name is None:
        raise Http404
    messages.success(request, _("The token “%(name)s” is revoked.") % {"name": name})
    return redirect("accounts:tokens")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def clients(request: HttpRequest) -> HttpResponse:
    """The person's OAuth clients; POST makes one and shows its secret, once, in the answer itself."""
    form, made, secret = ClientForm(request.POST or None), None, None
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = oauth.create_client(
                person_of(request), form.cleaned_data["name"], address=address_of(request)
            )
            form = ClientForm()
        except ValidationError as error:
            form.add_error("name", error.messages)
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "clients": OAuthClient.objects.filter(user=person_of(request)).order_by("-created"),
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "accounts/clients.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def delete_client(request: HttpRequest, client_pk: int) -> HttpResponse:
    """Delete one of the person's own OAuth clients."""
    client = oauth.delete_client(
        user=person_of(request), pk=min(client_pk, LARGEST_KEY), address=address_of(request)
    )
    if client is None:
        raise Http404
    messages.success(request, _("The client “%(name)s” is deleted.") % {"name": client.name})
    return redirect("accounts:clients")
