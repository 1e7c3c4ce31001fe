"""Failed runs by their cause: how many of each, bounded, and the newest of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pipeline_management.choices import RunState
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet
from pipeline_management.services.causes import label_of

NEWEST = 1000
"""Failed runs that are looked at: the newest. Older ones belong to history, and are found by a search."""


@dataclass(slots=True)
class Group:
    """``count`` runs that failed for ``cause``; ``texts`` are up to three lines in which it showed, newest first."""

    cause: str
    count: int
    newest: Run
    texts: list[str]

    @property
    def label(self) -> str:
        return label_of(self.cause)


def by_cause(runs: RunQuerySet) -> list[Group]:
    """The newest ``NEWEST`` failed ones of the runs, grouped; the largest group first. Two queries."""
    failed = runs.by_hits().filter(state=RunState.FAILED).exclude(cause="")
    rows = failed.order_by("-created_at", "-id").values_list("pk", "cause", "cause_text")[:NEWEST]
    found: dict[str, tuple[list[UUID], dict[str, None]]] = {}
    for pk, cause, text in rows:
        ids, texts = found.setdefault(cause, ([], {}))
        ids.append(pk)
        if text and len(texts) < 3:
            texts.setdefault(text)
    firsts = [ids[0] for ids, _texts in found.values()]
    newest = {run.pk: run for run in Run.objects.filter(pk__in=firsts).for_lists()}
    groups = [
        Group(cause, len(ids), newest[ids[0]], list(texts))
        for cause, (ids, texts) in found.items()
        if ids[0] in newest
    ]
    return sorted(groups, key=lambda group: -group.count)
