"""What the queues of systems look like: asked by workers about once a minute and kept, so that pages read it.

One account asks for each system; a system that does not answer keeps what was known of it, with its time.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now
from django.utils import timezone

from hpc.errors import HpcError
from hpc.jobs import QueueInfo
from pipeline_management.choices import HealthState
from pipeline_management.models import System, SystemAccount, SystemQueue
from pipeline_management.services import dispatch, leases, trouble
from pipeline_management.services.clients import client_for

logger = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=60)
MOST = 200
"""Queues of one system that are kept."""


def sweep() -> None:
    """Ring for the systems whose queues have not been looked at for a while; not for those known to be away."""
    old = timezone.now() - INTERVAL
    systems = (
        System.objects.filter(enabled=True)
        .exclude(health__in=(HealthState.DOWN, HealthState.BLOCKED))
        .annotate(looked=Max("queues__at"))
        .filter(Q(looked__isnull=True) | Q(looked__lt=old))
    )
    for system_id in systems.values_list("pk", flat=True):
        account = asking_account(system_id)
        if account is not None:
            dispatch.ring(dispatch.QUEUES_OF, account.pk)


def asking_account(system_id: int) -> SystemAccount | None:
    """Who asks: an account that has been answered lately, the one for everybody before others."""
    accounts = SystemAccount.objects.filter(system_id=system_id, poll_failures=0)
    return accounts.order_by("user_id", "-polled_at", "pk").first()


def collect(account_id: int) -> bool:
    """Ask the account's system and keep the answer; False if somebody else is at it or it did not answer.

    Never raises for a system that fails. What its health is, the pollers say, not this.
    """
    account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
    name = f"queues:{account.system_id}"
    with leases.holding() as holder:
        if not leases.take_named(name, holder):
            return False
        try:
            client = client_for(account)
            found = client.run(client.scheduler.queues())
        except (HpcError, ValueError) as error:
            logger.info("%s did not tell its queues: %s", account, trouble.describe(error))
            return False
        finally:
            leases.release_named(name, holder)
    store(account.system, found)
    return True


@transaction.atomic
def store(system: System, found: list[QueueInfo]) -> None:
    """Let the system's queues be these, in this order."""
    seen = set()
    for position, queue in enumerate(found[:MOST]):
        seen.add(queue.name[:100])
        limit = queue.walltime_limit
        SystemQueue.objects.update_or_create(
            system=system,
            name=queue.name[:100],
            defaults={
                "position": position,
                "is_default": queue.is_default,
                "state": queue.state[:40],
                "walltime_seconds": int(limit.total_seconds()) if limit is not None else None,
                "nodes_total": queue.nodes_total,
                "nodes_idle": queue.nodes_idle,
                "cpus_total": queue.cpus_total,
                "cpus_idle": queue.cpus_idle,
                "memory_mb": queue.memory_mb,
                "jobs_waiting": queue.jobs_waiting,
                "jobs_running": queue.jobs_running,
                "at": Now(),
            },
        )
    SystemQueue.objects.filter(system=system).exclude(name__in=seen).delete()
