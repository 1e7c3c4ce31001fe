"""Webhooks of labs: made, switched, tried, deleted here and nowhere else."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Lab
from accounts.policy import Viewer, scope_of
from pipeline_management.choices import TERMINAL_STATES
from pipeline_management.models import Delivery, Webhook
from pipeline_management.models.notification import DeliveryKind, DeliveryPurpose, DeliveryState
from pipeline_management.services import audit, dispatch
from pipeline_management.services.notifications import outgoing
from pipeline_management.services.notifications.spreading import delivery_key

MOST = 20
"""Webhooks of one lab."""


def managed_labs(user: Viewer) -> QuerySet[Lab]:
    """The labs whose webhooks the person keeps: all of them for administrators."""
    scope = scope_of(user)
    return Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.manages)


def create(
    lab: Lab, url: str, states: Sequence[str], *, user: User, address: str | None = None
) -> tuple[Webhook, str]:
    """A new webhook and its secret, which cannot be shown again.

    ``states`` are terminal states; ``address`` is the client's. Raises ``ValidationError`` with the field's
    name for an address that may not be called, no or wrong states, or too many webhooks.
    """
    url = url.strip()
    try:
        outgoing.checked(url, allow_private=settings.CENTRO_WEBHOOK_ALLOW_PRIVATE)
    except outgoing.Refused as error:
        raise ValidationError({"url": str(error)}) from None
    if not states or not set(states) <= set(TERMINAL_STATES):
        raise ValidationError({"states": _("Choose at least one state in which runs end.")})
    secret = f"whs_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        if Webhook.objects.filter(lab=lab).count() >= MOST:
            raise ValidationError({"url": _("The lab has 20 webhooks; delete one first.")})
        chosen = sorted(set(map(str, states)))
        webhook = Webhook.objects.create(
            lab=lab, url=url, states=chosen, secret=secret, created_by=user
        )
        audit.record(user, "webhook.create", f"{lab.slug} {webhook.pk}", address=address)
    return webhook, secret


def switch(webhook: Webhook, *, enabled: bool, user: User, address: str | None = None) -> None:
    """Enable or disable. What waits for a disabled webhook is not sent any more."""
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(enabled=enabled)
        word = "webhook.enable" if enabled else "webhook.disable"
        audit.record(user, word, f"{webhook.lab.slug} {webhook.pk}", address=address)


def delete(webhook: Webhook, *, user: User, address: str | None = None) -> None:
    """Delete it with its delivery log."""
    with transaction.atomic():
        audit.record(user, "webhook.delete", f"{webhook.lab.slug} {webhook.pk}", address=address)
        webhook.delete()


def send_test(webhook: Webhook) -> Delivery:
    """Send an event of type "test" soon; how it went is in the delivery log."""
    with transaction.atomic():
        made = Delivery.objects.create(
            key=delivery_key("test", webhook.pk, secrets.token_hex(16)),
            kind=DeliveryKind.WEBHOOK,
            purpose=DeliveryPurpose.TEST,
            webhook=webhook,
            next_at=timezone.now(),
        )
        dispatch.ring_on_commit(dispatch.NOTIFY, dispatch.NO_ACCOUNT)
    return made


def send_again(
    webhook: Webhook, delivery_id: UUID, *, user: User, address: str | None = None
) -> bool:
    """Send a delivery of the webhook again, now, with its tries counted anew; False if there is none.

    The event keeps its id, so that the receiver can see that it is the same. One that is being sent at
    this moment stays with its sender.
    """
    with transaction.atomic():
        changed = Delivery.objects.filter(pk=delivery_id, webhook=webhook).update(
            state=DeliveryState.WAITING, tries=0, next_at=timezone.now(), delivered_at=None
        )
        if changed:
            target = f"{webhook.lab.slug} {webhook.pk} {delivery_id}"
            audit.record(user, "webhook.resend", target, address=address)
            dispatch.ring_on_commit(dispatch.NOTIFY, dispatch.NO_ACCOUNT)
    return bool(changed)
