"""What people ask for: send a file, fetch one, take a link back, stop, try again.

All of it goes to the audit trail. The checks on the system are one round trip; its refusals come as the
``HpcError`` tree, Centro's own as ``DomainError``.
"""

from __future__ import annotations

import posixpath
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from hpc.errors import IsADirectory
from hpc.files.places import download_source, upload_target
from pipeline_management.choices import TaskService
from pipeline_management.errors import Conflict
from pipeline_management.models import ApiTask, SystemAccount, Transfer
from pipeline_management.models.transfer import Direction, Manner, TransferState
from pipeline_management.services import api_tasks, audit, dispatch
from pipeline_management.services.clients import client_for, limits_of
from pipeline_management.services.file_audit import printable
from pipeline_management.services.transfers import limits
from pipeline_management.services.transfers.area import (
    area,
    largest,
    link_seconds,
    prepared_area,
    store_answers,
)
from pipeline_management.services.transfers.changes import change, task_status
from pipeline_management.services.transfers.packing import archive_path
from pipeline_management.transfer_states import OPEN, is_legal
from staging.base import key_for, part_size_for

_ACTIONS = {Direction.UPLOAD: "transfer.upload", Direction.DOWNLOAD: "transfer.download"}


def visible(user: User) -> QuerySet[Transfer]:
    """The person's own transfers, newest first, with what a list shows."""
    rows = Transfer.objects.filter(user=user)
    return rows.select_related("account__system", "user", "api_task").order_by("-created_at", "-pk")


def request_upload(
    user: User,
    account: SystemAccount,
    target: str,
    source: str,
    *,
    size: int | None = None,
    sha256: str = "",
    manner: Manner = Manner.FORM,
    with_task: bool = False,
    address: str | None = None,
) -> Transfer:
    """A place for a file of the person's, which goes on to ``target`` on the system as soon as it is complete.

    ``target`` is a directory, or the file itself in one; ``source`` what the person calls the file. ``size`` in
    bytes, which uploads in parts need; ``sha256``, in hexadecimal digits, is compared at the end if given.
    ``with_task`` makes the FirecREST task that shows it (``transfer.api_task``). The answer's ``form`` has
    method, url and fields (``Manner.FORM``); for parts see ``services.transfers.parts``.

    Raises ``TooLarge``, ``Conflict`` (too many open), ``Unavailable`` (the store), ``ValueError`` (a name that is
    none), and of the system ``ParentMissing``, ``FileForbidden``, ``NotADirectory``, ``IsADirectory``, ``NotRegular``.
    """
    if manner == Manner.PARTS and size is None:
        raise ValueError("an upload in parts needs its size")
    limit = limits.check(user, size)
    name = posixpath.basename(source)
    seconds = limits_of(account.system).command_timeout
    path = client_for(account).run(upload_target(target, name, timeout=seconds))
    transfer = _new(user, account, Direction.UPLOAD, path, posixpath.basename(path))
    transfer.state = TransferState.AWAITING
    transfer.source_name, transfer.manner = printable(source), manner
    transfer.declared_sha256 = sha256.lower()
    with store_answers():
        store = prepared_area()
        if manner == Manner.PARTS and size is not None:
            transfer.limit, transfer.size = size, size
            transfer.part_size = part_size_for(size)
            transfer.upload_id = store.begin_parts(transfer.key, transfer.part_size)
        else:
            transfer.limit = limits.form_limit(limit if size is None else size)
            form = store.upload_form(transfer.key, transfer.limit, link_seconds())
            transfer.form = {"method": form.method, "url": form.url, "fields": dict(form.fields)}
    transfer.next_at = timezone.now() + timedelta(seconds=1)
    return _begin(transfer, with_task, address)


def request_download(
    user: User,
    account: SystemAccount,
    source: str,
    *,
    folders: bool = False,
    with_task: bool = False,
    address: str | None = None,
) -> Transfer:
    """Bring a file of the system's to the store, from where the person can fetch it (``link``, once ``READY``).

    ``folders``: a directory is taken too, and comes as one archive.

    Raises ``TooLarge``, ``Conflict``, ``Unavailable``, and of the system ``FileMissing``, ``FileForbidden``,
    ``IsADirectory``, ``NotADirectory``, ``NotRegular``.
    """
    limits.check(user, None)
    seconds = limits_of(account.system).command_timeout
    found = client_for(account).run(download_source(source, timeout=seconds))
    if found.is_directory:
        if not folders:
            raise IsADirectory(source, "is a directory")
        return _begin(_archive(user, account, found.path), with_task, address)
    limit = limits.check_size(found.size)
    transfer = _new(user, account, Direction.DOWNLOAD, found.path, posixpath.basename(found.path))
    transfer.state = TransferState.QUEUED
    transfer.limit, transfer.size = limit, found.size
    transfer.part_size = part_size_for(found.size)
    transfer.next_at = timezone.now()
    return _begin(transfer, with_task, address)


