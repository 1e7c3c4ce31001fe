"""The whole of a stream, or a part of it, piece by piece: memory stays flat for any size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hpc.commands import MIB
from hpc.errors import ConnectionLost
from hpc.files.ranges import read_range
from pipeline_management.models import Run
from pipeline_management.services import log_errors
from pipeline_management.services.clients import client_for
from pipeline_management.services.logs import path_now

PIECE = MIB
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class LogFile:
    """A stream's file as it is now: what to call it, and its size in bytes."""

    name: str
    path: str
    size: int


def log_file(run: Run, stream: str) -> LogFile:
    """Raises ``Missing`` and ``Unavailable`` where it cannot be read now, ``ValueError`` for an unknown stream."""
    with log_errors.translated():
        path = path_now(run, stream)
        size = client_for(run.account).run(read_range(path, 0, 0)).size
    title = re.sub(r"[^\w.-]+", "_", run.name or str(run.pk)[:8]).strip("._")[:80] or "run"
    return LogFile(f"{title}-{stream.replace(':', '-')}.log", path, size)


def part_of(header: str, size: int) -> tuple[int, int] | None:
    """The bytes (first, behind the last) that a ``Range`` header asks of ``size`` bytes; None for all of them,
    which several ranges and a header that cannot be read get, too (RFC 9110, 14.2).

    Raises ``ValueError`` where the range lies behind the end (416).
    """
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise ValueError("the range is empty")
        return size - length, size
    start = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise ValueError("the range begins behind the end")
    return start, stop


def pieces(run: Run, file: LogFile, start: int, stop: int) -> Iterator[bytes]:
    """The bytes ``start`` to ``stop`` of the file, read while they are taken. Raises the ``HpcError`` tree; the
    file having been cut meanwhile is ``ConnectionLost``."""
    client = client_for(run.account)
    while start < stop:
        data = client.run(read_range(file.path, start, min(PIECE, stop - start))).data
        if not data:
            raise ConnectionLost(f"{file.path} became shorter while it was read")
        yield data
        start += len(data)
