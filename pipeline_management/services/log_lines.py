"""Which line stands where in a run's output: counted on the system, a bounded piece at a time, and remembered.

Counting costs reading, so one question counts at most ``STEP`` bytes; whoever wants a number far into a huge
file asks again and each question goes on where the last one stopped. The counts are shared by all processes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate

from django.core.cache import cache

from hpc.commands import MIB
from hpc.files.lines import count_lines, find_line
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import log_errors
from pipeline_management.services.clients import client_for
from pipeline_management.services.coalescing import Coalesced
from pipeline_management.services.logs import path_now

BLOCK = 4 * MIB
STEP = 64 * MIB
REMEMBERED = 3600


@dataclass(frozen=True, slots=True)
class Place:
    """A line, counted from 1, and the offset of its first byte; for an offset that was asked for the line in
    which it stands, and the same offset.

    One of them is None where it is not known: with ``complete`` since the stream ends before, else because
    only ``counted`` bytes, with ``lines`` newlines in them, have been counted so far; ask again.
    """

    line: int | None
    offset: int | None
    counted: int
    lines: int
    complete: bool


_answers: Coalesced[Place] = Coalesced(0.0)
"""Only those who ask at the same moment share: the next question counts on."""


@dataclass(slots=True)
class _Index:
    """Newlines in the whole blocks of a file from its beginning on."""

    inode: int = 0
    counts: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        return len(self.counts) * BLOCK


@dataclass(frozen=True, slots=True)
class _Count:
    """The newlines before ``end``, and all whole blocks that are known."""

    index: _Index
    end: int
    lines: int
    size: int


def line_at(run: Run, stream: str, offset: int) -> Place:
    """The number of the line in which the byte ``offset`` stands.

    Raises ``Missing`` and ``Unavailable`` for a stream that cannot be read now, ``ValueError`` for an unknown one.
    """
    with log_errors.translated():
        path = path_now(run, stream)
        key = ("at", run.account_id, path, offset)
        return _answers.get(key, lambda: _line_at(run.account, path, offset))


def place_of(run: Run, stream: str, line: int) -> Place:
    """Where the line number ``line`` begins, counted from 1; the errors of ``line_at``."""
    with log_errors.translated():
        path = path_now(run, stream)
        key = ("of", run.account_id, path, line)
        return _answers.get(key, lambda: _place_of(run.account, path, line))


def _line_at(account: SystemAccount, path: str, offset: int) -> Place:
    index = _recall(account, path)
    start = min(index.end, offset // BLOCK * BLOCK)
    count = _count(account, path, index, start, min(offset, start + STEP))
    if count.end == offset:
        return Place(count.lines + 1, offset, count.end, count.lines, complete=True)
    return Place(None, offset, count.end, count.lines, complete=count.end == count.size)


def _place_of(account: SystemAccount, path: str, line: int) -> Place:
    index = _recall(account, path)
    wanted = line - 1  # newlines before it
    if wanted == 0:
        return Place(1, 0, 0, 0, complete=True)
    if sum(index.counts) < wanted:
        count = _count(account, path, index, index.end, index.end + STEP)
        if count.lines < wanted:
            return Place(line, None, count.end, count.lines, complete=count.end == count.size)
        index = count.index
    totals = list(accumulate(index.counts))
    block = bisect_left(totals, wanted)
    before = totals[block - 1] if block else 0
    client = client_for(account)
    offset = client.run(find_line(path, block * BLOCK, BLOCK, wanted - before))
    return Place(line, offset, offset, wanted, complete=True)


def _count(account: SystemAccount, path: str, index: _Index, start: int, stop: int) -> _Count:
    """Count from ``start``, a border of blocks that the index knows, to ``stop`` or the file's end."""
    found = client_for(account).run(count_lines(path, start, stop, BLOCK))
    if index.counts and (found.inode != index.inode or found.size < index.end):
        # another file in its place, or the same one cut
        return _count(account, path, _Index(), 0, min(stop, STEP))
    end = max(start, min(stop, found.size))
    counts = list(found.counts)
    rest = counts.pop() if counts and end % BLOCK else 0
    if counts and start == index.end:
        index = _Index(found.inode, [*index.counts, *counts])
        cache.set(_name(account, path), (index.inode, index.counts), REMEMBERED)
    lines = sum(index.counts[: end // BLOCK]) + rest
    return _Count(index, end, lines, found.size)


def _recall(account: SystemAccount, path: str) -> _Index:
    kept = cache.get(_name(account, path))
    return _Index() if kept is None else _Index(kept[0], list(kept[1]))


def _name(account: SystemAccount, path: str) -> str:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return f"log-lines:{account.pk}:{digest}"
