"""What a person and the workers do with transfers, step by step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from pipeline_management.models import SystemAccount, Transfer
from pipeline_management.models.transfer import TransferState
from pipeline_management.services.transfers import arrivals, requests, work
from pipeline_management.services.transfers.area import area
from staging.base import UploadForm
from tests.staging.areas import post


@dataclass
class Desk:
    """One person with one account."""

    person: User
    account: SystemAccount

    def upload(self, target: Path, data: bytes, name: str = "sent.bin", **fields: Any) -> Transfer:
        """Ask for an upload and send it; it is noticed, and waits for a worker."""
        transfer = requests.request_upload(
            self.person, self.account, str(target), f"/home/me/{name}", with_task=True, **fields
        )
        if area().kind == "s3":
            form = UploadForm(
                transfer.form["method"], transfer.form["url"], transfer.form["fields"]
            )
            assert post(form, data).status == 204
        else:
            area().put(transfer.key, data)
        assert arrivals.look(transfer)
        return transfer

    def download(self, source: Path) -> Transfer:
        return requests.request_download(self.person, self.account, str(source), with_task=True)

    def work(self, transfer: Transfer) -> Transfer:
        """One round of the workers, of this transfer and its leftovers."""
        Transfer.objects.filter(pk=transfer.pk, next_at__isnull=False).update(
            next_at=timezone.now(), lease_until=None
        )
        work.work()
        return self.fresh(transfer)

    def fresh(self, transfer: Transfer) -> Transfer:
        return requests.visible(self.person).get(pk=transfer.pk)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def ended(transfer: Transfer, state: TransferState) -> None:
    """In this state, with nobody at it and nothing left over."""
    assert (transfer.state, transfer.error if state != TransferState.FAILED else "") == (state, "")
    assert transfer.lease_holder == "" and not transfer.leftovers
