"""What a run used of what it asked for, in numbers and in sentences about what to ask for next time.

Accounting measures memory by looking now and then (Slurm: ``JobAcctGatherFrequency``, 30 s unless set otherwise),
and tells the most that one task held, never what a node held in all: nothing is said about memory of jobs on
several nodes or of such short ones. What is not known is said to be unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.utils.translation import gettext as _

from pipeline_management.choices import Reason, RunState
from pipeline_management.models import Run, RunUsage

SHORT = 60
"""Seconds: of a shorter job too few measurements exist to judge it."""
_ROOM = 1.5
"""How much more than was used is advised."""
_WASTED = 0.6
"""Advice is given where what would do is at most this share of what was asked for."""
_NARROW = 0.9


@dataclass(frozen=True, slots=True)
class Bar:
    """``used`` of ``asked``, as texts; ``percent`` of it, None where one of both is unknown. A bar is drawn up to
    100; more than that is possible where cores are shared."""

    name: str
    label: str
    used: str
    asked: str
    percent: int | None

    @property
    def length(self) -> int:
        return min(100, self.percent or 0)


def usage_of(run: Run) -> RunUsage | None:
    """What accounting said about the run so far; None where nothing was written down yet. One query."""
    return RunUsage.objects.filter(run=run).first()


def bars(usage: RunUsage) -> list[Bar]:
    """Processors, memory and time, each as used and as asked for."""
    cores = _average_cores(usage)
    return [
        Bar(
            "cpu",
            _("Processors"),
            _("%(number)s on average") % {"number": f"{cores:.1f}"} if cores is not None else _("unknown"),
            str(usage.cpus) if usage.cpus is not None else _("unknown"),
            _percent(usage.cpu_efficiency),
        ),
        Bar(
            "memory",
            _("Memory"),
            size(usage.max_memory_mb),
            size(usage.memory_mb),
            _percent(usage.memory_efficiency),
        ),
        Bar(
            "time",
            _("Walltime"),
            span(usage.elapsed_seconds),
            span(usage.walltime_seconds),
            _percent(_share(usage.elapsed_seconds, usage.walltime_seconds)),
        ),
    ]  # fmt: skip


def advice_on(run: Run, usage: RunUsage) -> list[str]:
    """Sentences in the viewer's language, at least one: about memory, time and processors of an ended run."""
    said = [*_memory(run, usage), *_time(run, usage), *_processors(run, usage)]
    return said or [_("What it asked for fits what it used.")]


def _memory(run: Run, usage: RunUsage) -> list[str]:
    used, asked = usage.max_memory_mb, usage.memory_mb
    if run.reason == Reason.OUT_OF_MEMORY and asked:
        facts = {"asked": size(asked), "enough": size(_round_memory(2 * asked))}
        return [_("Memory: %(asked)s were too little; try %(enough)s.") % facts]
    if not used or not asked:
        return [_("Memory: not known, so nothing can be said about it.")]
    if (usage.nodes or 1) > 1:
        return [
            _("Memory: it had %(nodes)s nodes; what one task held says too little about a node.")
            % {"nodes": usage.nodes}
        ]
    if (usage.elapsed_seconds or 0) < SHORT:
        return [_("Memory: the job was too short for its measurements to be relied on.")]
    enough = _round_memory(_ROOM * used)
    facts = {"asked": size(asked), "used": size(used), "enough": size(enough)}
    if enough <= _WASTED * asked:
        return [_("Memory: asked for %(asked)s, used %(used)s: %(enough)s would do.") % facts]
    if used >= _NARROW * asked:
        return [
            _("Memory: used %(used)s of %(asked)s, which is close: ask for %(enough)s to be safe.")
            % facts
        ]
    return []


def _time(run: Run, usage: RunUsage) -> list[str]:
    used, asked = usage.elapsed_seconds, usage.walltime_seconds
    if run.reason == Reason.TIMEOUT and asked:
        return [_("Time: %(asked)s were too short; ask for more.") % {"asked": span(asked)}]
    if used is None or not asked:
        return [_("Time: no limit or no duration is known.")]
    if run.state != RunState.SUCCEEDED:
        return [_("Time: the run did not succeed, so how long it took says nothing.")]
    enough = _round_time(_ROOM * used)
    facts = {"asked": span(asked), "used": span(used), "enough": span(enough)}
    if enough <= _WASTED * asked:
        return [
            _(
                "Time: asked for %(asked)s, took %(used)s: %(enough)s would do and may start earlier."
            )
            % facts
        ]
    if used >= _NARROW * asked:
        return [
            _("Time: took %(used)s of %(asked)s, which is close: ask for %(enough)s to be safe.")
            % facts
        ]
    return []


def _processors(run: Run, usage: RunUsage) -> list[str]:
    cores = _average_cores(usage)
    if cores is None or not usage.cpus:
        return [_("Processors: not known, so nothing can be said about them.")]
    if (usage.elapsed_seconds or 0) < SHORT or usage.cpus == 1:
        return []
    enough = max(1, math.ceil(cores * 1.2))
    if enough > _WASTED * usage.cpus:
        return []
    facts = {"asked": usage.cpus, "used": f"{cores:.1f}", "enough": enough}
    return [
        _("Processors: asked for %(asked)s, used %(used)s on average: %(enough)s would do, if no step needs more.")
        % facts
    ]  # fmt: skip


def _average_cores(usage: RunUsage) -> float | None:
    """Cores in use on average, of those that were allocated; over all jobs of the run."""
    if usage.cpu_efficiency is None or not usage.cpus:
        return None
    return usage.cpu_efficiency * usage.cpus


def _share(used: float | None, asked: float | None) -> float | None:
    return used / asked if used is not None and asked else None


def _percent(share: float | None) -> int | None:
    return None if share is None else round(100 * share)


def _round_memory(megabytes: float) -> int:
    """Up to a power of two, or one and a half times that: 512, 768, 1024, 1536 … MiB."""
    step = 512
    while step < megabytes:
        if step * 3 // 2 >= megabytes:
            return step * 3 // 2
        step *= 2
    return step


def _round_time(seconds: float) -> int:
    """Up to 10 minutes, above two hours up to whole hours."""
    unit = 600 if seconds <= 7200 else 3600
    return max(unit, math.ceil(seconds / unit) * unit)


def size(megabytes: float | None) -> str:
    """Mebibytes as "512 MB" or "2.1 GB" (powers of 1024, as schedulers count)."""
    if megabytes is None:
        return _("unknown")
    if megabytes < 1024:
        return f"{megabytes:.0f} MB"
    return f"{megabytes / 1024:.1f}".removesuffix(".0") + " GB"


def span(seconds: float | None) -> str:
    """Seconds as "2 d 3 h", "4 h 05 min", "3 min 20 s" or "12 s"."""
    if seconds is None:
        return _("unknown")
    hours, rest = divmod(max(0, int(seconds)), 3600)
    minutes, left = divmod(rest, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"
