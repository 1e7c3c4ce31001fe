"""People: labs and their roles, access tokens, OAuth clients, and the credentials for systems."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication

from accounts.encryption import EncryptedTextField

TOKEN_PREFIX = "cto_"  # noqa: S105  a public prefix, so that secret scanners recognise a leaked token
slug_validator = RegexValidator(
    r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
    _(
        "Use lower-case letters, digits, dot, dash and underscore, beginning and ending with a letter or digit."
    ),
)


class Role(models.TextChoices):
    """What a member may do in a lab; each role includes the ones before it."""

    VIEWER = "viewer", _("Viewer")
    SUBMITTER = "submitter", _("Submitter")
    MANAGER = "manager", _("Manager")

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class TokenScope(models.TextChoices):
    """What a token may do of what its person may; each scope includes the ones before it."""

    READ = "read", _("Only read")
    SUBMIT = "submit", _("Read, submit runs and steer them")
    ALL = "all", _("Everything that I may do")

    def includes(self, other: TokenScope) -> bool:
        """Whether a token of this scope may do what needs the ``other`` one."""
        order = list(TokenScope)
        return order.index(other) <= order.index(self)


class LabVisibility(models.TextChoices):
    """Which runs of a lab its viewers and submitters see; managers see all of them."""

    LAB = "lab", _("All runs of the lab")
    OWN = "own", _("Only their own runs")


class Lab(models.Model):
    """A group of people whose runs are reviewed together."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.CharField(max_length=64, unique=True, validators=[slug_validator])
    visibility = models.CharField(
        max_length=8, choices=LabVisibility.choices, default=LabVisibility.LAB
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's role in one lab."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lab", "user"], name="one_role_per_lab_and_user")
        ]
        ordering = ["lab", "user"]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) in {self.lab}"


def hash_token(token: str) -> str:
    """The form in which a token is stored: its SHA-256 in hex. Tokens carry 256 random bits, so no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh token: the prefix and 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


class ApiToken(models.Model):
    """A person's access token for the API. Only its hash is kept; the token itself is shown once.

    ``scope`` narrows what it may do; what it sees is what its person sees.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    scope = models.CharField(max_length=16, choices=TokenScope.choices, default=TokenScope.ALL)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="token_name_once_per_user")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class OAuthClient(AbstractApplication):
    """A program that asks ``/o/token/`` for access tokens with its own id and secret, in its owner's name.

    Only client credentials; what the base class has for other grants stays unused. ``client_secret`` is a
    password hash. ``scopes`` are those that its tokens may have; ``from_site`` says
    that the site file keeps it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="oauth_clients"
    )
    scopes = models.JSONField(default=list)
    from_site = models.BooleanField(default=False, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["client_id"]
        verbose_name = _("OAuth client")

    def __str__(self) -> str:
        return self.client_id


class OuterIdentity(models.Model):
    """Somebody at an OpenID Connect issuer, who logs in here as ``user``.

    ``issuer`` and ``subject`` are the claims ``iss`` and ``sub``, which alone name a person for good (OpenID
    Connect Core 1.0, 5.7); ``key`` is their hash, because MariaDB compares text without case. ``name`` is what
    the issuer called the person at the last log-in.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="outer_identities"
    )
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    key = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_login_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["user", "created_at"]
        verbose_name = _("outer identity")
        verbose_name_plural = _("outer identities")

    def __str__(self) -> str:
        return f"{self.name or self.subject} ({self.issuer})"


class CredentialKind(models.TextChoices):
    """How Centro proves to a system who it is."""

    KEY = "key", _("Private key")
    CA = "ca", _("Certificate authority (short-lived certificates)")


class Credential(models.Model):
    """A secret that logs in to systems; encrypted at rest, never shown again."""

    name = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=8, choices=CredentialKind.choices)
    secret = EncryptedTextField()
    passphrase = EncryptedTextField(blank=True, default="")
    fingerprint = models.CharField(max_length=100, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
