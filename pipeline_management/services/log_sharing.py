"""Reading growing files for many watchers: one read of the system an interval, whoever asks and from where.

The end of each watched file is kept for a moment, per account and path: in this process for everybody who
asks it, and in the shared cache for the other processes. Only what was added is read anew. Who asks has been
let through to the run by his own rights before; the account in the key is the one that reads.

A system that hangs holds one thread for each file: the others get the last answer, or are told after a moment.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from django.core.cache import cache

from hpc.commands import MIB
from hpc.errors import CommandTimeout, FileMissing
from hpc.files.ranges import FileSlice, read_range
from pipeline_management.models import SystemAccount
from pipeline_management.services.clients import client_for
from pipeline_management.services.coalescing import Coalesced

TAIL = 256 * 1024
"""Bytes of each file's end that are shared."""
FRESH = 0.5
"""Seconds for which a process keeps the end; across all processes it is read once a second."""
STALE = 10.0
"""How old it may be for those who would otherwise wait for somebody else's question."""
SHARED_SECONDS = 1
READ_SECONDS = 10.0
PATIENCE = 3.0
"""Seconds that a request waits for another's answer where nothing is known yet."""

_LAP = 64
_MOST_TAILS = 64
_PAUSE = 0.05

Answer = FileSlice | FileMissing

_tails: Coalesced[Answer] = Coalesced(FRESH, STALE, most=_MOST_TAILS)
_parts: Coalesced[Answer] = Coalesced(FRESH, most=16)
_last: OrderedDict[Hashable, FileSlice] = OrderedDict()
_last_lock = threading.Lock()


def read(account: SystemAccount, path: str, offset: int, limit: int, *, over: bool) -> FileSlice:
    """Up to ``limit`` bytes (at most 1 MiB) from ``offset``, a negative one counted from the end.

    ``over``: the file's writer has ended, so that nothing which was read before that counts any more.
    ``size`` is never below the end of the bytes given. Raises the ``HpcError`` tree and ``ValueError``.
    """
    limit = min(limit, MIB)
    kept = _recent((account.pk, path))
    if offset < 0 or (kept is not None and offset >= kept.offset):
        end = _tail(account, path, over)
        start = max(0, end.size + offset) if offset < 0 else offset
        if start >= end.offset:
            data = end.data[start - end.offset :][:limit]
            return FileSlice(data, end.size, start)
        offset = start
    key = (account.pk, path, over, offset, limit)
    command = read_range(path, offset, limit, timeout=READ_SECONDS)
    return _shared(_parts, key, lambda: _safely(lambda: client_for(account).run(command)))


def forget() -> None:
    """Forget every answer of this process."""
    _tails.clear()
    _parts.clear()
    with _last_lock:
        _last.clear()


def _shared(answers: Coalesced[Answer], key: Hashable, ask: Callable[[], Answer]) -> FileSlice:
    answer = answers.kept(key)
    if answer is None:
        flight = answers.on_its_way(key)
        if flight is not None and not flight.done.wait(PATIENCE):
            raise CommandTimeout("the system has not answered yet")
        answer = answers.get(key, ask) if flight is None else flight.result()
    if isinstance(answer, FileMissing):
        raise FileMissing(answer.path, answer.reason)
    return answer


def _safely(ask: Callable[[], FileSlice]) -> Answer:
    """A missing file is an answer as well, which is shared; other errors are only of those who waited."""
    try:
        piece = ask()
    except FileMissing as error:
        return error
    size = max(piece.size, piece.offset + len(piece.data)) if piece.data else piece.size
    return FileSlice(piece.data, size, piece.offset)


def _tail(account: SystemAccount, path: str, over: bool) -> FileSlice:
    key = (account.pk, path, over)
    return _shared(_tails, key, lambda: _ask_once(account, path, over))


def _ask_once(account: SystemAccount, path: str, over: bool) -> Answer:
    """The end of the file: another process's answer of this second, else by asking the system."""
    name = _name(account, path, over)
    asking = f"{name}:asking"
    deadline = time.monotonic() + READ_SECONDS
    while True:
        heard = cache.get(name)
        if heard is not None:
            return _keep(account, path, _unpacked(heard))
        if cache.add(asking, 1, round(READ_SECONDS)) or time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    try:
        answer = _safely(lambda: _look(account, path))
        cache.set(name, _packed(answer), SHARED_SECONDS)
    finally:
        cache.delete(asking)
    return _keep(account, path, answer)


def _look(account: SystemAccount, path: str) -> FileSlice:
    """The last bytes; of a file that only grew since the last look no more than what is new."""
    client = client_for(account)
    known = _recent((account.pk, path))
    if known is not None:
        end = known.offset + len(known.data)
        lap = known.data[-_LAP:]
        start = end - len(lap)
        piece = client.run(read_range(path, start, TAIL, timeout=READ_SECONDS))
        whole = piece.size <= start + len(piece.data)
        if piece.size >= end and piece.data.startswith(lap) and whole:
            data = (known.data + piece.data[len(lap) :])[-TAIL:]
            return FileSlice(data, piece.size, start + len(piece.data) - len(data))
    return client.run(read_range(path, -TAIL, TAIL, timeout=READ_SECONDS))


def _recent(key: Hashable) -> FileSlice | None:
    with _last_lock:
        found = _last.get(key)
        if found is not None:
            _last.move_to_end(key)
        return found


def _keep(account: SystemAccount, path: str, answer: Answer) -> Answer:
    key = (account.pk, path)
    with _last_lock:
        if isinstance(answer, FileMissing):
            _last.pop(key, None)
        else:
            _last[key] = answer
            _last.move_to_end(key)
        while len(_last) > _MOST_TAILS:
            _last.popitem(last=False)
    return answer


def _name(account: SystemAccount, path: str, over: bool) -> str:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return f"log-tail:{account.pk}:{int(over)}:{digest}"


def _packed(answer: Answer) -> tuple[Any, ...]:
    if isinstance(answer, FileMissing):
        return ("missing", answer.path, answer.reason)
    return ("slice", answer.data, answer.size, answer.offset)


def _unpacked(heard: tuple[Any, ...]) -> Answer:
    kind, *values = heard
    return FileMissing(*values) if kind == "missing" else FileSlice(*values)
