"""Access tokens: made, looked up, revoked here and nowhere else."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import TOKEN_PREFIX, ApiToken, TokenScope, hash_token, new_token
from accounts.signals import acted

MAX_TOKENS = 100
USE_INTERVAL = timedelta(minutes=1)  # how exactly the last use is recorded


def create_token(
    user: User,
    name: str,
    expires_at: datetime | None = None,
    *,
    scope: TokenScope = TokenScope.ALL,
    address: str | None = None,
) -> tuple[ApiToken, str]:
    """A new token of the person and its text, which is not kept and cannot be shown again.

    ``expires_at`` is an aware time in the future or None for a token that does not expire; ``address`` is
    the client's, for the audit trail. Raises ``ValidationError`` with the field's name for a bad or used
    name, a past time, or too many tokens.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise ValidationError({"name": _("Give a name of 1 to 100 printable characters.")})
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": _("Give a time in the future.")})
    if ApiToken.objects.filter(user=user).count() >= MAX_TOKENS:
        raise ValidationError({"name": _("You have 100 tokens; revoke one that is not used.")})
    text = new_token()
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(
                user=user,
                name=name,
                hash=hash_token(text),
                hint=text[: len(TOKEN_PREFIX) + 4],
                expires_at=expires_at,
                scope=scope,
            )
            acted.send(User, user=user, action="token.create", target=name, address=address)
    except IntegrityError:
        message = _(
            "You have a token of this name already; choose another name or revoke that one."
        )
        raise ValidationError({"name": message}) from None
    return token, text


def revoke_token(*, user: User, token_id: int, address: str | None = None) -> str | None:
    """Revoke one of the person's own tokens; its name, or None if there is no such token of his."""
    with transaction.atomic():
        token = ApiToken.objects.filter(user=user, pk=token_id).first()
        if token is None:
            return None
        token.delete()
        acted.send(User, user=user, action="token.revoke", target=token.name, address=address)
        return token.name


def find_token(text: str) -> ApiToken | None:
    """The valid token with this text and its active user, else None; records that it was used.

    One query, and a second at most once a minute.
    """
    if not text.startswith(TOKEN_PREFIX) or len(text) > 200 or not text.isascii():
        return None
    now = timezone.now()
    token = ApiToken.objects.select_related("user").filter(hash=hash_token(text)).first()
    if token is None or not token.user.is_active or (token.expires_at and token.expires_at <= now):
        return None
    if token.last_used_at is None or now - token.last_used_at >= USE_INTERVAL:
        unused = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_INTERVAL)
        ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=now)
    return token
