"""Plans: what an engine said it would do, as data. Pure: reads text, asks nobody."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B?)?", re.IGNORECASE)
_MB = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}
_MOST_TASKS = 20_000


class UnreadablePlan(Exception):
    """The engine's answer is not what it should be; the text says in what."""


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A step that would run. ``after`` are the names of those that it waits for; ``memory_mb`` in MiB, walltime
    in seconds; None where the pipeline says nothing."""

    name: str
    after: tuple[str, ...] = ()
    cpus: int | None = None
    memory_mb: int | None = None
    walltime_s: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. ``reuse`` is the number of steps that are done already (of a run that is resumed);
    ``cpu_hours_ceiling`` the CPU hours that it can cost at most, None where that is not known."""

    tasks: tuple[PlannedTask, ...] = ()
    cpu_hours_ceiling: float | None = None
    warnings: tuple[str, ...] = ()
    reuse: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def depth(self) -> int:
        """How many steps stand one after the other in the longest chain."""
        known = {task.name: task for task in self.tasks}
        level: dict[str, int] = {}
        for task in _in_order(self.tasks):
            before = [level.get(name, 0) for name in task.after if name in known]
            level[task.name] = 1 + max(before, default=0)
        return max(level.values(), default=0)


@dataclass(slots=True)
class _Draft:
    tasks: list[PlannedTask] = field(default_factory=list)
    reuse: int = 0


def read_jetstream(output: bytes) -> Plan:
    """The answer of ``jetstream_plan.py``. Raises ``UnreadablePlan``."""
    rows = _object(output).get("tasks")
    if not isinstance(rows, list):
        raise UnreadablePlan("it has no list of tasks")
    draft = _Draft()
    for row in rows[:_MOST_TASKS]:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise UnreadablePlan("it has a task without a name")
        if row.get("state") == "complete":
            draft.reuse += 1
        else:
            draft.tasks.append(
                PlannedTask(
                    row["name"],
                    tuple(str(name) for name in row.get("after") or ()),
                    _whole(row.get("cpus")) or 1,
                    memory_mb(row.get("mem")),
                    seconds(row.get("walltime")),
                )
            )
    return _made(draft)


def read_snakemake(output: bytes) -> Plan:
    """A line with the number of all jobs, then a line for each that would run. Raises ``UnreadablePlan``."""
    lines = output.decode("utf-8", "replace").splitlines()
    total = _whole(_object(lines[0].encode() if lines else b"").get("total")) or 0
    rows = [_object(line.encode()) for line in lines[1 : _MOST_TASKS + 1]]
    makers = {path: str(row.get("name")) for row in rows for path in row.get("output") or ()}
    draft = _Draft(reuse=max(0, total - len(rows)))
    for row in rows:
        wanted = row.get("resources") if isinstance(row.get("resources"), dict) else {}
        before = dict.fromkeys(makers[path] for path in row.get("input") or () if path in makers)
        minutes = (wanted or {}).get("runtime")
        draft.tasks.append(
            PlannedTask(
                str(row.get("name")),
                tuple(before),
                _whole(row.get("cpus")) or 1,
                memory_mb((wanted or {}).get("mem_mb")),
                round(60 * minutes) if isinstance(minutes, int | float) else None,
            )
        )
    return _made(draft)


def memory_mb(value: Any) -> int | None:
    """MiB from 4000, "4000", "4G", "4 GB"; a bare number is MiB already. None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value)
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return round(float(match[1]) * _MB[match[2].upper()]) if match else None


def seconds(value: Any) -> int | None:
    """Seconds from Slurm's forms of a walltime: 30 and "30" are minutes, then "MM:SS", "HH:MM:SS", "D-HH",
    "D-HH:MM", "D-HH:MM:SS" (sbatch(1), --time). None for anything else.

    YAML makes a number of HH:MM:SS without quotes; Jetstream hands that to sbatch, which takes it for minutes.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 60
    if not isinstance(value, str):
        return None
    match = re.fullmatch(r"(?:(\d{1,4})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?", value.strip())
    if match is None:
        return None
    days, first, second, third = (int(part) if part else None for part in match.groups())
    if days is not None:
        return days * 86400 + (first or 0) * 3600 + (second or 0) * 60 + (third or 0)
    if third is not None:
        return (first or 0) * 3600 + (second or 0) * 60 + third
    return (first or 0) * 60 + (second or 0)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise UnreadablePlan("it is not JSON, or it was cut") from None
    if not isinstance(value, dict):
        raise UnreadablePlan("it is not a JSON object")
    return value


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _made(draft: _Draft) -> Plan:
    limited = [task for task in draft.tasks if task.walltime_s is not None]
    cost = sum((task.cpus or 1) * (task.walltime_s or 0) for task in limited) / 3600
    warnings = []
    open_ended = len(draft.tasks) - len(limited)
    if open_ended:
        warnings.append(
            f"{open_ended} of {len(draft.tasks)} tasks give no walltime; the ceiling leaves them out."
        )
    twice = [name for name, count in Counter(t.name for t in draft.tasks).items() if count > 1]
    if twice:
        warnings.append(f"Several tasks have the same name: {', '.join(sorted(twice)[:5])}.")
    ceiling = round(cost, 2) if limited or not draft.tasks else None
    return Plan(tuple(draft.tasks), ceiling, tuple(warnings), draft.reuse)


def _in_order(tasks: Iterable[PlannedTask]) -> list[PlannedTask]:
    """Every task after those that it waits for; what waits in a circle comes last."""
    waiting: Mapping[str, PlannedTask] = {task.name: task for task in tasks}
    followers: dict[str, list[str]] = {}
    missing = {}
    for task in waiting.values():
        before = [name for name in dict.fromkeys(task.after) if name in waiting]
        missing[task.name] = len(before)
        for name in before:
            followers.setdefault(name, []).append(task.name)
    ready = [name for name, count in missing.items() if count == 0]
    for name in ready:  # grows while it is read
        for follower in followers.get(name, ()):
            missing[follower] -= 1
            if missing[follower] == 0:
                ready.append(follower)
    done = set(ready)
    return [waiting[name] for name in [*ready, *(n for n in waiting if n not in done)]]
