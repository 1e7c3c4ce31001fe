"""Uploads in parts, as browsers send them: links for parts, what is there already, and the end.

An upload that was interrupted goes on with the parts that ``there`` does not list.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_management.errors import Conflict, InvalidRequest, Problem
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Manner, TransferState
from pipeline_management.services.transfers import arrivals
from pipeline_management.services.transfers.area import area, link_seconds, store_answers
from staging.base import Part
from staging.errors import ObjectMissing

MOST_LINKS = 100


@dataclass(frozen=True, slots=True)
class PartLink:
    """Where one part goes by PUT: bytes ``offset`` to ``offset + size`` of the file."""

    number: int
    offset: int
    size: int
    url: str


def count(transfer: Transfer) -> int:
    """How many parts the file has; an empty file has one."""
    return max(1, -(-(transfer.size or 0) // transfer.part_size))


def size_of(transfer: Transfer, number: int) -> int:
    """The size of a part in bytes."""
    total = transfer.size or 0
    return min(transfer.part_size, total - (number - 1) * transfer.part_size)


def links(transfer: Transfer, numbers: list[int]) -> list[PartLink]:
    """Links for these parts, at most ``MOST_LINKS``.

    Raises ``InvalidRequest`` for numbers that the upload does not have, ``Conflict`` for one that is over,
    ``Unavailable``.
    """
    _check(transfer)
    last = count(transfer)
    if len(numbers) > MOST_LINKS or any(not 1 <= number <= last for number in numbers):
        text = f"parts: expected at most {MOST_LINKS} numbers from 1 to {last}."
        raise InvalidRequest([Problem("parts", text, "/parts")])
    with store_answers():
        return [_link(transfer, number) for number in numbers]


def _link(transfer: Transfer, number: int) -> PartLink:
    size = size_of(transfer, number)
    url = area().part_url(transfer.key, transfer.upload_id, number, size, link_seconds())
    return PartLink(number, (number - 1) * transfer.part_size, size, url)


def there(transfer: Transfer) -> list[Part]:
    """The parts that have come. Raises ``Conflict`` for an upload that is over, ``Unavailable``."""
    _check(transfer)
    with store_answers():
        return _there(transfer)


def _there(transfer: Transfer) -> list[Part]:
    try:
        return area().parts(transfer.key, transfer.upload_id)
    except ObjectMissing:
        raise Conflict(
            "The staging area does not have this upload any more; begin it anew."
        ) from None


def finish(transfer: Transfer) -> None:
    """All parts have come: put them together and let the file go on to its system. Again is no error.

    Raises ``Conflict`` naming the first part that is missing, ``Unavailable``.
    """
    transfer.refresh_from_db()
    if transfer.state != TransferState.AWAITING and transfer.arrived_at is not None:
        return
    _check(transfer)
    with store_answers():
        if area().stat(transfer.key) is None:
            _put_together(transfer)
    arrivals.look(transfer)


def _put_together(transfer: Transfer) -> None:
    found = {part.number: part for part in _there(transfer)}
    wanted = range(1, count(transfer) + 1)
    for number in wanted:
        part = found.get(number)
        if part is None or part.size != size_of(transfer, number):
            raise Conflict(f"Part {number} of {len(wanted)} has not come.")
    area().finish_parts(transfer.key, transfer.upload_id, [found[number] for number in wanted])


def _check(transfer: Transfer) -> None:
    if transfer.manner != Manner.PARTS or transfer.state != TransferState.AWAITING:
        raise Conflict("This transfer does not wait for parts.")
