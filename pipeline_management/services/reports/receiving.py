"""Events that a job sends itself: limits, reading, recording, and a hint for the poller."""

from __future__ import annotations

import time

from django.core.cache import cache
from django.utils.translation import gettext as _

from pipeline_management.choices import RunState
from pipeline_management.errors import NotAllowed, TooOften
from pipeline_management.models import Run
from pipeline_management.services import dispatch, polling
from pipeline_management.services.reports.recording import MAX_EVENTS, Recorded, record
from pipeline_management.services.reports.wire import Report, read_body

WINDOW = 10
"""Seconds over which a run's requests are counted."""
ALLOWANCE = 6000
"""What a run may spend in that time: 1 for an event and ``REQUEST_COST`` for a request, so about 28 requests of
one event a second, or 590 events a second in requests of 1,000."""
REQUEST_COST = 20
_HURRY = 2


def receive(run: Run, body: bytes) -> Recorded:
    """Record the events of one request; all of them or none.

    ``run`` has at least id, state and account. Raises ``TooOften``, ``NotAllowed`` when the run is over or has
    reported too much, ``TooLarge`` and ``InvalidRequest`` for the body.
    """
    if RunState(run.state).is_terminal:
        raise NotAllowed(_("The run is over: its token is no longer valid."))
    _spend(run, REQUEST_COST + body.count(b"\n"))
    reports = read_body(body)
    recorded = record(run.pk, reports)
    if recorded.refused:
        if Run.objects.filter(pk=run.pk, event_seq__gte=MAX_EVENTS).exists():
            raise NotAllowed(_("The run has reported as many events as one run may."))
        raise NotAllowed(_("The run is over: its token is no longer valid."))
    if recorded.accepted:
        _hint(run, reports)
    return recorded


def _spend(run: Run, cost: int) -> None:
    window = int(time.time()) // WINDOW
    key = f"reports:{run.pk}:{window}"
    cache.add(key, 0, 2 * WINDOW)
    try:
        spent = cache.incr(key, cost)
    except ValueError:  # dropped between the two: the next request counts again
        return
    if spent > ALLOWANCE:
        message = _("The run reports too much at once; send several events in one request.")
        raise TooOften(message, WINDOW - int(time.time()) % WINDOW)


def _hint(run: Run, reports: list[Report]) -> None:
    """Something happens there: let the poller look now. How often that may be said is bounded per account: at
    most once a poll interval, sooner where the run's state is about to change."""
    ends = any(report.type == "completed" for report in reports)
    if ends:
        polling.look_soon(run.account_id)  # the job still has to end
    soon = ends or run.state == RunState.SUBMITTED
    pause = _HURRY if soon else max(_HURRY, run.account.system.poll_interval)
    if cache.add(f"report-hint:{run.account_id}:{soon}", 1, pause):
        dispatch.ring_on_commit(dispatch.POLL, run.account_id)
