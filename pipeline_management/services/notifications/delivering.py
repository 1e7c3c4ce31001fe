"""Send what is due: claimed by compare-and-set, tried for about a day, every outcome kept."""

from __future__ import annotations

import logging
import random
import time
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from pipeline_management.models import Delivery, RunEnding
from pipeline_management.models.notification import DeliveryKind, DeliveryState
from pipeline_management.services import leases
from pipeline_management.services.notifications import calling, mailing
from pipeline_management.services.notifications.outcome import Outcome
from pipeline_management.services.notifications.spreading import spread
from pipeline_management.services.transactions import atomically

logger = logging.getLogger(__name__)

PAUSES = (30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 21_600, 21_600)
"""Seconds before each further try: about a day in all, then the delivery is given up."""
LEASE = timedelta(seconds=180)
"""More than one try can take: ten seconds for each step of a mail, five for a webhook and its name."""
BATCH = 20
SENDERS = 3
"""How many workers' threads send at once; servers that hang hold up no more than these."""
LONGEST_ROUND = 60
"""Seconds after which a round ends; what is left is found by the next."""


def work() -> int:
    """Tell whoever is to be told now; returns how many deliveries were tried. Failures are kept, not raised."""
    with leases.holding() as holder:
        slot = next((n for n in range(SENDERS) if leases.take_named(f"notify:{n}", holder)), None)
        if slot is None:
            return 0
        try:
            _spread_all(holder)
            return _send_all(holder)
        finally:
            leases.release_named(f"notify:{slot}", holder)


def is_work_waiting() -> bool:
    """Whether there is anything to spread or to send."""
    return RunEnding.objects.exists() or _due().exists()


def _spread_all(holder: str) -> None:
    if not leases.take_named("notify:spread", holder):
        return
    try:
        while spread():
            pass
    finally:
        leases.release_named("notify:spread", holder)


def _send_all(holder: str) -> int:
    end = time.monotonic() + LONGEST_ROUND
    tried = 0
    while time.monotonic() < end:
        batch = atomically(lambda: claim(holder))
        if not batch:
            break
        with mailing.Mailer() as mailer:
            _send_batch(batch, holder, mailer)
        tried += len(batch)
    return tried


_FREE = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def _due() -> QuerySet[Delivery]:
    return Delivery.objects.filter(_FREE, state=DeliveryState.WAITING, next_at__lte=Now())


def claim(holder: str) -> list[Delivery]:
    """Lease a batch of due deliveries to ``holder``, mails first; call inside a transaction."""
    ids = list(_due().order_by("next_at", "pk").values_list("pk", flat=True)[:BATCH])
    if not ids:
        return []
    _due().filter(pk__in=sorted(ids)).update(lease_holder=holder, lease_until=Now() + LEASE)
    mine = Delivery.objects.filter(
        pk__in=ids, lease_holder=holder, lease_until__gt=Now(), state=DeliveryState.WAITING
    )
    related = ("webhook__lab", "user__mail_preference", "lab", "run__system", "run__lab")
    rows = mine.select_related(*related, "run__submitter", "run__version__pipeline")
    return list(rows.defer("run__configuration_json", "run__script").order_by("kind", "next_at"))


def _send_batch(batch: list[Delivery], holder: str, mailer: mailing.Mailer) -> None:
    """Try each; once a server does not answer, the rest of the batch for it counts as tried."""
    silent: dict[int | None, Outcome] = {}
    for delivery in batch:
        if not _still_mine(delivery, holder):
            continue
        outcome = silent.get(delivery.webhook_id) or _try(delivery, mailer)
        if outcome.unreachable:
            silent[delivery.webhook_id] = outcome
        settle(delivery, outcome, holder)


def _still_mine(delivery: Delivery, holder: str) -> bool:
    """Renew the lease just before the try, so that nobody else sends at the same time."""
    mine = Delivery.objects.filter(
        pk=delivery.pk, lease_holder=holder, state=DeliveryState.WAITING, lease_until__gt=Now()
    )
    return bool(mine.update(lease_until=Now() + LEASE))


def _try(delivery: Delivery, mailer: mailing.Mailer) -> Outcome:
    try:
        if delivery.kind == DeliveryKind.MAIL:
            return mailer.send(delivery)
        return calling.call(delivery)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out and somebody tries again
    except Exception:
        # A text that cannot be sent must not hold up the ones behind it.
        logger.exception("delivery %s failed in a way that was not foreseen", delivery.pk)
        return Outcome.failed("Centro could not make this message; its log says why.")


def settle(delivery: Delivery, outcome: Outcome, holder: str) -> None:
    """Write down how a try ended, unless somebody else has taken the delivery over."""
    now = timezone.now()
    tries = delivery.tries + 1
    values: dict[str, Any] = {
        "tries": tries,
        "status_code": outcome.status_code,
        "answer": outcome.answer[:500],
        "error": outcome.error[:500],
        "lease_holder": "",
        "lease_until": None,
        "next_at": None,
    }
    if outcome.arrived:
        values |= {"state": DeliveryState.DELIVERED, "delivered_at": now}
    elif outcome.unwanted:
        values |= {"state": DeliveryState.DROPPED}
    elif outcome.final or tries > len(PAUSES):
        values |= {"state": DeliveryState.GIVEN_UP}
        logger.warning("delivery %s is given up: %s", delivery.pk, outcome.error)
    else:
        pause = PAUSES[tries - 1] * random.uniform(0.9, 1.1)  # noqa: S311  spreads the load, no secret
        values |= {"next_at": now + timedelta(seconds=pause)}
    Delivery.objects.filter(pk=delivery.pk, lease_holder=holder).update(**values)
