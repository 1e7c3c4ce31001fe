"""From a system to the store: part by part, proven, then joined into the object that the link leads to."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from functools import partial

from django.utils import timezone

from hpc.files import moving
from pipeline_management.models.transfer import Route, TransferState
from pipeline_management.services.transfers.area import link_seconds
from pipeline_management.services.transfers.job import Hopeless, Job, Unequal
from pipeline_management.services.transfers.limits import too_large
from pipeline_management.services.transfers.packing import pack
from pipeline_management.services.transfers.proof import (
    DIFFERENT,
    check,
    md5_wanted,
    sha256_of_object,
)
from staging.base import MOST_PARTS, Part, Sink, part_size_for
from staging.errors import ObjectMissing

_CHANGED = "The file changed while it was read."
_MOST_AT_ONCE = 64


def run(job: Job) -> None:
    """Bring a download on, from wherever it is, to its end; the errors are those of ``to_system.run``."""
    transfer = job.transfer
    pack(job)
    size, moment = job.client.run(moving.moment(transfer.path))
    if reason := too_large(size):
        raise Hopeless(reason)
    if transfer.state == TransferState.QUEUED:
        job.move_to(TransferState.MOVING)
    if moment != transfer.moment:
        _begin(job, size, moment)
    parts = _there(job)
    moved = ""
    if parts is not None:
        moved = _move(job, parts)
    if transfer.state == TransferState.MOVING:
        job.move_to(TransferState.CHECKING, bytes_done=size)
    _prove(job, moved)
    _publish(job)


def _begin(job: Job, size: int, moment: str) -> None:
    """From the beginning: the first try, or the file is not what it was when the last one began."""
    transfer = job.transfer
    if transfer.upload_id:
        job.area.abort_parts(transfer.key, transfer.upload_id)
    part_size = part_size_for(size)
    upload_id = job.area.begin_parts(transfer.key, part_size) if size else ""
    job.note(moment=moment, size=size, part_size=part_size, upload_id=upload_id, bytes_done=0)


def _there(job: Job) -> list[Part] | None:
    """The parts that the store has, from the first on without a gap; None when they are the object already."""
    transfer = job.transfer
    if not transfer.size:
        job.area.put(transfer.key, b"")
        return None
    try:
        found = job.area.parts(transfer.key, transfer.upload_id)
    except ObjectMissing:
        done = job.area.stat(transfer.key)
        if done is not None and done.size == transfer.size:
            return None
        _begin(job, transfer.size, transfer.moment)
        found = []
    whole = [part for number, part in enumerate(found, start=1) if part.number == number]
    sizes = [_size_of(job, part.number) for part in whole]
    return whole if [part.size for part in whole] == sizes else []


def _size_of(job: Job, number: int) -> int:
    transfer = job.transfer
    return min(transfer.part_size, (transfer.size or 0) - (number - 1) * transfer.part_size)


def _move(job: Job, there: list[Part]) -> str:
    """All parts that are missing, then the object; the SHA-256 if all of it passed through here, else ""."""
    transfer = job.transfer
    digest = hashlib.sha256()
    whole = not there and transfer.route != Route.DIRECT
    last = -(-(transfer.size or 0) // transfer.part_size)
    if last > MOST_PARTS:
        raise Hopeless(f"The file needs more than {MOST_PARTS} parts.")
    done = sum(part.size for part in there)
    job.note(bytes_done=done)
    job.start_counting()
    number = len(there) + 1
    while number <= last:
        began = time.monotonic()
        if transfer.route == Route.DIRECT:
            numbers = list(range(number, min(last, number + _at_once(job) - 1) + 1))
            _push(job, numbers)
        else:
            numbers = [number]
            _pass_on(job, number, digest)
        moved = sum(_size_of(job, one) for one in numbers)
        job.progress(transfer.bytes_done + moved)
        job.note(bytes_done=(number - 1) * transfer.part_size + moved)
        job.adapt(moved, time.monotonic() - began)
        number += len(numbers)
    parts = job.area.parts(transfer.key, transfer.upload_id)
    job.area.finish_parts(transfer.key, transfer.upload_id, parts)
    return digest.hexdigest() if whole else ""


def _at_once(job: Job) -> int:
    """How many parts one command of the system is given."""
    return min(max(1, job.piece // job.transfer.part_size), _MOST_AT_ONCE)


def _push(job: Job, numbers: list[int]) -> None:
    """The system sends these parts itself."""
    transfer = job.transfer
    wanted = [
        moving.PartToSend(
            (number - 1) * transfer.part_size,
            _size_of(job, number),
            job.area.part_url(
                transfer.key,
                transfer.upload_id,
                number,
                _size_of(job, number),
                link_seconds(),
                inside=True,
            ),
        )
        for number in numbers
    ]
    job.client.run(moving.push(transfer.path, wanted))


def _pass_on(job: Job, number: int, digest: hashlib._Hash) -> None:
    """One part through Centro."""
    transfer = job.transfer
    size, offset = _size_of(job, number), (number - 1) * transfer.part_size
    with job.area.part_writer(transfer.key, transfer.upload_id, number, size) as sink:
        watched = _Watched(job, sink, offset, digest)
        job.client.stream(moving.read_at(transfer.path, offset, size), watched.write)


class _Watched:
    """A sink that digests and counts what is written to it."""

    def __init__(self, job: Job, sink: Sink, offset: int, digest: hashlib._Hash) -> None:
        self._job = job
        self._sink = sink
        self._done = offset
        self._digest = digest

    def write(self, data: bytes) -> None:
        self._sink.write(data)
        self._digest.update(data)
        self._done += len(data)
        self._job.progress(self._done)


def _prove(job: Job, moved: str) -> None:
    """The file is still the one that was read, and the object is that file."""
    transfer = job.transfer
    size = transfer.size or 0
    done = job.area.stat(transfer.key)
    if done is None or done.size != size:
        raise Unequal(DIFFERENT)
    wanted = md5_wanted(done, transfer.part_size, moved)
    digests = job.client.run(moving.digests(transfer.path, size, md5_of=wanted))
    _, moment = job.client.run(moving.moment(transfer.path))
    if moment != transfer.moment:
        raise Unequal(_CHANGED)
    read_back = partial(sha256_of_object, job.area, transfer.key, job.note)
    check(digests, done, moved, "", read_back)
    job.note(sha256=digests.sha256, etag=done.etag[:100])


def _publish(job: Job) -> None:
    transfer = job.transfer
    name = transfer.name
    job.finished(
        TransferState.READY,
        link=job.area.download_url(transfer.key, link_seconds(), name=name),
        leftovers=bool(transfer.packed_from),
        next_at=timezone.now(),
        expires_at=timezone.now() + timedelta(seconds=link_seconds()),
    )
