"""From the store to a system: piece by piece into a temporary file, proven, then given its name."""

from __future__ import annotations

import hashlib
import time
from functools import partial

from hpc.errors import FileMissing
from hpc.files import moving
from pipeline_management.models.transfer import Route, TransferState
from pipeline_management.services.transfers.area import link_seconds
from pipeline_management.services.transfers.job import Hopeless, Job
from pipeline_management.services.transfers.proof import check, md5_wanted, sha256_of_object
from staging.base import CHUNK, ObjectInfo, Source

_GONE = "The file is not in the staging area any more."


def run(job: Job) -> None:
    """Bring an upload on, from wherever it is, to its end.

    Raises ``TakenOver``, ``Stopping``, ``Hopeless``, ``Unequal``, and the trees of ``HpcError`` and
    ``StagingError``: then it may be tried again.
    """
    transfer = job.transfer
    if transfer.state == TransferState.CHECKING and transfer.sha256 and _is_published(job):
        _end(job)
        return
    found = job.area.stat(transfer.key)
    if found is None:
        raise Hopeless(_GONE)
    if transfer.state == TransferState.QUEUED:
        job.move_to(TransferState.MOVING)
    part = job.client.run(moving.begin(transfer.path, job.temporary_name))
    if part != transfer.temporary or found.size != transfer.size:
        job.note(temporary=part, size=found.size, bytes_done=0, confirmed=0)
    moved = _move(job, part, found)
    if transfer.state == TransferState.MOVING:
        job.move_to(TransferState.CHECKING, bytes_done=found.size)
    _prove(job, part, found, moved)
    job.client.run(moving.publish(transfer.path, job.temporary_name, found.size))
    _end(job)


def _move(job: Job, part: str, found: ObjectInfo) -> str:
    """All pieces that are still missing; the SHA-256 of what passed through here if that was all, else ""."""
    transfer = job.transfer
    digest = hashlib.sha256()
    whole = transfer.confirmed == 0 and transfer.route != Route.DIRECT
    job.note(bytes_done=transfer.confirmed)
    job.start_counting()
    while transfer.confirmed < found.size:
        offset = transfer.confirmed
        size = min(job.piece, found.size - offset)
        began = time.monotonic()
        if transfer.route == Route.DIRECT:
            url = job.area.download_url(transfer.key, link_seconds(), inside=True)
            job.client.run(moving.pull(part, offset, size, url))
        else:
            with job.area.reader(transfer.key, offset, size) as source:
                watched = _Watched(job, source, offset, digest)
                job.client.feed(moving.write_at(part, offset, size), watched)
        job.progress(offset + size)
        job.note(bytes_done=offset + size, confirmed=offset + size)
        job.adapt(size, time.monotonic() - began)
    return digest.hexdigest() if whole else ""


class _Watched:
    """A source that digests and counts what is read from it."""

    def __init__(self, job: Job, source: Source, offset: int, digest: hashlib._Hash) -> None:
        self._job = job
        self._source = source
        self._done = offset
        self._digest = digest

    def read(self, size: int = CHUNK, /) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        self._job.progress(self._done)
        self._done += len(data)
        return data


def _prove(job: Job, part: str, found: ObjectInfo, moved: str) -> None:
    """Both ends have the same; the SHA-256 is written down before the file gets its name."""
    transfer = job.transfer
    wanted = md5_wanted(found, transfer.part_size, moved)
    digests = job.client.run(moving.digests(part, found.size, md5_of=wanted))
    read_back = partial(sha256_of_object, job.area, transfer.key, job.note)
    check(digests, found, moved, transfer.declared_sha256, read_back)
    job.note(sha256=digests.sha256)


def _is_published(job: Job) -> bool:
    """Whether an earlier try came as far as giving the file its name, and died before it wrote that down."""
    transfer = job.transfer
    size = transfer.size or 0
    try:
        there, _ = job.client.run(moving.moment(transfer.path))
        if there != size:
            return False
        return job.client.run(moving.digests(transfer.path, size)).sha256 == transfer.sha256
    except FileMissing:
        return False


def _end(job: Job) -> None:
    """Done; the staged object is removed next, and is a leftover until then."""
    job.finished(TransferState.DONE, leftovers=True, temporary="")
