"""The audit trail: who did what. Append-only; nothing here updates or deletes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from pipeline_management.models import AuditEvent


def record(
    actor: User | None,
    action: str,
    target: str,
    *,
    address: str | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Write one action down, in the caller's transaction. ``actor`` None is Centro itself."""
    AuditEvent.objects.create(
        actor=actor,
        actor_name=actor.get_username() if actor is not None else "centro",
        action=action,
        target=target[:200],
        address=address,
        data=data or {},
    )


def record_access(
    sender: object, user: User, action: str, target: str, address: str | None, **_: Any
) -> None:
    """Receiver of ``accounts.signals.acted``: what a person did to his own access."""
    record(user, action, target, address=address)
