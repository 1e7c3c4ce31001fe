"""Move large files between the staging area and systems."""

import logging

from celery.signals import worker_shutting_down

from pipeline_management.services import dispatch
from pipeline_management.services.run_files import archive
from pipeline_management.services.transfers import arrivals, tidying, work
from pipeline_management.tasks.guard import task
from staging.errors import StagingError

logger = logging.getLogger(__name__)


@task(dispatch.TRANSFER)
def transfer_due(account_id: int = dispatch.NO_ACCOUNT) -> None:
    dispatch.heard(dispatch.TRANSFER, account_id)
    work.work()


@task(dispatch.ARCHIVE)
def archive_due(account_id: int = dispatch.NO_ACCOUNT) -> None:
    dispatch.heard(dispatch.ARCHIVE, account_id)
    archive.archive_due()


@task("pipeline_management.sweep_transfers")
def sweep_transfers() -> None:
    arrivals.sweep()
    work.sweep()


@task("pipeline_management.sweep_staging")
def sweep_staging() -> None:
    tidying.sweep()
    try:
        tidying.sweep_area()
    except StagingError as error:
        logger.warning("the staging area was not tidied: %s", error)


@worker_shutting_down.connect
def _stop_movers(**_: object) -> None:
    work.stopping.set()
