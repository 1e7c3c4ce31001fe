"""Who is what: the one place that turns memberships into permissions. Pages, API and exports ask here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User

from accounts.models import LabVisibility, Membership, Role

Viewer = AbstractBaseUser | AnonymousUser


def is_administrator(user: Viewer) -> bool:
    """Whether the person administers the whole site."""
    return bool(user.is_authenticated and user.is_active and getattr(user, "is_staff", False))


@dataclass(frozen=True, slots=True)
class Scope:
    """The labs of one person by what they may do there; ``everything`` for administrators.

    ``sees`` are labs all of whose runs the person sees, ``sees_own`` those where only his own;
    ``submits`` and ``manages`` as the words say. All are lab primary keys.
    """

    user_id: int | None
    everything: bool
    sees: frozenset[int]
    sees_own: frozenset[int]
    submits: frozenset[int]
    manages: frozenset[int]

    @property
    def labs(self) -> frozenset[int]:
        """Every lab of the person."""
        return self.sees | self.sees_own


_NOTHING: frozenset[int] = frozenset()


_remembered: ContextVar[dict[tuple[int, bool], Scope] | None] = ContextVar("scopes", default=None)


@contextmanager
def scopes_remembered() -> Iterator[None]:
    """Ask for a person's memberships once, while one answer is made that changes nothing."""
    token = _remembered.set({})
    try:
        yield
    finally:
        _remembered.reset(token)


def scope_of(user: Viewer) -> Scope:
    """The person's scope, read now or since ``scopes_remembered`` began: a removed membership takes effect at
    the next request. At most one query."""
    if not isinstance(user, User) or not user.is_active:
        return Scope(None, False, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
    known = _remembered.get()
    key = user.pk, is_administrator(user)
    if known is not None and key in known:
        return known[key]
    scope = _scope(user)
    if known is not None:
        known[key] = scope
    return scope


def _scope(user: User) -> Scope:
    sees: set[int] = set()
    own: set[int] = set()
    submits: set[int] = set()
    manages: set[int] = set()
    rows = Membership.objects.filter(user=user).values_list("lab_id", "role", "lab__visibility")
    for lab_id, role_value, visibility in rows:
        role = Role(role_value)
        if role is Role.MANAGER:
            manages.add(lab_id)
        if role.rank >= Role.SUBMITTER.rank:
            submits.add(lab_id)
        (sees if role is Role.MANAGER or visibility == LabVisibility.LAB else own).add(lab_id)
    return Scope(
        user.pk,
        is_administrator(user),
        frozenset(sees),
        frozenset(own),
        frozenset(submits),
        frozenset(manages),
    )
