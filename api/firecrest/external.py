"""What a task says of a transfer through the staging area, worked out from the transfer at every look."""

from __future__ import annotations

from typing import Any

from api.firecrest import curl
from pipeline_management.choices import TaskStatus
from pipeline_management.models import ApiTask, Transfer
from pipeline_management.models.transfer import Direction, TransferState

_ENDED = {
    TransferState.CANCELLED: "The transfer was cancelled.",
    TransferState.EXPIRED: "The transfer has expired.",
}
_WITHOUT_FORM = (TaskStatus.FETCH_ERROR, TaskStatus.ERROR)


def transfer_of(task: ApiTask) -> Transfer | None:
    """The transfer that a task stands for, if it is one."""
    found: Transfer | None = getattr(task, "transfer", None)
    return found


def data_of(transfer: Transfer, task: ApiTask) -> Any:
    """What is told at the task's step; "" once the link is taken back."""
    status = TaskStatus(task.status)
    if status == TaskStatus.INVALID:
        return ""
    if status == TaskStatus.QUEUED:
        return status.label
    if transfer.direction == Direction.DOWNLOAD:
        return _download_data(transfer, task, status)
    if status in (TaskStatus.FETCHING, TaskStatus.FETCHED):
        return {
            "source": _base_name(transfer),
            "target": transfer.path,
            "system_name": task.system.name,
            "system_addr": task.system.host,
            **_progress(transfer),
        }
    return _upload_data(transfer, task, status)


def _upload_data(transfer: Transfer, task: ApiTask, status: TaskStatus) -> dict[str, Any]:
    told: dict[str, Any] = {
        "user": task.user.get_username(),
        "system_name": task.system.name,
        "system_addr": task.system.host,
        "target": transfer.path,
        "source": _base_name(transfer),
        "status": status.value,
        "hash_id": task.id,
        "trace_id": task.id,
    }
    if status in _WITHOUT_FORM:
        return told | {"msg": _reason(transfer)}
    return told | {"msg": _form(transfer)}


def _base_name(transfer: Transfer) -> str:
    return transfer.source_name.rpartition("/")[2]


def _reason(transfer: Transfer) -> str:
    return _ENDED.get(transfer.state_enum) or transfer.error or "The transfer failed."


def _form(transfer: Transfer) -> dict[str, Any]:
    """How the file is sent: for programs as ``parameters``, for people as a command."""
    method, url, fields = (transfer.form[name] for name in ("method", "url", "fields"))
    return {
        "command": curl.form_upload(url, fields, transfer.source_name),
        "parameters": {
            "method": method,
            "url": url,
            "data": fields,
            "files": transfer.source_name,
            "json": {},
            "params": {},
            "headers": {},
        },
    }


def _download_data(transfer: Transfer, task: ApiTask, status: TaskStatus) -> dict[str, Any]:
    told = {"source": transfer.path, "system_name": task.system.name}
    if status == TaskStatus.STORED:
        return {"url": transfer.link, **told}
    if status in (TaskStatus.STORE_ERROR, TaskStatus.ERROR):
        return {"error": _reason(transfer), **told}
    return told | _progress(transfer)


def _progress(transfer: Transfer) -> dict[str, Any]:
    """How far the movement is: bytes, bytes per second, seconds."""
    if transfer.state != TransferState.MOVING:
        return {}
    left = transfer.remaining
    return {
        "progress": {
            "bytes": transfer.bytes_done,
            "size": transfer.size,
            "rate": round(transfer.rate),
            "remaining": round(left.total_seconds()) if left is not None else None,
        }
    }
