"""Ring the bell: tell the workers that there is work. The database is the queue; a lost bell costs time only.

Tasks are named, never imported, and carry the id of a system account, never data.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db import transaction

logger = logging.getLogger(__name__)

SUBMIT = "pipeline_management.submit_due"
POLL = "pipeline_management.poll_account"
FINISH = "pipeline_management.finish_due"
CANCEL = "pipeline_management.cancel_due"
NOTIFY = "pipeline_management.notify_due"
TRANSFER = "pipeline_management.transfer_due"
ARCHIVE = "pipeline_management.archive_due"
WAITING = "pipeline_management.ask_waiting"
USAGE = "pipeline_management.usage_due"
QUEUES_OF = "pipeline_management.queues_due"
CHECK = "pipeline_management.check_due"
NO_ACCOUNT = 0
"""In place of an account's id, for work that belongs to none."""
UNHEARD_SECONDS = 3
"""How long a hint that nobody hears keeps others back; about as long as until the next sweep."""
QUEUES = {
    SUBMIT: "submit",
    FINISH: "submit",
    CANCEL: "submit",
    POLL: "poll",
    NOTIFY: "control", WAITING: "poll",
    USAGE: "poll",
    QUEUES_OF: "poll",
    CHECK: "poll",
    TRANSFER: "transfer",
    ARCHIVE: "transfer",
}


def ring(task: str, account_id: int) -> None:
    """Send a hint now. A broker that does not answer is logged and otherwise ignored: the sweeps find the work."""
    try:
        current_app.send_task(
            task, args=[account_id], queue=QUEUES[task], retry=False, ignore_result=True, expires=60
        )
    except Exception as error:  # every kind of broker trouble means the same here
        logger.warning("hint %s for account %s was not sent: %s", task, account_id, error)


def ring_on_commit(task: str, account_id: int) -> None:
    """Send a hint once the current transaction is committed; never before, never if it rolls back.

    While an earlier hint waits to be heard, none is sent: whoever hears it finds this work too.
    """

    def send(**_: Any) -> None:
        if cache.add(_unheard(task, account_id), 1, UNHEARD_SECONDS):
            ring(task, account_id)

    transaction.on_commit(send)


def heard(task: str, account_id: int) -> None:
    """A hint has arrived. To be called before looking for work, so that what is committed after the look
    rings again."""
    cache.delete(_unheard(task, account_id))


def _unheard(task: str, account_id: int) -> str:
    return f"bell:{task}:{account_id}"
