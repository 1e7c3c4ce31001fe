"""Job ids as people write them, compared with the rows of a queue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hpc.rows import QueueRow

PLAIN = re.compile(r"[0-9]{1,18}(?:[+_][0-9]{1,9}|_\[[0-9]{1,9}-[0-9]{1,9}\])?", re.ASCII)
"""A job, a part of a heterogeneous job, a task or a range of tasks of an array: 40, 40+1, 40_2, 40_[2-5]."""
PBS = re.compile(r"[0-9]{1,18}(?:\[[0-9]{0,9}\])?(?:\.[A-Za-z0-9][A-Za-z0-9.-]{0,254})?", re.ASCII)
"""A job, an array or a subjob, with or without the name of the server: 40, 40[], 40[2], 40.pbs01."""


def is_id(job_id: str, scheduler: str) -> bool:
    """Whether that scheduler family could mean a job by it."""
    return (PBS if scheduler == "pbs" else PLAIN).fullmatch(job_id) is not None


def short(job_id: str) -> str:
    """Without the name of a PBS server."""
    return job_id.partition(".")[0]


def base_of(job_id: str) -> str:
    """What the submission returned: "40" of "40_[2-5%2]", "40[]" of "40[2].pbs01"."""
    number = re.split(r"[+_]", short(job_id), maxsplit=1)[0]
    return re.sub(r"\[[0-9]*\]$", "[]", number)


class Listing:
    """The rows of one look at a queue, found by id without going through all of them."""

    def __init__(self, rows: Sequence[QueueRow]) -> None:
        self.active = [row for row in rows if not row.is_over]
        self._by_number: dict[str, list[QueueRow]] = {}
        for row in rows:
            for number in {base_of(row.job_id), row.raw_id}:
                self._by_number.setdefault(number, []).append(row)

    def matching(self, ids: Iterable[str]) -> dict[str, list[QueueRow]]:
        """For each id the rows that it means. One task of those that wait together gets a row of its own."""
        return {job_id: _meant(self._by_number.get(base_of(job_id), []), job_id) for job_id in ids}


def _meant(rows: Sequence[QueueRow], job_id: str) -> list[QueueRow]:
    job_id = short(job_id)
    if subjob := re.fullmatch(r"[0-9]+\[([0-9]+)\]", job_id):
        index = int(subjob[1])
        alone = [row for row in rows if row.job_id == job_id]
        return alone or [
            replace(row, job_id=job_id, tasks=subjob[1])
            for row in rows
            if row.job_id.endswith("[]") and _holds(row.tasks, index, index)
        ]
    number, separator, rest = re.split(r"([+_]|$)", job_id, maxsplit=1)[:3]
    if separator != "_":
        return [row for row in rows if not separator or row.job_id == job_id]
    first, last = _bounds(rest)
    found = []
    for row in rows:
        if base_of(row.job_id) != number or not row.tasks:
            continue
        if first == last and "[" in row.job_id and _holds(row.tasks, first, last):
            found.append(replace(row, job_id=f"{number}_{first}", tasks=str(first)))
        elif _holds(row.tasks, first, last):
            found.append(row)
    return found


def _bounds(text: str) -> tuple[int, int]:
    """The first and last task of "3" or "[2-5]"."""
    first, _, last = text.strip("[]").partition("-")
    return int(first), int(last or first)


def _holds(tasks: str, first: int, last: int) -> bool:
    """Whether any task from ``first`` to ``last`` is among "2-5%2" or "1,3,7-20:4"."""
    for part in tasks.split("%")[0].split(","):
        span, _, step = part.partition(":")
        if not re.fullmatch(r"[0-9]+(-[0-9]+)?", span):
            continue
        low, high = _bounds(span)
        pace = int(step) if step.isdigit() and int(step) else 1
        start = max(low, first)
        start += (low - start) % pace
        if start <= min(high, last):
            return True
    return False