def _new(
    user: User, account: SystemAccount, direction: Direction, path: str, name: str
) -> Transfer:
    pk = uuid.uuid4()
    if not _is_text(path):
        raise ValueError(f"{printable(path)}: the name is not UTF-8, which transfers need")
    return Transfer(
        id=pk,
        direction=direction,
        user=user,
        account=account,
        path=path,
        key=key_for(pk.hex, name),
        expires_at=timezone.now() + timedelta(seconds=link_seconds()),
    )


def _archive(user: User, account: SystemAccount, folder: str) -> Transfer:
    """The download of a folder; the worker packs it first. Raises as ``request_download``."""
    if posixpath.basename(folder) in ("", ".", ".."):
        raise ValueError(f"{folder} has no name of its own to be archived under")
    transfer = _new(
        user, account, Direction.DOWNLOAD, folder, f"{posixpath.basename(folder)}.tar.gz"
    )
    transfer.path, transfer.packed_from = archive_path(account, transfer.id.hex), folder
    transfer.state = TransferState.QUEUED
    transfer.limit = largest()
    transfer.next_at = timezone.now()
    return transfer


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _begin(transfer: Transfer, with_task: bool, address: str | None) -> Transfer:
    """The row, its task and its line in the audit trail, in one transaction; the bell where there is work."""
    with transaction.atomic():
        if with_task:
            transfer.api_task = api_tasks.create(
                transfer.user,
                transfer.system,
                TaskService.STORAGE,
                task_status(transfer),
                task_id=transfer.id.hex,
            )
        transfer.save(force_insert=True)
        _record(transfer, _ACTIONS[Direction(transfer.direction)], transfer.user, address)
        if transfer.state == TransferState.QUEUED:
            dispatch.ring_on_commit(dispatch.TRANSFER, dispatch.NO_ACCOUNT)
    return transfer


def invalidate(transfer: Transfer, *, user: User | None, address: str | None = None) -> None:
    """Let the link be dead at once, whatever the state; a movement stops. Again and again is no error.

    Raises ``Unavailable`` where the store does not answer: then nothing is promised.
    """
    with store_answers():
        area().revoke(transfer.key)
    _end(transfer, TransferState.INVALID)
    _record(transfer, "transfer.invalidate", user, address)


def cancel(transfer: Transfer, *, user: User | None, address: str | None = None) -> None:
    """Stop it. Raises ``Conflict`` where nothing is left to stop."""
    if not _end(transfer, TransferState.CANCELLED):
        raise Conflict(f"The transfer is {transfer.state_enum.label.lower()} already.")
    _record(transfer, "transfer.cancel", user, address)


def _end(transfer: Transfer, to: TransferState) -> bool:
    """Move to ``to`` from wherever it is now, as far as that is legal."""
    while True:
        transfer.refresh_from_db(fields=["state", "fence"])
        if not is_legal(transfer.state_enum, to):
            return False
        if change(transfer, to, leftovers=True, next_at=timezone.now()):
            return True


def retry(transfer: Transfer, *, user: User | None, address: str | None = None) -> None:
    """Try a failed transfer again from where it was. Raises ``Conflict`` unless it has failed and its file is
    still in the staging area (an upload), or it is a download."""
    transfer.refresh_from_db()
    if transfer.state != TransferState.FAILED:
        raise Conflict("Only a failed transfer can be tried again.")
    if transfer.direction == Direction.UPLOAD:
        with store_answers():
            if area().stat(transfer.key) is None:
                raise Conflict("The file is not in the staging area any more: send it again.")
    elif transfer.expires_at <= timezone.now():
        raise Conflict("The transfer has expired: ask for the file again.")
    fields: dict[str, Any] = {
        "tries": 0,
        "error": "",
        "next_at": timezone.now(),
        "finished_at": None,
    }
    if not change(transfer, TransferState.QUEUED, **fields):
        raise Conflict("Only a failed transfer can be tried again.")
    _record(transfer, "transfer.retry", user, address)


def open_of(user: User) -> QuerySet[Transfer]:
    """The person's transfers of which something is still to come."""
    return Transfer.objects.filter(user=user, state__in=OPEN)


def of_task(task: ApiTask) -> Transfer | None:
    """The transfer that a FirecREST task shows."""
    rows = Transfer.objects.filter(api_task=task).select_related("account__system", "user")
    return rows.first()


def _record(transfer: Transfer, action: str, user: User | None, address: str | None) -> None:
    target = f"{transfer.system.name}:{transfer.shown_path}"
    audit.record(user, action, target, address=address, data={"transfer": str(transfer.pk)})
