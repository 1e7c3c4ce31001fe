"""A folder is fetched as one archive, which is made on the system first and removed after the download."""

from __future__ import annotations

from hpc.client import SystemClient
from hpc.errors import FileMissing
from hpc.files import archives, changes, moving
from hpc.files.places import download_source
from pipeline_management.models import SystemAccount, Transfer
from pipeline_management.models.transfer import TransferState
from pipeline_management.services.clients import client_for, limits_of
from pipeline_management.services.transfers.job import Job, TakenOver

PACK_SECONDS = 6 * 3600.0
"""A folder that takes longer is better packed by a job."""


def archive_path(account: SystemAccount, pk_hex: str) -> str:
    """Where the archive of a transfer is made: in the account's home, where it may surely write.

    Raises the ``HpcError`` tree.
    """
    seconds = limits_of(account.system).command_timeout
    home = client_for(account).run(download_source(".", timeout=seconds))
    return f"{home.path.rstrip('/')}/.centro-{pk_hex}.tar.gz"


def pack(job: Job) -> None:
    """Make the archive unless an earlier try has. Raises the ``HpcError`` tree and what ``Job.note`` does."""
    transfer = job.transfer
    if not transfer.packed_from or _is_there(job.client, transfer):
        return
    if transfer.state == TransferState.QUEUED:
        job.move_to(TransferState.MOVING)
    work = archives.compress(transfer.packed_from, transfer.path, timeout=PACK_SECONDS)
    job.client.run(work)
    try:
        job.note(rate=0.0)
    except TakenOver:
        remove(job.client, transfer)
        raise


def remove(client: SystemClient, transfer: Transfer) -> None:
    """Remove the archive; none is no error."""
    try:
        client.run(changes.remove(transfer.path))
    except FileMissing:
        return


def _is_there(client: SystemClient, transfer: Transfer) -> bool:
    try:
        client.run(moving.moment(transfer.path))
    except FileMissing:
        return False
    return True
