"""Labs with their members, credentials (written, never shown), tokens and OAuth clients (to revoke)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from oauth2_provider import admin as toolkit

from accounts.models import ApiToken, Credential, Lab, Membership, OAuthClient, OuterIdentity
from hpc.errors import AuthenticationFailed
from hpc.transports.credentials import KeyCredential


class MembershipInline(admin.TabularInline):
    """The people of a lab and their roles."""

    model = Membership
    autocomplete_fields = ("user",)
    extra = 1


@admin.register(Lab)
class LabAdmin(admin.ModelAdmin):
    """Labs."""

    list_display = ("name", "slug", "visibility", "members")
    search_fields = ("name", "slug")
    inlines = (MembershipInline,)

    @admin.display(description=_("members"))
    def members(self, lab: Lab) -> int:
        return lab.memberships.count()


class CredentialForm(forms.ModelForm):
    """Takes a new secret; the stored one is never sent to a browser. Left empty, it stays as it is."""

    new_secret = forms.CharField(
        label=_("Private key"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "OpenSSH or PEM text. What is stored is never shown; left empty, it stays as it is."
        ),
    )
    new_passphrase = forms.CharField(
        label=_("Passphrase of the key"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Read together with a new key only."),
    )

    class Meta:
        model = Credential
        fields = ("name", "kind")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        secret = values.get("new_secret") or ""
        if not secret:
            if self.instance.pk is None:
                self.add_error("new_secret", _("A private key is needed."))
            if values.get("new_passphrase"):
                self.add_error(
                    "new_passphrase", _("Give the key again together with its passphrase.")
                )
            return values
        try:
            key = KeyCredential("any", secret, values.get("new_passphrase") or None).login_key()
            self.fingerprint = key.fingerprint
        except AuthenticationFailed as error:
            self.add_error("new_secret", ValidationError(str(error)))
        return values

    def save(self, commit: bool = True) -> Credential:
        """Store the new secret, if one was given, with its fingerprint."""
        if self.cleaned_data.get("new_secret"):
            self.instance.secret = self.cleaned_data["new_secret"].replace("\r\n", "\n")
            self.instance.passphrase = self.cleaned_data.get("new_passphrase") or ""
            self.instance.fingerprint = self.fingerprint
        return super().save(commit)


@admin.register(Credential)
class CredentialAdmin(admin.ModelAdmin):
    """Credentials: name, kind and fingerprint are shown, the secret is write-only."""

    form = CredentialForm
    list_display = ("name", "kind", "fingerprint", "updated_at")
    search_fields = ("name", "fingerprint")
    readonly_fields = ("fingerprint", "updated_at")
    fields = ("name", "kind", "new_secret", "new_passphrase", "fingerprint", "updated_at")


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    """Access tokens: seen by their hint, revoked by deleting. People make their own."""

    list_display = ("name", "user", "hint", "scope", "created_at", "expires_at", "last_used_at")
    list_filter = ("scope",)
    search_fields = ("name", "user__username", "hint")
    list_select_related = ("user",)
    fields = ("user", "name", "hint", "scope", "created_at", "expires_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False


# Its own pages would offer grants that there are not, and tables that stay empty.
for model in (
    toolkit.application_model,
    toolkit.access_token_model,
    toolkit.grant_model,
    toolkit.id_token_model,
    toolkit.refresh_token_model,
):
    admin.site.unregister(model)


@admin.register(OAuthClient)
class OAuthClientAdmin(admin.ModelAdmin):
    """OAuth clients: seen by their id, revoked by deleting. People and the site file make them."""

    list_display = ("client_id", "name", "user", "scopes", "created", "last_used_at")
    search_fields = ("client_id", "name", "user__username")
    list_select_related = ("user",)
    view_on_site = False
    fields = ("client_id", "name", "user", "scopes", "created", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: OAuthClient | None = None) -> bool:
        return False


@admin.register(OuterIdentity)
class OuterIdentityAdmin(admin.ModelAdmin):
    """Who logs in by the issuer as whom: seen, and disconnected by deleting. People connect their own."""

    list_display = ("user", "name", "subject", "issuer", "created_at", "last_login_at")
    search_fields = ("user__username", "name", "subject")
    list_select_related = ("user",)
    fields = ("user", "name", "subject", "issuer", "created_at", "last_login_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: OuterIdentity | None = None) -> bool:
        return False
