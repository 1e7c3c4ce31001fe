"""Whose account an outer identity opens: looked up, connected, disconnected here and nowhere else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import OuterIdentity
from accounts.signals import acted
from accounts.sso.errors import Disabled, LoginRefused, NotConnected


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at the issuer: ``iss``, ``sub``, and the user name it tells, which may be empty."""

    issuer: str
    subject: str
    name: str

    @classmethod
    def of(cls, claims: dict[str, Any]) -> Identity:
        """From the checked claims of an ID token. Raises ``LoginRefused`` for a subject that is none."""
        subject, name = claims["sub"], claims.get(settings.CENTRO_OIDC.username_claim)
        # OpenID Connect Core 1.0, section 2: at most 255 ASCII characters
        fits = isinstance(subject, str) and subject.isascii() and subject.isprintable()
        if not fits or not 0 < len(subject) <= 255:
            raise LoginRefused(_("The log-in service did not say who you are (claim “sub”)."))
        # half surrogates are not printable either: neither the database nor a page could take them
        if not isinstance(name, str) or not name.isprintable():
            name = ""
        return cls(claims["iss"], subject, name[:255])

    @property
    def key(self) -> str:
        """What it is stored under: two identities with the same key are the same one."""
        return hashlib.sha256(f"{self.issuer}\0{self.subject}".encode()).hexdigest()


def person(
    identity: Identity, claims: dict[str, Any], *, asked: bool = False, address: str | None = None
) -> User:
    """The enabled person whom the identity opens, connected now if the configuration lets it.

    ``claims`` may give a new person's name and mail address; ``address`` is the client's. With ``asked`` nothing
    is connected or made: somebody is logged in already, and says himself whether he is the one. Raises
    ``NotConnected``, and ``LoginRefused`` for a person who may not log in.
    """
    known = OuterIdentity.objects.select_related("user").filter(key=identity.key).first()
    if known is None and asked:
        raise _not_connected(identity)
    user = _enabled(known.user) if known else _first_login(identity, claims, address)
    OuterIdentity.objects.filter(key=identity.key).update(
        last_login_at=timezone.now(), name=identity.name
    )
    return user


def _first_login(identity: Identity, claims: dict[str, Any], address: str | None) -> User:
    way = settings.CENTRO_OIDC.first_login
    with transaction.atomic():
        user = _named(identity.name) if way != "refuse" else None
        if user is None and way == "create":
            user = _create(identity, claims, address)
        if user is None or not _may_be_taken(user, identity):
            raise _not_connected(identity)
        connect(_enabled(user), identity, address=address)
    return user


def _enabled(user: User) -> User:
    if not user.is_active:
        raise Disabled(_("Your account is disabled; ask an administrator of this portal."))
    return user


def _not_connected(identity: Identity) -> NotConnected:
    message = _(
        "No account here belongs to “%(name)s” yet. If you have one, log in with its password and connect it at "
        "“Password and log-in”; otherwise ask an administrator of this portal."
    )
    return NotConnected(message % {"name": identity.name or identity.subject}, identity)


def _named(name: str) -> User | None:
    """The account of that name, locked: two people may come with the same name at the same time."""
    if not name:
        return None
    user = User.objects.select_for_update().filter(username=name).first()
    # MariaDB compares names without case; a name is the same one everywhere.
    return user if user and user.username == name else None


def _may_be_taken(user: User, identity: Identity) -> bool:
    """A name is enough for an ordinary account that nobody of this issuer has: names may be given anew there,
    and whoever gives them must not become an administrator here."""
    return not (
        user.is_staff
        or user.is_superuser
        or user.outer_identities.filter(issuer=identity.issuer).exclude(key=identity.key).exists()
    )


def _create(identity: Identity, claims: dict[str, Any], address: str | None) -> User | None:
    user = User(
        username=identity.name,
        email=_text(claims, "email") if claims.get("email_verified") is True else "",
        first_name=_text(claims, "given_name")[:150],
        last_name=_text(claims, "family_name")[:150],
    )
    user.set_unusable_password()
    try:
        user.clean_fields()
    except ValidationError as error:
        if "email" not in error.message_dict or len(error.message_dict) > 1:
            return None
        user.email = ""
    if User.objects.filter(username__iexact=user.username).exists():
        return None
    try:
        with transaction.atomic():
            user.save()
            acted.send(
                User, user=user, action="account.create", target=user.username, address=address
            )
    except IntegrityError:
        return _named(identity.name)  # two windows at once
    return user


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and value.isprintable() else ""


def connect(user: User, identity: Identity, *, address: str | None = None) -> OuterIdentity:
    """From now on the identity logs in as the person. Raises ``LoginRefused`` if it is somebody else's."""
    try:
        with transaction.atomic():
            known = OuterIdentity.objects.create(
                user=user,
                issuer=identity.issuer,
                subject=identity.subject,
                key=identity.key,
                name=identity.name,
            )
            acted.send(
                User, user=user, action="login.connect", target=identity.subject, address=address
            )
    except IntegrityError:
        known = OuterIdentity.objects.get(key=identity.key)
        if known.user_id != user.pk:
            raise LoginRefused(
                _("“%(name)s” is connected with another account here.")
                % {"name": identity.name or identity.subject}
            ) from None
    return known


def disconnect(user: User, pk: int, *, address: str | None = None) -> OuterIdentity | None:
    """Take one of the person's own identities away; None if there is no such one of his.

    Raises ``LoginRefused`` for the last one of a person without a password, who could not come back.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        found = user.outer_identities.filter(pk=pk).first()
        if found is None:
            return None
        if not user.has_usable_password() and user.outer_identities.count() == 1:
            raise LoginRefused(
                _("It is your only way to log in. Ask an administrator for a password first.")
            )
        found.delete()
        acted.send(
            User, user=user, action="login.disconnect", target=found.subject, address=address
        )
    return found
