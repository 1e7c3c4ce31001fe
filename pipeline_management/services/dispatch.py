"""Ring the bell: tell the workers that there is work. The database is the queue; a lost bell costs time only.

Tasks are named, never imported, and carry the id of a system account, never data.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

SUBMIT = "pipeline_management.submit_due"
POLL = "pipeline_management.poll_account"
FINISH = "pipeline_management.finish_due"
CANCEL = "pipeline_management.cancel_due"
QUEUES = {SUBMIT: "submit", FINISH: "submit", CANCEL: "submit", POLL: "poll"}


def ring(task: str, account_id: int) -> None:
    """Send a hint now. A broker that does not answer is logged and otherwise ignored: the sweeps find the work."""
    try:
        current_app.send_task(
            task, args=[account_id], queue=QUEUES[task], retry=False, ignore_result=True, expires=60
        )
    except Exception as error:  # every kind of broker trouble means the same here
        logger.warning("hint %s for account %s was not sent: %s", task, account_id, error)


def ring_on_commit(task: str, account_id: int) -> None:
    """Send a hint once the current transaction is committed; never before, never if it rolls back."""

    def send(**_: Any) -> None:
        ring(task, account_id)

    transaction.on_commit(send)
