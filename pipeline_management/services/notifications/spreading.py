"""From a run's end to deliveries: who is to be told, decided once per end."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Case, F, TextField, Value, When
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.models import Delivery, Run, RunEnding, Webhook
from pipeline_management.models.notification import DeliveryKind, DeliveryPurpose, MailWish
from pipeline_management.services.notifications.addresses import in_configuration, is_address
from pipeline_management.services.transactions import atomically

BATCH = 50
"""Ends spread at once; their configurations are in memory together."""


def delivery_key(*parts: object) -> str:
    """What makes a delivery one of its kind, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def can_mail() -> bool:
    """Whether this installation has a mail server."""
    return bool(settings.EMAIL_HOST)


def spread() -> int:
    """Turn the oldest ends into deliveries; returns how many ends. Done twice, it makes nothing twice."""
    return atomically(_spread)


def _spread() -> int:
    endings = list(RunEnding.objects.order_by("pk")[:BATCH])
    if not endings:
        return 0
    numbers = {ending.run_id: ending.event_seq for ending in endings}
    runs = _ended_runs(list(numbers))
    webhooks = defaultdict(list)
    for webhook in Webhook.objects.filter(enabled=True, lab_id__in={run.lab_id for run in runs}):
        webhooks[webhook.lab_id].append(webhook)
    now = timezone.now()
    made: list[Delivery] = []
    for run in runs:
        made += _mails(run, numbers[run.pk], now)
        for webhook in webhooks[run.lab_id] if run.lab_id else ():
            if run.state in webhook.states:
                made.append(_call(run, numbers[run.pk], webhook, now))
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    RunEnding.objects.filter(pk__in=[ending.pk for ending in endings]).delete()
    return len(endings)


def _ended_runs(ids: list[UUID]) -> list[Run]:
    """The runs with their submitters; ``asked`` is the configuration where it may name an address.

    A configuration can have ten million characters, so those without the key stay in the database.
    """
    asked = Case(
        When(configuration_json__contains='"email"', then=F("configuration_json")),
        default=Value(""),
        output_field=TextField(),
    )
    runs = Run.objects.filter(pk__in=ids).annotate(asked=asked)
    return list(
        runs.select_related("submitter__mail_preference").defer("configuration_json", "script")
    )


def _mails(run: Run, seq: int, now: datetime) -> Iterator[Delivery]:
    if not can_mail():
        return
    own = run.submitter.email if _wants_mail(run) else ""
    text: str = run.asked  # type: ignore[attr-defined]  # the annotation of _ended_runs
    addresses = {address.lower(): address for address in in_configuration(text)}
    if own and is_address(own):
        addresses[own.lower()] = own
    for plain, address in addresses.items():
        mine = plain == own.lower()
        yield Delivery(
            key=delivery_key(run.pk, seq, DeliveryKind.MAIL, plain),
            kind=DeliveryKind.MAIL,
            purpose=DeliveryPurpose.RUN_END,
            run=run,
            event_seq=seq,
            user=run.submitter if mine else None,
            address=address,
            next_at=now,
        )


def _wants_mail(run: Run) -> bool:
    person = run.submitter
    if not person.is_active:
        return False
    try:
        wish = person.mail_preference.runs
    except ObjectDoesNotExist:
        wish = MailWish.ALL
    return wish == MailWish.ALL or (wish == MailWish.FAILURES and run.state == RunState.FAILED)


def _call(run: Run, seq: int, webhook: Webhook, now: datetime) -> Delivery:
    return Delivery(
        key=delivery_key(run.pk, seq, DeliveryKind.WEBHOOK, webhook.pk),
        kind=DeliveryKind.WEBHOOK,
        purpose=DeliveryPurpose.RUN_END,
        run=run,
        event_seq=seq,
        webhook=webhook,
        next_at=now,
    )
