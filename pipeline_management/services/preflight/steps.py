"""Parts of a look at a system as steps of a list: how it stands, and one sentence about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hpc.preflight import reading
from hpc.preflight.asking import Part
from hpc.preflight.reading import Quota, Space

MOST_DETAILS = 50
_FULL, _NEARLY_FULL = 1.0, 0.95
_LITTLE = 10 * 1024**3
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Status(StrEnum):
    """How a step stands. UNKNOWN: the system did not say; that is no fault of the run."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


_ORDER = (Status.BAD, Status.WARNING, Status.GOOD)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the list. ``name`` is a stable word; ``details`` are further lines, one per thing."""

    name: str
    status: Status
    message: str
    details: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"details": list(self.details)}


def worst(steps: Iterable[Step]) -> Status:
    """The worst status among the steps; UNKNOWN only where nothing is known."""
    found = {step.status for step in steps}
    return next((status for status in _ORDER if status in found), Status.UNKNOWN)


def of_inputs(part: Part, paths: Sequence[str], username: str) -> Step:
    """Whether each path can be read. A part that ran out of time has looked at the first of them only."""
    if not paths:
        return Step("inputs", Status.GOOD, "The configuration names no files by absolute path.")
    states = reading.path_states(part.output)[: len(paths)]
    faults = [
        _fault(path, state, username)
        for path, state in zip(paths, states, strict=False)
        if state in ("missing", "unreadable")
    ]
    empty = [
        f"{path}: empty" for path, state in zip(paths, states, strict=False) if state == "empty"
    ]
    seen = f"{len(states)} of {len(paths)} paths were looked at in the time"
    if faults:
        message = f"{_count(len(faults), len(paths))} cannot be read by {username}"
        message += "." if len(states) == len(paths) else f"; only {seen}."
        return Step("inputs", Status.BAD, message, _listed([*faults, *empty]))
    if len(states) < len(paths):
        why = "the filesystem answers slowly" if part.code is None else "the look ended early"
        return Step("inputs", Status.UNKNOWN, f"Only {seen}: {why}.", _listed(empty))
    if empty:
        message = f"{_count(len(empty), len(paths))} can be read but hold{'s' * (len(empty) == 1)} nothing."
        return Step("inputs", Status.WARNING, message, _listed(empty))
    kinds = Counter(states)
    what = "directory" if kinds["directory"] == len(paths) == 1 else "path"
    all_of = f"The {what}" if len(paths) == 1 else f"All {len(paths)} paths"
    return Step("inputs", Status.GOOD, f"{all_of} of the configuration can be read.")


def _count(some: int, of: int) -> str:
    return f"{some} of {of} paths" if of > 1 else "The one path of the configuration"


def _fault(path: str, state: str, username: str) -> str:
    if state == "missing":
        return f"{path}: not there, or in a directory that {username} may not enter"
    return f"{path}: there, but {username} may not read it"


def _listed(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_DETAILS
    return (*lines[:MOST_DETAILS], f"and {more} more") if more > 0 else tuple(lines)


def of_space(part: Part, directory: str) -> list[Step]:
    """Whether the run's directory can be made, and what is left where it would be."""
    found = reading.space(part.output)
    if found is None:
        message = f"Nothing is known about {directory}: the system did not answer in time."
        return [Step("directory", Status.UNKNOWN, message)]
    if not found.is_writable:
        message = f"{found.place} cannot be written, so that {directory} cannot be used for runs."
        first = Step("directory", Status.BAD, message)
    else:
        first = Step("directory", Status.GOOD, f"{directory} can be written.")
    return [first, _left(found)]


def _left(space: Space) -> Step:
    if space.total is None or space.free is None:
        return Step("space", Status.UNKNOWN, f"How much is free in {space.place} is not known.")
    message = f"{size(space.free)} of {size(space.total)} are free in {space.mount}."
    if space.inodes and space.inodes_free == 0:
        return Step("space", Status.BAD, f"No more files can be made in {space.mount}. {message}")
    if space.free == 0:
        return Step("space", Status.BAD, message)
    is_little = space.free < _LITTLE and space.free < (1 - _NEARLY_FULL) * space.total
    return Step("space", Status.WARNING if is_little else Status.GOOD, message)


def of_quota(part: Part) -> list[Step]:
    """The user's quotas, the fullest first; one step that says so where the system tells of none."""
    found = sorted(reading.quotas(part.output), key=_share, reverse=True)
    if not found:
        if part.code is None:
            return [Step("quota", Status.UNKNOWN, "The system did not tell of quotas in time.")]
        why = "The system has no command that tells of quotas."
        if part.code != 69:
            why = "The system tells of no quota for this user."
        return [Step("quota", Status.UNKNOWN, why)]
    return [_quota_step(quota) for quota in found[:4]]


def _share(quota: Quota) -> float:
    return quota.used / quota.limit


def _quota_step(quota: Quota) -> Step:
    used, limit = (
        (size(quota.used), size(quota.limit))
        if quota.unit == "bytes"
        else (f"{quota.used:,}", f"{quota.limit:,} files")
    )
    message = f"{used} of the quota of {limit} in {quota.filesystem} are used"
    share = _share(quota)
    if share >= _FULL:
        return Step("quota", Status.BAD, f"{message}: nothing is left.")
    status = Status.WARNING if share >= _NEARLY_FULL else Status.GOOD
    return Step("quota", status, f"{message} ({share:.0%}).")


def size(number: float) -> str:
    """Bytes for people: "1.5 GiB"."""
    power = 0
    while number >= 1024 and power < len(_UNITS) - 1:
        number /= 1024
        power += 1
    return (
        f"{number:.0f} {_UNITS[power]}"
        if power == 0 or number >= 100
        else f"{number:.1f} {_UNITS[power]}"
    )
