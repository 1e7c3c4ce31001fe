"""Celery entry points: take an id, call a service. Whatever fails is found again by the next sweep."""

from pipeline_management.tasks.notifications import notify_due, sweep_digests, sweep_notify
from pipeline_management.tasks.runs import (
    ask_waiting,
    cancel_due,
    finish_due,
    poll_account,
    submit_due,
)
from pipeline_management.tasks.sweeps import (
    sweep_audit,
    sweep_cancel,
    sweep_finish,
    sweep_orphans,
    sweep_poll,
    sweep_retention,
    sweep_stale,
    sweep_submit,
)
from pipeline_management.tasks.systems import check_due, queues_due, sweep_queues
from pipeline_management.tasks.transfers import sweep_staging, sweep_transfers, transfer_due
from pipeline_management.tasks.usage import (
    sweep_budgets,
    sweep_usage,
    sweep_usage_days,
    usage_due,
)

__all__ = [
    "ask_waiting",
    "cancel_due",
    "check_due",
    "finish_due",
    "notify_due",
    "poll_account",
    "queues_due",
    "submit_due",
    "sweep_audit",
    "sweep_budgets",
    "sweep_cancel",
    "sweep_digests",
    "sweep_finish",
    "sweep_notify",
    "sweep_orphans",
    "sweep_poll",
    "sweep_queues",
    "sweep_retention",
    "sweep_staging",
    "sweep_stale",
    "sweep_submit",
    "sweep_transfers",
    "sweep_usage",
    "sweep_usage_days",
    "transfer_due",
    "usage_due",
]
