"""Work on the runs of one system account."""

from pipeline_management.services import (
    cancellation,
    dispatch,
    finishing,
    native_lookup,
    polling,
    submission,
)
from pipeline_management.services.control import holding, waiting
from pipeline_management.tasks.guard import task


@task(dispatch.SUBMIT)
def submit_due(account_id: int) -> None:
    dispatch.heard(dispatch.SUBMIT, account_id)
    submission.submit_due(account_id)
    native_lookup.look_up_due(account_id)


@task(dispatch.POLL)
def poll_account(account_id: int) -> None:
    dispatch.heard(dispatch.POLL, account_id)
    polling.poll_account(account_id)


@task(dispatch.FINISH)
def finish_due(account_id: int) -> None:
    dispatch.heard(dispatch.FINISH, account_id)
    finishing.finish_due(account_id)


@task(dispatch.WAITING)
def ask_waiting(account_id: int) -> None:
    waiting.ask(account_id)


@task(dispatch.CANCEL)
def cancel_due(account_id: int) -> None:
    dispatch.heard(dispatch.CANCEL, account_id)
    cancellation.cancel_due(account_id)
    holding.hold_due(account_id)
