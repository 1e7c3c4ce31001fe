"""Tell people that runs ended."""

from pipeline_management.services import dispatch
from pipeline_management.services.notifications import delivering, digests
from pipeline_management.tasks.guard import task


@task(dispatch.NOTIFY)
def notify_due(account_id: int = dispatch.NO_ACCOUNT) -> None:
    dispatch.heard(dispatch.NOTIFY, account_id)
    delivering.work()


@task("pipeline_management.sweep_notify")
def sweep_notify() -> None:
    if delivering.is_work_waiting():
        dispatch.ring(dispatch.NOTIFY, dispatch.NO_ACCOUNT)


@task("pipeline_management.sweep_digests")
def sweep_digests() -> None:
    digests.queue_due()
