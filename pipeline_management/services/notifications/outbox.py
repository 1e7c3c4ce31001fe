"""What ended is written down with the state itself, so that no end is forgotten; the rest comes later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from pipeline_management.choices import TERMINAL_STATES
from pipeline_management.models import Delivery, RunEnding, RunEvent
from pipeline_management.models.notification import DeliveryState
from pipeline_management.services import dispatch

KEPT = timedelta(days=90)
"""How long the deliveries that are over can be looked at."""


def note_ends(events: Iterable[RunEvent]) -> None:
    """Write down which of these new events are a run's end, in the caller's transaction: one query for
    all of them, none where there is no end."""
    endings = [
        RunEnding(run_id=event.run_id, event_seq=event.seq)
        for event in events
        if event.to_state in TERMINAL_STATES
    ]
    if endings:
        RunEnding.objects.bulk_create(endings)
        dispatch.ring_on_commit(dispatch.NOTIFY, dispatch.NO_ACCOUNT)


def delete_old() -> None:
    """Delete deliveries of which nothing is to come any more and that are older than ``KEPT``."""
    old = Delivery.objects.filter(created_at__lt=timezone.now() - KEPT)
    old.exclude(state=DeliveryState.WAITING).delete()
