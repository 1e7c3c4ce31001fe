"""Ask accounting what ended runs have used, and keep its sums right."""

from pipeline_management.services import dispatch
from pipeline_management.services.notifications import budget_mails
from pipeline_management.services.usage import collecting, upkeep
from pipeline_management.tasks.guard import task


@task(dispatch.USAGE)
def usage_due(account_id: int) -> None:
    collecting.collect_due(account_id)


@task("pipeline_management.sweep_usage")
def sweep_usage() -> None:
    collecting.sweep()


@task("pipeline_management.sweep_budgets")
def sweep_budgets() -> None:
    budget_mails.queue_due()


@task("pipeline_management.sweep_usage_days")
def sweep_usage_days() -> None:
    upkeep.mend_lately()
