"""Looking for text in a run's output: by grep on the system, a bounded piece of the file at a time."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from hpc.commands import MIB
from hpc.errors import FileMissing
from hpc.files.lines import MOST_MATCHES, Matches, search_lines
from pipeline_management.errors import InvalidRequest, Problem
from pipeline_management.models import Run
from pipeline_management.services import log_errors
from pipeline_management.services.clients import client_for
from pipeline_management.services.coalescing import Coalesced
from pipeline_management.services.log_text import readable
from pipeline_management.services.logs import path_now

STEP = 64 * MIB
"""Bytes that one question searches at most."""
LONGEST_PATTERN = 200
MOST = MOST_MATCHES

_answers: Coalesced[Matches] = Coalesced(1.0)


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that matches: where it begins, and its beginning without colours and control characters."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found from ``start`` up to ``next_offset``, where the next search goes on.

    ``complete``: that is the end of the stream, which has ``size`` bytes now.
    """

    hits: tuple[Hit, ...]
    start: int
    next_offset: int
    size: int
    complete: bool


def search(
    run: Run,
    stream: str,
    pattern: str,
    *,
    start: int = 0,
    regex: bool = False,
    ignore_case: bool = False,
    most: int = 200,
) -> Hits:
    """Lines of a stream that contain ``pattern``, from ``start``, which must be the beginning of a line.

    ``regex``: a POSIX extended regular expression. Raises ``InvalidRequest`` for a pattern that is empty, too
    long or not readable for grep, ``Missing`` and ``Unavailable`` for a stream that cannot be read now, and
    ``ValueError`` for an unknown one.
    """
    if not 1 <= len(pattern) <= LONGEST_PATTERN or not pattern.isprintable():
        text = f"The pattern must be 1 to {LONGEST_PATTERN} printable characters."
        raise InvalidRequest([Problem("bad_pattern", text)])
    return _search(run, stream, (pattern,), start, regex, ignore_case, most)


def errors(run: Run, stream: str, *, start: int = 0, most: int = 200) -> Hits:
    """Lines that look like an error, by the site's ``log_error_patterns``; else as ``search``."""
    patterns = tuple(settings.CENTRO_LOG_ERROR_PATTERNS)
    if not patterns:
        return Hits((), start, start, start, complete=True)
    return _search(run, stream, patterns, start, regex=True, ignore_case=False, most=most)


def _search(
    run: Run,
    stream: str,
    patterns: tuple[str, ...],
    start: int,
    regex: bool,
    ignore_case: bool,
    most: int,
) -> Hits:
    with log_errors.translated():
        try:
            path = path_now(run, stream)
            command = search_lines(
                path, patterns, start, STEP, regex=regex, ignore_case=ignore_case, most=most
            )
            key = (run.account_id, path, patterns, start, regex, ignore_case, most)
            found = _answers.get(key, lambda: client_for(run.account).run(command))
        except FileMissing:
            if not run.state_enum.is_terminal:  # nothing was written yet
                return Hits((), start, start, 0, complete=True)
            raise
    hits = tuple(Hit(match.offset, readable(match.text)) for match in found.found)
    return Hits(hits, start, found.stop, found.size, complete=found.stop >= found.size)
