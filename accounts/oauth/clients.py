"""OAuth clients: made, checked, deleted here and nowhere else (the site file writes its own)."""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import verified
from accounts.models import OAuthClient
from accounts.signals import acted

SCOPES = ("firecrest",)
"""What a client may be given."""
MAX_CLIENTS = 100
USE_INTERVAL = timedelta(minutes=1)  # how exactly the last use is recorded


def create_client(
    user: User, name: str, scopes: Sequence[str] = SCOPES, *, address: str | None = None
) -> tuple[OAuthClient, str]:
    """A new client of the person and its secret, which is not kept and cannot be shown again.

    Raises ``ValidationError`` with the field's name for a bad name or too many clients.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise ValidationError({"name": _("Give a name of 1 to 100 printable characters.")})
    secret = random.token_urlsafe(32)
    with transaction.atomic():
        if OAuthClient.objects.filter(user=user).count() >= MAX_CLIENTS:
            raise ValidationError({"name": _("You have 100 clients; delete one that is not used.")})
        client = OAuthClient.objects.create(
            client_id=random.token_hex(12),
            name=name,
            user=user,
            client_secret=make_password(secret),
            **fixed_values(scopes),
        )
        acted.send(
            User, user=user, action="client.create", target=client.client_id, address=address
        )
    return client, secret


def fixed_values(scopes: Sequence[str]) -> dict[str, object]:
    """What is the same for every client, and its scopes."""
    return {
        "client_type": OAuthClient.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": OAuthClient.GRANT_CLIENT_CREDENTIALS,
        "scopes": list(scopes),
    }


def delete_client(*, user: User, pk: int, address: str | None = None) -> OAuthClient | None:
    """Delete one that the person made, with which its tokens end; None if he has no such client.

    Those of the site file would come back with it.
    """
    with transaction.atomic():
        client = OAuthClient.objects.filter(user=user, pk=pk, from_site=False).first()
        if client is None:
            return None
        client.delete()
        acted.send(
            User, user=user, action="client.delete", target=client.client_id, address=address
        )
        return client


def check(client_id: str, secrets: Sequence[str], address: str) -> OAuthClient | None:
    """The client with this id if one of ``secrets`` is its secret; unknown ids take the same time.

    ``address`` is the program's, for throttling. Raises ``accounts.throttle.Throttled``.
    """
    client = _find(client_id)

    def fits(stored: str) -> str | None:
        return stored if any(check_password(secret, stored) for secret in secrets) else None

    right = verified.holds(
        # user names have no NUL, so the two cannot be counted as one
        name=f"client\0{client_id}",
        secret="\0".join(secrets),
        stored=client.client_secret if client else None,
        address=address,
        fits=fits,
    )
    return client if right else None


def _find(client_id: str) -> OAuthClient | None:
    if not client_id or len(client_id) > 255 or not client_id.isprintable():
        return None
    client = OAuthClient.objects.select_related("user").filter(client_id=client_id).first()
    # MariaDB compares without case; an id is the same one everywhere.
    return client if client and client.client_id == client_id else None


def note_use(client: OAuthClient) -> None:
    """Record that the client got a token."""
    now = timezone.now()
    if client.last_used_at is None or now - client.last_used_at >= USE_INTERVAL:
        OAuthClient.objects.filter(pk=client.pk).update(last_used_at=now)
