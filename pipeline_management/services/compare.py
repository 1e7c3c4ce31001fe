"""Two runs beside each other: configuration, pipeline version, tasks, times, usage. Reads the database only.

What is called "before" belongs to the first run, "after" to the second.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from pipeline_management.models import PipelineVersion, Run, RunUsage
from pipeline_management.services.control.difference import (
    MOST,
    Columns,
    Difference,
    Keys,
    differences,
)
from pipeline_management.services.rules.vocabulary import read_rules
from pipeline_management.services.usage_advice import size, span

__all__ = ["MOST", "Comparison", "Earlier", "compare", "row_keys", "with_earlier"]

MOST_TASKS = 5000
"""Tasks of each run that are looked at."""
SHOWN_TASKS = 300
_MOST_LINES = 400
"""Lines of a script's difference that are shown."""
_ALWAYS_OTHER = frozenset({"submitted", "started"})
"""Facts of which it says nothing that they are not the same."""
_CONTENT = ("schema", "engine_options", "resources", "rules")


@dataclass(frozen=True, slots=True)
class Earlier:
    """How a run differs from an earlier one. ``why``: "origin" (it was made from that one) or "project" (that one
    had the same name in the same lab before it). ``version`` is the earlier one's title where it is another."""

    why: str
    run: Run
    differences: list[Difference]
    version: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a table; ``differs`` where both are known and not the same."""

    name: str
    label: str
    before: Any
    after: Any
    differs: bool


@dataclass(frozen=True, slots=True)
class TaskPair:
    """One task in both runs. A state is "" where the run has no such task; seconds are None while unknown.
    ``slower`` is by how many seconds the second run took longer."""

    name: str
    before: str
    after: str
    seconds_before: float | None
    seconds_after: float | None

    @property
    def slower(self) -> float | None:
        if self.seconds_before is None or self.seconds_after is None:
            return None
        return self.seconds_after - self.seconds_before

    @property
    def quicker(self) -> float | None:
        """The same the other way round."""
        return None if self.slower is None else -self.slower


@dataclass(frozen=True, slots=True)
class Tasks:
    """``pairs``: the most telling first, at most ``SHOWN_TASKS`` of ``total``."""

    pairs: list[TaskPair] = field(default_factory=list)
    total: int = 0
    only_before: int = 0
    only_after: int = 0
    cut: bool = False
    """Whether one of the runs has more tasks than are looked at."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``script``: the lines of a unified difference of the job script templates, [] where they are the same;
    ``content``: by part of the version ("schema" …), what is other there."""

    facts: list[Fact]
    configuration: list[Difference]
    same_pipeline: bool
    same_content: bool
    script: list[str]
    content: list[tuple[str, list[Difference]]]
    tasks: Tasks
    usage: list[Fact]


def row_keys(version: PipelineVersion | None) -> Keys:
    """By which columns the rows of a version's configurations are told apart: those that a rule says to be
    unique. By the pointer of the list."""
    keys: dict[str, Columns] = {}
    for rule in read_rules(version.rules if version is not None else []):
        if rule.kind == "unique" and rule.rows and not rule.when:
            place = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in rule.rows)
            keys.setdefault(place, rule.columns)
    return keys


def with_earlier(run: Run, user: User) -> list[Earlier]:
    """How a run differs from its origin and from its project's run before it, as far as ``user`` may see them.

    ``run`` comes with its texts. Two or three queries, by index however many runs there are.
    """
    visible = Run.objects.visible_to(user).select_related("version__pipeline", "lab")
    visible = visible.defer("script")
    found: list[Earlier] = []
    origin = visible.filter(pk=run.origin_id).first() if run.origin_id else None
    if origin is not None:
        found.append(_earlier("origin", origin, run))
    if run.name and run.lab_id:
        same = visible.filter(lab_id=run.lab_id, name=run.name, created_at__lt=run.created_at)
        previous = same.order_by("-created_at").first()
        if previous is not None and (origin is None or previous.pk != origin.pk):
            found.append(_earlier("project", previous, run))
    return found


def _earlier(why: str, earlier: Run, run: Run) -> Earlier:
    found = differences(earlier.configuration, run.configuration, row_keys(run.version))
    other = earlier.title if earlier.version_id != run.version_id else ""
    return Earlier(why, earlier, found, other)


def compare(before: Run, after: Run) -> Comparison:
    """Everything in which two runs differ. Both come with their texts and what ``visible_run`` selects along;
    four queries more."""
    old, new = before.version, after.version
    same_content = (
        old is not None and new is not None and old.content_sha256 == new.content_sha256
    ) or (old is None and new is None and before.script == after.script)
    return Comparison(
        facts=list(_facts(before, after)),
        configuration=differences(before.configuration, after.configuration, row_keys(new)),
        same_pipeline=(old and old.pipeline_id) == (new and new.pipeline_id),
        same_content=same_content,
        script=[] if same_content else _script(before, after),
        content=[] if same_content else _content(old, new),
        tasks=_tasks(before, after),
        usage=list(_usage(before, after)),
    )


def _facts(before: Run, after: Run) -> Iterator[Fact]:
    for name, label, of in (
        ("state", _("State"), lambda run: run.state),
        ("version", _("Pipeline version"), lambda run: run.title),
        ("system", _("System"), lambda run: run.system.name),
        ("submitter", _("Submitter"), lambda run: run.submitter.get_username()),
        ("lab", _("Lab"), lambda run: run.lab.name if run.lab else _("no lab")),
        ("submitted", _("Submitted"), lambda run: run.created_at),
        ("started", _("Started"), lambda run: run.started_at),
        ("wait", _("Waited"), lambda run: _between(run.submitted_at, run.started_at)),
        ("duration", _("Took"), lambda run: _between(run.started_at, run.ended_at)),
        ("exit", _("Exit code"), lambda run: run.exit_code),
    ):
        yield _fact(name, label, of(before), of(after))


def _between(begin: Any, end: Any) -> str | None:
    return span((end - begin).total_seconds()) if begin and end else None


def _fact(name: str, label: str, before: Any, after: Any) -> Fact:
    differs = None not in (before, after) and before != after and name not in _ALWAYS_OTHER
    return Fact(name, label, before, after, differs)


def _script(before: Run, after: Run) -> list[str]:
    texts = [
        (run.version.script if run.version is not None else run.script) for run in (before, after)
    ]
    lines = difflib.unified_diff(
        texts[0].splitlines(), texts[1].splitlines(), before.title, after.title, lineterm=""
    )
    found: list[str] = []
    for line in lines:
        if len(found) == _MOST_LINES:
            found.append("@@ …")
            break
        found.append(line[:500])
    return found


def _content(
    old: PipelineVersion | None, new: PipelineVersion | None
) -> list[tuple[str, list[Difference]]]:
    if old is None or new is None:
        return []
    found = [(part, differences(getattr(old, part), getattr(new, part))) for part in _CONTENT]
    return [(part, changes) for part, changes in found if changes]


def _tasks(before: Run, after: Run) -> Tasks:
    both = [
        {task.name: task for task in run.tasks.order_by("pk")[: MOST_TASKS + 1]} if run.tasks_total else {}
        for run in (before, after)
    ]  # fmt: skip
    cut = any(len(tasks) > MOST_TASKS for tasks in both)
    old, new = both
    pairs = []
    for name in [*new, *(name for name in old if name not in new)]:
        mine, other = old.get(name), new.get(name)
        pairs.append(
            TaskPair(
                name,
                mine.state if mine else "",
                other.state if other else "",
                mine.seconds if mine else None,
                other.seconds if other else None,
            )
        )
    pairs.sort(key=_telling)
    only_before = sum(1 for name in old if name not in new)
    only_after = sum(1 for name in new if name not in old)
    return Tasks(pairs[:SHOWN_TASKS], len(pairs), only_before, only_after, cut)


def _telling(pair: TaskPair) -> tuple[int, float]:
    """What is in one run only first, then other states, then by how much the times differ."""
    if not pair.before or not pair.after:
        return 0, 0.0
    return (1 if pair.before != pair.after else 2), -abs(pair.slower or 0.0)


def _usage(before: Run, after: Run) -> Iterator[Fact]:
    found = {usage.run_id: usage for usage in RunUsage.objects.filter(run__in=(before, after))}
    if not found:
        return
    old, new = found.get(before.pk), found.get(after.pk)
    for name, label, shown in (
        ("cpus", _("Processors"), str),
        ("memory_mb", _("Memory asked for"), size),
        ("max_memory_mb", _("Memory used"), size),
        ("walltime_seconds", _("Walltime asked for"), span),
        ("elapsed_seconds", _("Time used"), span),
        ("cpu_seconds", _("Processor time used"), span),
        ("core_seconds", _("Core time"), span),
        ("gpu_seconds", _("GPU time"), span),
    ):
        values = [getattr(usage, name) if usage is not None else None for usage in (old, new)]
        if values == [None, None]:
            continue
        texts = [shown(value) if value is not None else None for value in values]
        yield _fact(name, label, *texts)
