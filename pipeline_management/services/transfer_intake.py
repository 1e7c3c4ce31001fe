"""Transfers that people ask for by page or API: which account, which path, and every refusal as a sentence."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User

from hpc.errors import HpcError, RemoteFileError, SettingsUnusable, TransportError
from pipeline_management.errors import InvalidRequest, Problem, Unavailable
from pipeline_management.models import SystemAccount, Transfer
from pipeline_management.models.transfer import Manner, TransferState
from pipeline_management.services import files, system_access
from pipeline_management.services.file_refusals import unusable
from pipeline_management.services.transfers import requests

_BUSY_SECONDS = 10


def upload(
    user: User,
    system: str,
    folder: str,
    name: str,
    size: int,
    *,
    sha256: str = "",
    address: str | None = None,
) -> Transfer:
    """A place, in parts, for a file of ``size`` bytes that goes into an existing directory of the system.

    ``folder`` is absolute or begins with "~/"; ``name`` may have directories, which are made below it.
    Raises ``InvalidRequest`` naming the field, ``TooLarge``, ``Conflict``, ``Unavailable``.
    """
    account = _account(user, system)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise _wrong("name", f"“{name}” is no name of a file below a directory.")
    where = from_home(folder).rstrip("/") or "/"
    with _plain_refusals("path"):
        if len(parts) > 1:
            files.status(account, f"{where}/.", follow=True)
            where = posixpath.join(where, *parts[:-1])
            files.make_directory(account, where, user=user, parents=True, address=address)
        return requests.request_upload(
            user,
            account,
            f"{where}/",
            parts[-1],
            size=size,
            sha256=sha256,
            manner=Manner.PARTS,
            address=address,
        )


def download(user: User, system: str, path: str, *, address: str | None = None) -> Transfer:
    """A file or, packed into one archive, a folder of the system on its way to where the person can fetch it.

    Raises ``InvalidRequest`` naming the field, ``TooLarge``, ``Conflict``, ``Unavailable``.
    """
    account = _account(user, system)
    with _plain_refusals("path"):
        where = from_home(path)
        return requests.request_download(user, account, where, folders=True, address=address)


def stop(transfer: Transfer, user: User, *, address: str | None = None) -> None:
    """Cancel what is under way; of a download that is ready, take the link back.

    Raises ``Conflict`` where neither is left to do, ``Unavailable``.
    """
    if transfer.state == TransferState.READY:
        requests.invalidate(transfer, user=user, address=address)
    else:
        requests.cancel(transfer, user=user, address=address)


def from_home(path: str) -> str:
    """A path that begins with "~/" as one relative to the home directory, as systems take it."""
    if path == "~":
        return "."
    return path.removeprefix("~/") or "." if path.startswith("~/") else path


def _account(user: User, system: str) -> SystemAccount:
    access = system_access.find(user, system)
    if access.account is None:
        raise _wrong("system", access.reason)
    return access.account


@contextmanager
def _plain_refusals(field: str) -> Iterator[None]:
    """What the system says as a fault of the request; a way to it that is broken as ``Unavailable``."""
    try:
        yield
    except RemoteFileError as error:
        raise _wrong(field, f"{error}.") from error
    except SettingsUnusable as error:
        raise unusable("The system") from error
    except TransportError as error:
        raise Unavailable(f"The system does not answer: {error}", _BUSY_SECONDS) from error
    except (HpcError, ValueError) as error:
        raise _wrong(field, str(error)) from error


def _wrong(field: str, message: str) -> InvalidRequest:
    return InvalidRequest([Problem("invalid", message, f"/{field}")])
