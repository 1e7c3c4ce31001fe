"""Look at the queues of systems, and check systems for administrators."""

from pipeline_management.services import dispatch, queues, system_check
from pipeline_management.tasks.guard import task


@task(dispatch.QUEUES_OF)
def queues_due(account_id: int) -> None:
    queues.collect(account_id)


@task(dispatch.CHECK)
def check_due(account_id: int) -> None:
    dispatch.heard(dispatch.CHECK, account_id)
    system_check.work(account_id)


@task("pipeline_management.sweep_queues")
def sweep_queues() -> None:
    queues.sweep()
